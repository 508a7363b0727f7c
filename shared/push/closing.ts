import { type Chat } from '../table/chats.ts'
import { threadId } from '../table/keys.ts'
import { type Entry, eventOf } from '../table/log.ts'
import { watching } from './audience.ts'
import type { Pushing } from './outbox.ts'

/** Tells of a thread's closing: its last event, and by whom it was closed. */
export const pushClosing = (
  { push }: Pushing<'incoming_event' | 'thread_closed'>,
  { chat, entry }: { chat: Chat; entry: Entry },
  by: string,
): void => {
  const at = { chat_id: chat.id, thread_id: threadId(chat.id, entry.n) }
  push(watching(chat), 'incoming_event', { ...at, event: eventOf(chat.id, entry) })
  push(watching(chat), 'thread_closed', { ...at, user_id: by })
}
