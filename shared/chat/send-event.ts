import { watching } from '../access/audience.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { Event, NewCustomerEvent, NewEvent } from '../protocol/events.ts'
import { eventOf, readHead } from '../table/chat/thread-log.ts'
import { threadId } from '../table/ids.ts'
import { pushPropertyChanges } from './announce/entries.ts'
import { announceThreadStarted, replayedAfterMs } from './announce/thread-started.ts'
import { appendEvent, type Appending } from './append-event.ts'
import { enqueueRoutingOf } from './enqueue-routing.ts'
import type { ThreadStarting } from './thread-writes.ts'
import { showChat } from './view/chat-view.ts'

type Sending = Appending &
  ThreadStarting &
  Pushing<
    | 'incoming_event'
    | 'incoming_chat_thread'
    | 'chat_users_updated'
    | 'chat_properties_updated'
    | 'chat_thread_properties_updated'
  > &
  Enqueues

/** Adds an event to a chat and tells of it; `denied`: the sentence for what its author may not send. */
export const sendEvent = async (
  ctx: Sending,
  event: NewEvent | NewCustomerEvent,
  denied: string,
): Promise<{ thread_id: string; event: Event }> => {
  const { outcome, before, chat, entry, head, events, told = {} } = await appendEvent(ctx, event, denied)
  const answer = { thread_id: threadId(chat.id, entry.n), event: eventOf(chat.id, entry) }
  const late = outcome === 'replayed' && (entry.nonce === ctx.nonce || ctx.now() - entry.at > replayedAfterMs)
  const incoming = () => ctx.push(watching(chat, entry), 'incoming_event', { chat_id: chat.id, ...answer })

  if (outcome === 'appended') {
    incoming()
    pushPropertyChanges(ctx, chat, told)
    await enqueueRoutingOf(ctx, chat, [entry])
  }
  if (outcome === 'started')
    await announceThreadStarted(ctx, { outcome, before, chat, head, entries: events, events, told })
  if (late && entry.m === 1) {
    ctx.prefetchAudience(watching(chat), 'incoming_chat_thread')
    const opened = await readHead(ctx.read, chat.id, entry.n)
    if (opened?.nonce === entry.nonce) {
      const { shown } = await showChat(ctx.read, { chat, head: opened, events })
      ctx.push(watching(chat), 'incoming_chat_thread', { chat: shown })
    }
  }
  if (late) incoming()
  return answer
}
