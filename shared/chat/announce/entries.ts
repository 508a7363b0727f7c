import { watching } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { type Entry, eventOf } from '../../table/chat/thread-log.ts'
import { threadId } from '../../table/ids.ts'
import type { AnnouncedRouting } from '../routing-properties.ts'

/** Tells everyone with access to the chat of what was appended to its log. */
export const pushEntries = (
  { push }: Pushing<'incoming_event'>,
  chat: Chat,
  entries: readonly Entry[],
): void => {
  for (const entry of entries) {
    const at = { chat_id: chat.id, thread_id: threadId(chat.id, entry.n) }
    push(watching(chat, entry), 'incoming_event', { ...at, event: eventOf(chat.id, entry) })
  }
}

/** Tells of a thread's closing: its last event, and by whom it was closed. */
export const pushClosing = (
  ctx: Pushing<'incoming_event' | 'thread_closed'>,
  { chat, entry, by }: { chat: Chat; entry: Entry; by: string | undefined },
): void => {
  pushEntries(ctx, chat, [entry])
  const at = { chat_id: chat.id, thread_id: threadId(chat.id, entry.n) }
  ctx.push(watching(chat), 'thread_closed', { ...at, ...(by === undefined ? {} : { user_id: by }) })
}

/** Tells of properties that changed with something else, on the chat and on its last thread. */
export const pushPropertyChanges = (
  { push }: Pushing<'chat_properties_updated' | 'chat_thread_properties_updated'>,
  chat: Chat,
  told: AnnouncedRouting = {},
): void => {
  const chat_id = chat.id
  if (told.chat !== undefined) push(watching(chat), 'chat_properties_updated', { chat_id, ...told.chat })
  if (told.thread !== undefined)
    push(watching(chat), 'chat_thread_properties_updated', {
      chat_id,
      thread_id: threadId(chat.id, chat.thread),
      ...told.thread,
    })
}
