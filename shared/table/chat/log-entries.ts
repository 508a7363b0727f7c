import type { Recipients } from '../../protocol/events.ts'
import type { NewCustomerEvent, NewInitialEvent } from '../../protocol/events.ts'
import type { Properties } from '../../protocol/properties.ts'
import { keys } from '../keys.ts'
import type { Op } from '../ops.ts'
import { absent, exists, put, update } from '../update.ts'
import type { StoredEvent } from './thread-log.ts'
import { authorsOf, type End, type Entry, type Head, isPublic, isSaid, type State } from './thread-log.ts'

// a chat of two has one before each entry's own; each is some 45 bytes of every entry
const mostAuthors = 4

/** The last few authors so far but an entry's own, the latest first; absent: nobody. */
const authorsBefore = (
  last: Pick<End, 'authors' | 'at' | 'event'>,
  own: string | undefined,
): Pick<State, 'authors'> => {
  const others = [...authorsOf(last)].filter(([id]) => id !== own).toSorted(([, a], [, b]) => b - a)
  return others.length === 0 ? {} : { authors: Object.fromEntries(others.slice(0, mostAuthors)) }
}

/** A new thread, before its first event. */
export const newHead = (options: {
  n: number
  nonce: string
  version: number
  at: number
  userIds: string[]
  properties?: Properties | undefined
  /** The end of the log before it. */
  last?: End | undefined
}): Head => ({
  n: options.n,
  m: 0,
  nonce: options.nonce,
  version: options.version,
  at: options.at,
  newest: {},
  visible: 0,
  asked: 0,
  ...(options.last === undefined ? {} : authorsBefore(options.last, undefined)),
  user_ids: new Set(options.userIds),
  properties: options.properties,
})

/** What a customer says asks, whatever any agent says in public answers all of it. */
const askedAfter = (
  last: Pick<State, 'asked'>,
  event: StoredEvent,
  m: number,
  byCustomer: boolean,
): number | undefined => {
  if (!isSaid(event) || !isPublic(event)) return last.asked
  if (!byCustomer) return 0
  return last.asked === undefined || last.asked === 0 ? m : last.asked
}

/** Whether an event ends that its thread is idle: something is said that the customer can see. */
export const endsIdle = (event: StoredEvent): boolean => isSaid(event) && isPublic(event)

const idleAfter = (last: Pick<State, 'idle'>, event: StoredEvent): boolean =>
  event.system_message_type === 'routing.idle' || (last.idle === true && !endsIdle(event))

/** The entry that follows `before`. `at` is when it is written, moved up where a clock ran ahead. */
export const nextEntry = (
  before: { n: number; m: number; last: Omit<End, 'nonce'> },
  event: StoredEvent,
  by: {
    nonce: string
    version: number
    at: number
    /** Whose event it is. */
    byCustomer?: boolean
    closes?: boolean
    closedBy?: string | undefined
  },
): Entry => {
  const { n, last } = before
  const m = before.m + 1
  const newest = { ...last.newest, [event.type]: m }
  const shownBefore = last.shown ?? last.newest
  const shown = isPublic(event) ? { ...shownBefore, [event.type]: m } : shownBefore
  const same = isPublic(event) && last.shown === undefined
  const closedBy = by.closedBy ?? last.closed_by
  const asked = askedAfter(last, event, m, by.byCustomer === true)
  return {
    n,
    m,
    nonce: by.nonce,
    version: by.version,
    at: Math.max(by.at, last.at),
    newest,
    ...(same ? {} : { shown }),
    visible: last.visible + (isPublic(event) ? 1 : 0),
    ...(asked === undefined ? {} : { asked }),
    ...(last.closed === true || by.closes === true ? { closed: true } : {}),
    ...(closedBy === undefined ? {} : { closed_by: closedBy }),
    ...(idleAfter(last, event) ? { idle: true } : {}),
    ...authorsBefore(last, event.author_id),
    event,
  }
}

/** The entries that follow one another from `before` on. */
export const nextEntries = (
  before: { n: number; m: number; last: Omit<End, 'nonce'> },
  events: readonly StoredEvent[],
  by: { nonce: string; version: number; at: number; byCustomer?: boolean },
): Entry[] => {
  const entries: Entry[] = []
  for (const event of events) {
    const last = entries.at(-1)
    entries.push(nextEntry(last === undefined ? before : { n: before.n, m: last.m, last }, event, by))
  }
  return entries
}

export const putHead = (chat: string, { n, m: _, ...head }: Head): Op<'chat'> =>
  put(keys.thread(chat, n), head, absent())

export const putEntry = (chat: string, { n, m, ...entry }: Entry): Op<'chat'> =>
  put(keys.event(chat, n, m), entry, absent())

/** Puts users among the thread's `user_ids`, a set; those who leave stay in it. */
export const setHeadUsers = (chat: string, n: number, userIds: readonly string[]): Op<'chat'> =>
  update(keys.thread(chat, n), { add: { user_ids: new Set(userIds) }, when: exists() })

/** An event as a client sent it, ready to be stored. */
export const storedEvent = (
  event: NewInitialEvent | NewCustomerEvent,
  author: string,
  recipients: Recipients,
): StoredEvent => {
  const { recipients: _, ...rest }: typeof event & { recipients?: unknown } = event
  return {
    ...rest,
    ...(event.type === 'system_message' ? {} : { author_id: author }),
    ...(recipients === 'agents' ? { recipients } : {}),
  }
}
