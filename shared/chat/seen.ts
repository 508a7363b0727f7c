import { SeenItem, seenMoved, type Chat } from '../table/chats.ts'
import type { Writer } from '../table/ops.ts'
import { type AnySession, userIdOf } from '../table/sockets.ts'

/**
 * Moves up to when the requester has seen a chat (Unix seconds) forward: never back, never beyond now. Resolves to the
 * time in force, and whether this request moved it. The audience is read beside the write.
 */
export const moveSeen = async (
  ctx: {
    me: AnySession
    chat: Chat
    write: Writer<'chat'>
    nonce: string
    now: () => number
    readAudience: (chat: Chat) => void
  },
  wanted: number,
): Promise<{ timestamp: number; moved: boolean }> => {
  const { me, chat, nonce } = ctx
  const timestamp = Math.min(wanted, Math.floor(ctx.now() / 1000))
  ctx.readAudience(chat)
  const outcome = await ctx.write.write(seenMoved(chat.id, userIdOf(me), timestamp, nonce))
  if (outcome.done) return { timestamp, moved: true }
  const found = SeenItem.parse(outcome.found)
  // the same write once more, after its first answer was lost
  return { timestamp: found.timestamp, moved: found.nonce === nonce && found.timestamp === timestamp }
}
