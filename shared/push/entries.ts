import type { Chat } from '../table/chats.ts'
import { threadId } from '../table/keys.ts'
import { type Entry, eventOf } from '../table/log.ts'
import { watching } from './audience.ts'
import type { Pushing } from './outbox.ts'

/** Tells everyone with access to the chat of what was appended to its log. */
export const pushEntries = (
  { push }: Pushing<'incoming_event'>,
  chat: Chat,
  entries: readonly Entry[],
): void => {
  for (const entry of entries) {
    const at = { chat_id: chat.id, thread_id: threadId(chat.id, entry.n) }
    push(watching(chat), 'incoming_event', { ...at, event: eventOf(chat.id, entry) })
  }
}

/** Tells of a thread's closing: its last event, and by whom it was closed. */
export const pushClosing = (
  ctx: Pushing<'incoming_event' | 'thread_closed'>,
  { chat, entry }: { chat: Chat; entry: Entry },
  by: string,
): void => {
  pushEntries(ctx, chat, [entry])
  const at = { chat_id: chat.id, thread_id: threadId(chat.id, entry.n) }
  ctx.push(watching(chat), 'thread_closed', { ...at, user_id: by })
}
