import type { AuthorType } from '../protocol/pushes-on-bus.ts'
import type { ChatUser } from '../table/chat/chat-users.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import type { BusPush } from './bus-outbox.ts'

/** The user whom a push names as the one who did it; `null`: nobody did; undefined: the push does not say. */
const authorIdOf = ({ name, payload }: BusPush): string | null | undefined => {
  switch (name) {
    case 'incoming_event':
      return payload.event.author_id ?? null
    case 'incoming_chat_thread':
      return payload.chat.thread.events.find(({ author_id }) => author_id !== undefined)?.author_id
    case 'thread_closed':
      return payload.user_id ?? null
    case 'chat_transferred':
      return payload.requester_id ?? null
    case 'event_marked_as_seen':
    case 'last_seen_timestamp_updated':
      return payload.user_id
    default:
      return undefined
  }
}

/** Who did what a push tells of: a kind of user, or an agent whose account says whether it is a bot. */
export type Author = Exclude<AuthorType, 'bot'> | { agent: string }

/** `users`: those of its chat, also who left. */
export const authorOf = (push: BusPush, users: readonly ChatUser[]): Author | undefined => {
  const id = authorIdOf(push)
  if (id === undefined) return undefined
  if (id === null) return 'system'
  return users.some((user) => user.id === id && user.type === 'customer') ? 'customer' : { agent: id }
}

/** Which of a license's agents are bots. Strongly consistent: one that was just made must not hear itself. */
export const readBots = async (
  read: Reader<'account'>,
  agents: readonly { license: string; agent: string }[],
): Promise<(license: string, agent: string) => boolean> => {
  const named = new Map(
    agents.map(({ license, agent }) => [JSON.stringify([license, agent]), { license, agent }]),
  )
  const items = await read.batchGet(
    [...named.values()].map(({ license, agent }) => keys.agent(license, agent)),
    { strong: true },
  )
  const bots = new Set(
    items
      .filter((item) => item['bot'] === true)
      .map((item) => JSON.stringify([item['license_id'], item['id']])),
  )
  return (license, agent) => bots.has(JSON.stringify([license, agent]))
}
