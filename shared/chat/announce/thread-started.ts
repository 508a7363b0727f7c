import { gaining, watching, watchingEither } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Enqueues } from '../../jobs/job-queue.ts'
import type { ChatWithThread } from '../../protocol/objects.ts'
import type { Clock, Reads } from '../../table/capabilities.ts'
import { sameUsers, customerOf } from '../../table/chat/chat-users.ts'
import { enqueueRouting, enqueueRoutingOf } from '../enqueue-routing.ts'
import { usersUpdated } from '../membership.ts'
import type { Started } from '../start/new-chat.ts'
import { showChat } from '../view/chat-view.ts'
import { pushEntries, pushPropertyChanges } from './entries.ts'

type Telling = Pushing<
  | 'incoming_chat_thread'
  | 'incoming_event'
  | 'chat_users_updated'
  | 'chat_properties_updated'
  | 'chat_thread_properties_updated'
> &
  Reads &
  Clock &
  Enqueues

/**
 * The first sender of what is replayed may have died before its pushes; its own retry within this time has
 * not.
 */
export const replayedAfterMs = 2000

/**
 * Tells of a thread that was started, or of what was added to one, and resolves to the chat as it is shown. A
 * chat that begins to wait is looked after once more: an agent may have come meanwhile. What a customer adds
 * to one that waits already sets no routing off: it may repeat that as often as it likes.
 */
export const announceThreadStarted = async (
  ctx: Telling,
  { outcome, before, chat, head, entries, events, replayed = [], told }: Started,
): Promise<ChatWithThread> => {
  ctx.prefetchAudience(watching(chat), 'incoming_chat_thread')
  const { shown, profiles, seen } = await showChat(ctx.read, { chat, head, events })
  const to = outcome === 'started' || before === undefined ? watching(chat) : gaining(before, chat)
  // the request that wrote them may have died before its pushes
  const late = replayed.filter(({ at }) => ctx.now() - at > replayedAfterMs)
  ctx.push(late.some(({ m }) => m === 1) ? watching(chat) : to, 'incoming_chat_thread', { chat: shown })
  pushEntries(ctx, chat, late)
  if (outcome === 'appended') pushEntries(ctx, chat, entries)
  pushPropertyChanges(ctx, chat, told)
  if (before !== undefined && !sameUsers(before.users, chat.users))
    ctx.push(watchingEither(before, chat), 'chat_users_updated', usersUpdated(before, chat, profiles, seen))
  const isBack = before !== undefined && customerOf(before) === undefined && customerOf(chat) !== undefined
  if (outcome === 'started' && chat.waiting_since !== undefined)
    await enqueueRouting(ctx, chat.license_id, chat.id)
  if (outcome === 'appended' && isBack) await enqueueRouting(ctx, chat.license_id, chat.id)
  if (outcome === 'appended') await enqueueRoutingOf(ctx, chat, entries)
  return shown
}
