import { watching } from '../access/audience.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import { putChangedChat } from '../table/chat/changed-chats.ts'
import type { Chat } from '../table/chat/chats.ts'
import { seenEvent, SeenItem, seenMoved } from '../table/chat/seen-marks.ts'
import { authorsOf, type Entry, readLast } from '../table/chat/thread-log.ts'
import { type AnySession, userIdOf } from '../table/sockets.ts'

interface Seeing
  extends
    Reads,
    Writes<'chat' | 'changedChats'>,
    Clock,
    Pick<Pushing<'last_seen_timestamp_updated'>, 'prefetchAudience'> {
  me: AnySession
  chat: Chat
  nonce: string
}

/**
 * Writes the move where it is one. The item as it then is; `isOurs`: by this request, also where its first
 * answer was lost.
 */
const move = async (
  ctx: Seeing,
  wanted: number,
  event?: string,
): Promise<{ timestamp: number; isOurs: boolean; moved: boolean }> => {
  const { me, chat, nonce } = ctx
  const atMs = ctx.now()
  const to = { timestamp: Math.min(wanted, Math.floor(atMs / 1000)), event, atMs }
  if (!chat.active) await ctx.write.write(putChangedChat(chat, atMs))
  ctx.prefetchAudience(watching(chat), 'last_seen_timestamp_updated')
  const [outcome, last] = await Promise.all([
    ctx.write.write(seenMoved(chat.id, userIdOf(me), to, nonce), { returns: 'new' }),
    readLast(ctx.read, chat.id, false),
  ])
  const item = SeenItem.parse(outcome.done ? outcome.attributes : outcome.found)
  const isOurs = item.nonce === nonce
  // the chat has been seen up to what was sent, without a mark of it
  const sent = (last && authorsOf(last).get(userIdOf(me))) ?? -1
  const hasMoved = item.timestamp > (item.timestamp_before ?? item.timestamp) && item.timestamp >= sent
  return { timestamp: Math.max(item.timestamp, sent), isOurs, moved: isOurs && hasMoved }
}

/**
 * Moves up to when the requester has seen a chat (Unix seconds) forward: never back, never beyond now.
 * Resolves to the time in force, and whether this request moved it. The audience is read beside the write.
 */
export const moveSeen = async (
  ctx: Seeing,
  wanted: number,
): Promise<{ timestamp: number; moved: boolean }> => {
  const { timestamp, moved } = await move(ctx, wanted)
  return { timestamp, moved }
}

/**
 * The same to an event and its time. `marked`: it had not been seen by a mark of it, of a later event or of a
 * later time. Of an event of one's own neither is told: who sends an event has seen the chat up to it, and it
 * says so itself.
 */
export const markSeen = async (
  ctx: Seeing & { event: Entry },
): Promise<{ timestamp: number; moved: boolean; marked: boolean }> => {
  const { chat, event } = ctx
  const { timestamp, moved, isOurs } = await move(ctx, Math.floor(event.at / 1000), seenEvent(chat.id, event))
  const isOwn = event.event.author_id === userIdOf(ctx.me)
  return { timestamp, moved: moved && !isOwn, marked: isOurs && !isOwn }
}
