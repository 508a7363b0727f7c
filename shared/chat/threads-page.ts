import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Thread } from '../protocol/objects.ts'
import type { Chat } from '../table/chats.ts'
import { type Entry, eventsRange, type Head, parseEntry, readHead } from '../table/log.ts'
import type { Reader } from '../table/ops.ts'
import { jsonBytes } from './room.ts'
import { threadOf } from './views.ts'

/** Which events of a thread are asked for; without `before` and `after` its newest. */
export interface Page {
  before?: number | undefined
  after?: number | undefined
  limit?: number | undefined
}

/** A thread as read: shown once it is known how much room it has. */
export interface ReadThread {
  show(room: number): Thread
}

// orders have eight digits in keys
const lastOrderEver = 99_999_999
const firstPage = 100

/**
 * Thread `n` with a page of its events, at most as many as `room` bytes take. Strongly consistent. Throws `not_found`
 * where the chat has no such thread.
 */
export const readThread = async (
  read: Reader,
  chat: Chat,
  n: number,
  page: Page,
  room: number,
): Promise<ReadThread> => {
  const [head, newest, asked] = await Promise.all([
    readHead(read, chat.id, n),
    newestOf(read, chat, n, 1),
    eventsOf(read, chat, n, page, room),
  ])
  if (head === undefined) throw new ProtocolError('not_found')
  const last: Entry | Head = newest[0] ?? head
  const active = n === chat.thread && last.closed !== true
  const forwards = page.after !== undefined
  return {
    show: (share) =>
      threadOf({
        chat: chat.id,
        head,
        active,
        room: share,
        events: asked.events,
        more: asked.more,
        keep: forwards ? 'oldest' : 'newest',
        lastOrder: last.m,
      }),
  }
}

const newestOf = async (read: Reader, chat: Chat, n: number, limit: number): Promise<Entry[]> => {
  const range = { ...eventsRange(chat.id, n, 1, lastOrderEver), backwards: true, limit, strong: true }
  return (await read.query(range)).map(parseEntry)
}

/** Ascending; `more` in the direction that is read in. */
const eventsOf = async (
  read: Reader,
  chat: Chat,
  n: number,
  { before, after, limit }: Page,
  room: number,
): Promise<{ events: Entry[]; more: boolean }> => {
  if (after !== undefined) {
    if (after >= lastOrderEver) return { events: [], more: false }
    const size = limit ?? limits.eventsPage
    const range = eventsRange(chat.id, n, after + 1, lastOrderEver)
    const entries = (await read.query({ ...range, limit: size + 1, strong: true })).map(parseEntry)
    return { events: entries.slice(0, size), more: entries.length > size }
  }
  const size = limit ?? (before === undefined ? undefined : limits.eventsPage)
  const events: Entry[] = []
  let next = Math.min(before ?? Infinity, lastOrderEver + 1) - 1
  for (let bytes = 0; next > 0 && bytes < room;) {
    const wanted = size === undefined ? firstPage : size - events.length
    if (wanted === 0) break
    const range = { ...eventsRange(chat.id, n, 1, next), backwards: true, limit: wanted, strong: true }
    const entries = (await read.query(range)).map(parseEntry)
    events.push(...entries)
    bytes += jsonBytes(entries)
    next = entries.length < wanted ? 0 : (entries.at(-1)?.m ?? 1) - 1
  }
  return { events: events.toReversed(), more: (events.at(-1)?.m ?? 1) > 1 }
}
