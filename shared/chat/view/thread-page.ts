import { memberBytes } from '../../protocol/budget.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Thread } from '../../protocol/objects.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { eventsRange, lastOrderEver } from '../../table/chat/log-ranges.ts'
import { type Entry, eventOf, type Head, parseEntry, readHead } from '../../table/chat/thread-log.ts'
import type { Reader } from '../../table/ops.ts'
import { queueOf, readQueueFor } from './queue.ts'
import { threadOf } from './wire-objects.ts'

/** Which events of a thread are asked for; without `before` and `after` its newest. */
export interface Page {
  before?: number | undefined
  after?: number | undefined
  limit?: number | undefined
  /** Others are passed over. */
  isShown: (entry: Entry) => boolean
}

/** A thread as read: shown once it is known how much room it has. */
export interface ReadThread {
  last: Entry | Head
  show: (room: number) => Thread
}

// and one more tells whether there are more
const mostAtOnce = limits.eventsPageMax + 1
// of a message of a few words
const smallEventBytes = 150

/**
 * Thread `n` with a page of its events, at most as many as `room` bytes take. Strongly consistent. Throws
 * `not_found` where the chat has no such thread.
 */
export const readThread = async (
  read: Reader,
  chat: Chat,
  n: number,
  page: Page,
  room: number,
): Promise<ReadThread> => {
  const [head, newest, asked, queue] = await Promise.all([
    readHead(read, chat.id, n),
    newestOf(read, chat, n),
    readEvents(read, chat, n, page, room),
    n === chat.thread ? readQueueFor(read, chat.license_id, [chat]) : undefined,
  ])
  if (head === undefined) throw new ProtocolError('not_found')
  // read side by side: either may have seen an event more
  const ends = [...asked.events.slice(-1), ...newest]
  const last = ends.reduce<Entry | Head>((one, other) => (other.m > one.m ? other : one), head)
  const active = n === chat.thread && last.closed !== true
  const forwards = page.after !== undefined
  // an entry that the other read alone has seen is no part of a page that tells of nothing more
  const isToEnd = page.before === undefined && !asked.more
  const lastOrder = isToEnd ? Math.max(asked.end, Math.min(last.m, page.after ?? head.m)) : last.m
  return {
    last,
    show: (share) =>
      threadOf({
        chat: chat.id,
        head,
        active,
        room: share,
        events: asked.events,
        more: asked.more,
        keep: forwards ? 'oldest' : 'newest',
        lastOrder,
        queue: active ? queueOf(queue, chat) : undefined,
      }),
  }
}

const newestOf = async (read: Reader, chat: Chat, n: number): Promise<Entry[]> => {
  const range = { ...eventsRange(chat.id, n, 1, lastOrderEver), backwards: true, limit: 1, strong: true }
  return (await read.query(range)).map(parseEntry)
}

/**
 * Events of a thread, ascending, and no more than the room holds, but one at least; `more` in the direction
 * that is read in; `end`: the highest order that was read, shown or not. How many are read at a time follows
 * from the room: a hundred threads of large events would not fit into a function's memory.
 */
export const readEvents = async (
  read: Reader,
  chat: Pick<Chat, 'id'>,
  n: number,
  { before, after, limit, isShown }: Page,
  room: number,
): Promise<{ events: Entry[]; more: boolean; end: number }> => {
  const forwards = after !== undefined
  const most = limit ?? (before === undefined && !forwards ? Infinity : limits.eventsPage)
  const events: Entry[] = []
  let end = 0
  const answer = (more: boolean) => ({ events: forwards ? events : events.toReversed(), more, end })
  let from = Math.min(after ?? 0, lastOrderEver) + 1
  let to = Math.min(before ?? Infinity, lastOrderEver + 1) - 1
  let average = smallEventBytes
  for (let bytes = 0; from <= to;) {
    const fitting = Math.min(mostAtOnce, Math.ceil((room - bytes) / average))
    const wanted = Math.max(1, Math.min(fitting, most - events.length + 1))
    const range = { ...eventsRange(chat.id, n, from, to), backwards: !forwards, limit: wanted, strong: true }
    const entries = (await read.query(range)).map(parseEntry)
    end = Math.max(end, ...entries.map(({ m }) => m))
    for (const entry of entries.filter(isShown)) {
      bytes += memberBytes(eventOf(chat.id, entry))
      // the first one in any case: there may be more room than was thought
      if (events.length === most || (bytes > room && events.length > 0)) return answer(true)
      events.push(entry)
    }
    if (entries.length < wanted) break
    if (events.length > 0) average = bytes / events.length
    const last = entries.at(-1)?.m ?? 0
    if (forwards) from = last + 1
    else to = last - 1
  }
  return answer(false)
}
