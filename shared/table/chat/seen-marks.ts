import * as z from 'zod/mini'
import { keys } from '../keys.ts'
import type { Op } from '../ops.ts'
import { absent, absentOr, and, compare, ifNotExists, is, or, update } from '../update.ts'

/**
 * `CHAT#<chat>` / `CHAT#SEEN#<user>`: up to when (Unix seconds) and, where it was an event that was marked,
 * up to which.
 */
export const SeenItem = z.object({
  user: z.string(),
  timestamp: z.int(),
  event: z.optional(z.string()),
  /** What the time was before; -1: there was none. */
  timestamp_before: z.optional(z.int()),
  nonce: z.optional(z.string()),
  /** When (ms) it was moved last. */
  marked_at: z.optional(z.int()),
})

export type SeenItem = z.output<typeof SeenItem>

/** An event of a chat's log: its sort key, which sorts as the log does. */
export const seenEvent = (chat: string, { n, m }: { n: number; m: number }): string =>
  keys.event(chat, n, m).sk

/**
 * Moves up to when a user has seen a chat (Unix seconds) forward, never back; with an `event`, to it: of
 * events of the same second, to a later one. The item keeps what it moved from, so that its writer knows what
 * moved.
 */
export const seenMoved = (
  chat: string,
  user: string,
  to: { timestamp: number; event?: string | undefined; atMs: number },
  nonce: string,
): Op<'chat'> => {
  const { timestamp, event, atMs } = to
  const later = or(absent(), compare('timestamp', '<', timestamp))
  return update(keys.chatSeen(chat, user), {
    set: {
      user,
      timestamp,
      nonce,
      marked_at: atMs,
      timestamp_before: ifNotExists('timestamp', -1),
      // a time says nothing of one event
      event,
    },
    when: event === undefined ? later : or(later, and(is({ timestamp }), absentOr('event', '<', event))),
  })
}
