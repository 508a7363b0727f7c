import { randomBytes } from 'node:crypto'
import { ProtocolError } from '../../protocol/errors.ts'
import { type Chat, readChat } from '../../table/chat/chats.ts'
import { commitAll, retryUntilCommitted } from '../../table/optimistic-write.ts'
import type { AnySession } from '../../table/sockets.ts'
import { groupsExist } from '../scopes.ts'
import { agentChecks, eventsOf, memberOf, type NewChat, type Started, type Starting } from './new-chat.ts'
import { openThread } from './open-thread.ts'

interface OwnStartView {
  me: AnySession
  /** The chat to be started, where it is there already. */
  chat?: Chat | undefined
}

/**
 * Starts an agent's own chat: everything of it in one transaction, which also holds that its scopes name
 * agents who may work.
 */
export const startOwnChat = async (ctx: Starting, asked: NewChat): Promise<Started> => {
  const id = newChatId()
  const { license_id } = ctx.me
  if (!(await groupsExist(ctx.read, ctx.me, asked.scopes))) throw new ProtocolError('not_found')
  const refresh = async () => {
    const [{ me }, chat] = await Promise.all([ctx.refresh(), readChat(ctx.read, id)])
    return { me, chat }
  }
  return retryUntilCommitted<Started, OwnStartView>({ ...ctx, refresh }, ctx, {
    // nobody else makes a chat of this id
    isOwn: ({ chat }) => chat !== undefined,
    attempt: async ({ me }) => {
      const opened = openThread(
        {
          me,
          before: { id, license_id },
          tail: undefined,
          held: undefined,
          desk: undefined,
          users: [memberOf(me)],
          scopes: asked.scopes,
          events: eventsOf(me, asked.events),
          properties: asked.properties,
          threadProperties: asked.threadProperties,
        },
        { nonce: ctx.nonce, at: ctx.now() },
      )
      const writes = [...(await agentChecks(ctx.read, me, asked.scopes)), ...opened.writes]
      const placed = commitAll(ctx.write, writes, ctx.nonce)
      const { chat, head, entries } = opened
      const started = { outcome: 'started' as const, before: undefined, events: entries, told: {} }
      return { result: { ...started, chat, head, entries }, committed: placed }
    },
  })
}

/** Random, of the characters that ids of threads and events are built with. */
const newChatId = (): string =>
  BigInt(`0x${randomBytes(13).toString('hex')}`)
    .toString(36)
    .padStart(21, '0')
