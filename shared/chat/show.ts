import { type Profiles, readProfiles } from './profiles.ts'
import type { ChatWithThread } from '../protocol/objects.ts'
import { type Chat, type ChatUser, readChatRecord } from '../table/chats.ts'
import { type Entry, type Head, readHead } from '../table/log.ts'
import type { Reader } from '../table/ops.ts'
import { chatWithThread } from './views.ts'

export const agentIds = (users: readonly ChatUser[]): string[] =>
  users.filter(({ type }) => type !== 'customer').map(({ id }) => id)

/**
 * A chat with its last thread and these events of it (ascending), as it is shown to whoever sees it for the first
 * time. Reads what is missing in one round. `chat` is the state just written, so that it wins over what is read.
 */
export const showChat = async (
  read: Reader,
  { chat, head, events }: { chat: Chat; head?: Head | undefined; events: readonly Entry[] },
): Promise<{ shown: ChatWithThread; profiles: Profiles }> => {
  const [record, profiles, found] = await Promise.all([
    readChatRecord(read, chat.id),
    readProfiles(read, chat.license_id, agentIds(chat.users)),
    head ?? readHead(read, chat.id, chat.thread),
  ])
  if (found === undefined) throw new Error('A chat without its last thread')
  const shown = chatWithThread({
    record: { properties: undefined, seen: new Map(), ...record, chat },
    profiles,
    head: found,
    events,
    active: chat.active,
  })
  return { shown, profiles }
}
