import { chatPk, keys, logPrefix, threadPrefix } from '../keys.ts'
import type { Range } from '../ops.ts'

/** How far back a tail goes: within it an event sent again is known by its `custom_id` (protocol §5). */
const tailLength = 25

export const tailRange = (chat: string, strong: boolean): Range<'chat'> => ({
  pk: chatPk(chat),
  prefix: logPrefix,
  backwards: true,
  limit: tailLength,
  strong,
})

/** Orders have eight digits in keys. */
export const lastOrderEver = 99_999_999

/** Events `from` to `to` of a thread, both included. */
export const eventsRange = (chat: string, n: number, from: number, to: number): Range<'chat'> => ({
  pk: chatPk(chat),
  from: keys.event(chat, n, from).sk,
  to: keys.event(chat, n, to).sk,
})

/** A thread with all its events: its head is the first item. */
export const threadRange = (chat: string, n: number): Range<'chat'> => ({
  pk: chatPk(chat),
  prefix: threadPrefix(n),
})
