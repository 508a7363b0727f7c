import { watching } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Reads } from '../../table/capabilities.ts'
import type { Chat } from '../../table/chat/chats.ts'
import type { SeenItem } from '../../table/chat/seen-marks.ts'
import { authorsOf, type End, readEntry } from '../../table/chat/thread-log.ts'
import { eventId } from '../../table/ids.ts'
import { chatPartOf } from '../../table/key-parts.ts'
import { keys } from '../../table/keys.ts'

/**
 * Tells up to when a user has seen a chat, by its mark and the end of the chat's log, and up to which event
 * where it marked one. Of a mark of the user's own event nothing is told: the event says so itself.
 */
export const announceSeen = async (
  ctx: Pushing<'event_marked_as_seen' | 'last_seen_timestamp_updated'> & Reads,
  chat: Chat,
  { mark, last }: { mark: SeenItem; last: End },
): Promise<void> => {
  const { user, timestamp, event } = mark
  const part = event === undefined ? undefined : chatPartOf({ pk: keys.chat(chat.id).pk, sk: event })
  const entry = part?.item === 'log' ? await readEntry(ctx.read, chat.id, part) : undefined
  if (entry !== undefined && entry.event.author_id === user) return
  if (entry !== undefined)
    ctx.push(watching(chat, entry), 'event_marked_as_seen', {
      chat_id: chat.id,
      event_id: eventId(chat.id, entry.n, entry.m),
      user_id: user,
    })
  ctx.push(watching(chat), 'last_seen_timestamp_updated', {
    user_id: user,
    chat_id: chat.id,
    timestamp: Math.max(timestamp, authorsOf(last).get(user) ?? 0),
  })
}
