import { eventFor, scopesFor, usersFor } from '../../access/visibility.ts'
import { jsonBytes, roomBeside, takeThatFit } from '../../protocol/budget.ts'
import type { CustomerChatSummary, CustomerEvent } from '../../protocol/customer-objects.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { tailRange, threadRange } from '../../table/chat/log-ranges.ts'
import { readChatRecord } from '../../table/chat/read-chats.ts'
import { type Entry, eventOf, parseEntry, readTail, type Tail } from '../../table/chat/thread-log.ts'
import { customerChatId, threadId } from '../../table/ids.ts'
import { keys } from '../../table/keys.ts'
import type { Reader } from '../../table/ops.ts'
import type { CustomerSession } from '../../table/sockets.ts'
import { readProfiles } from './profiles.ts'
import { scopesOf, seenUpTo, usersOf } from './wire-objects.ts'

/** A customer's chat in short, with where its log and users stood when it was read. */
interface OwnSummary {
  summary: CustomerChatSummary
  chat: Chat
  thread: number
  order: number
  last: Tail['last']
}

/**
 * The one chat of a customer with its newest `threads`; undefined where it has none yet. Two rounds of reads.
 */
export const summarizeOwn = async (
  read: Reader,
  { license_id, customer_id }: Pick<CustomerSession, 'license_id' | 'customer_id'>,
  { threads }: { threads: number },
): Promise<OwnSummary | undefined> => {
  const id = customerChatId(license_id, customer_id)
  const [record, tail] = await Promise.all([readChatRecord(read, id), readTail(read, id, true)])
  if (record === undefined || tail === undefined) return undefined
  const { chat, properties, seen } = record
  const [profiles, newest, counts] = await Promise.all([
    readProfiles(read, license_id, chat.users),
    newestShown(read, id, tail),
    Promise.all(
      Array.from({ length: Math.min(threads, tail.n) }, (_, i) => countOf(read, id, tail.n - i, tail)),
    ),
  ])
  const base = {
    id,
    order: tail.n,
    users: usersFor(usersOf(chat.users, profiles, seenUpTo(seen, tail.last)), chat),
    properties,
    scopes: scopesFor(scopesOf(chat.scopes)),
    last_threads_summary: counts,
    total_threads: tail.n,
  }
  const room = roomBeside(base) - 2 * jsonBytes(threadId(id, tail.n))
  return {
    summary: { ...base, ...eventsThatFit(threadId(id, tail.n), newest, room) },
    chat,
    thread: tail.n,
    order: tail.m,
    last: tail.last,
  }
}

/** The newest event of each type that a customer sees in the last thread, the newest first. */
const newestShown = async (read: Reader, id: string, tail: Tail): Promise<CustomerEvent[]> => {
  const orders = Object.values(tail.last.shown ?? tail.last.newest)
  const known = (m: number) => tail.entries.find((entry) => entry.m === m)
  const older = orders.filter((m) => known(m) === undefined).map((m) => keys.event(id, tail.n, m))
  const items = older.length === 0 ? [] : await read.batchGet(older, { strong: true })
  const entries: Entry[] = [...orders.flatMap((m) => known(m) ?? []), ...items.map(parseEntry)]
  return entries.toSorted((a, b) => b.m - a.m).flatMap((entry) => eventFor(eventOf(id, entry)))
}

const countOf = async (read: Reader, id: string, n: number, tail: Tail) => {
  const of = { id: threadId(id, n), order: n }
  if (n === tail.n) return { ...of, events_count: tail.last.visible }
  const [last] = await read.query({ ...tailRange(id, true), ...threadRange(id, n), limit: 1 })
  return { ...of, events_count: Number(last?.['visible'] ?? 0) }
}

const eventsThatFit = (
  thread_id: string,
  newest: readonly CustomerEvent[],
  room: number,
): Pick<CustomerChatSummary, 'last_event_per_type' | 'has_more'> => {
  const events = takeThatFit(newest, room, (event) => jsonBytes(event) + 32)
  return {
    ...(events.length === 0
      ? {}
      : {
          last_event_per_type: {
            thread_id,
            events: Object.fromEntries(events.map((event) => [event.type, event])),
          },
        }),
    ...(events.length < newest.length ? { has_more: true } : {}),
  }
}
