import * as z from 'zod/mini'
import {
  contentOf,
  type Event,
  eventTypes,
  FormFields,
  type NewCustomerEvent,
  type NewInitialEvent,
  Recipients,
} from '../protocol/events.ts'
import { PropertiesOutput, type Properties } from '../protocol/properties.ts'
import { chatPk, eventId, keys, logPrefix, threadPrefix } from './keys.ts'
import type { Attributes, Op, Range, Reader } from './ops.ts'

// A chat is a log: `LOG#<n>#0` is thread n, `LOG#<n>#<m>` its event m. The next key, put on condition that it
// does not exist, is the lock: orders have no gaps and no repeats, whoever writes.

/**
 * An event as it is stored: what its key does not say. `content` is JSON text, `recipients` absent means all.
 */
const StoredEvent = z.object({
  type: z.enum(eventTypes),
  custom_id: z.optional(z.string()),
  author_id: z.optional(z.string()),
  recipients: z.optional(Recipients),
  properties: z.optional(PropertiesOutput),
  text: z.optional(z.string()),
  annotation_type: z.optional(z.string()),
  fields: z.optional(FormFields),
  content: z.optional(z.string()),
  system_message_type: z.optional(z.string()),
})
export type StoredEvent = z.output<typeof StoredEvent>

const Newest = z.partialRecord(z.enum(eventTypes), z.int())
type Newest = z.output<typeof Newest>

/** What every entry says of its thread so far, so that the last one tells all without reading the others. */
const state = {
  /** Which request wrote it: a repeated put that finds its own entry in the way has succeeded. */
  nonce: z.string(),
  /** The `version` of the chat in force with it: above the one just read, users have changed in between. */
  version: z.int(),
  /** When it was written, in ms; never below its predecessor's. */
  at: z.int(),
  /** The order of the newest event of each type, for agents, and where it differs for customers. */
  newest: Newest,
  shown: z.optional(Newest),
  /** How many events customers see. */
  visible: z.int(),
  /**
   * The order of the oldest thing that a customer said and no agent has answered since, in public; 0: there
   * is none. Entries of earlier releases do not say.
   */
  asked: z.optional(z.int()),
  closed: z.optional(z.literal(true)),
  /**
   * Nothing has been said for so long that the chat counts as idle; the next thing said in public ends it.
   */
  idle: z.optional(z.literal(true)),
  /** Who closed it, where that was a person. */
  closed_by: z.optional(z.string()),
  /** When (Unix seconds) the last few authors before this entry's own last sent something. */
  authors: z.optional(z.record(z.string(), z.int())),
}
const EntryItem = z.object({ sk: z.string(), ...state, event: StoredEvent })
const HeadItem = z.object({
  sk: z.string(),
  ...state,
  user_ids: z.set(z.string()),
  properties: z.optional(PropertiesOutput),
})

export type State = Omit<z.output<typeof EntryItem>, 'sk' | 'event'>
/** What the last entry of a log says, or the head of a thread without any. */
type End = State & { event?: Pick<StoredEvent, 'author_id'> }
/** Event `m` of thread `n`. */
export type Entry = State & { n: number; m: number; event: StoredEvent }
/** Thread `n` itself. */
export type Head = State & {
  n: number
  m: 0
  user_ids: ReadonlySet<string>
  properties?: Properties | undefined
}

const addressOf = (sk: string): { n: number; m: number } => {
  const [, n, m] = sk.split('#')
  return { n: Number(n), m: Number(m) }
}

/** Whether an item of a log is a thread itself. */
export const isHead = (item: Attributes): boolean => String(item['sk']).endsWith(`#${'0'.repeat(8)}`)

export const parseEntry = (item: Attributes): Entry => {
  const { sk, ...entry } = EntryItem.parse(item)
  return { ...entry, ...addressOf(sk) }
}

export const parseHead = (item: Attributes): Head => {
  const { sk, ...head } = HeadItem.parse(item)
  return { ...head, n: addressOf(sk).n, m: 0 }
}

/**
 * The end of a chat's log: the last thread's newest entries, newest first, and what the last of them says.
 */
export interface Tail {
  n: number
  /** The order of the last event; 0 in a thread without any. */
  m: number
  last: End
  entries: readonly Entry[]
}

/** How far back a tail goes: within it an event sent again is known by its `custom_id` (protocol §5). */
const tailLength = 25

export const tailRange = (chat: string, strong: boolean): Range<'chat'> => ({
  pk: chatPk(chat),
  prefix: logPrefix,
  backwards: true,
  limit: tailLength,
  strong,
})

export const parseTail = (items: readonly Attributes[]): Tail | undefined => {
  const [newest] = items
  if (newest === undefined) return undefined
  const { n, m } = addressOf(String(newest['sk']))
  const entries = items
    .filter((item) => !isHead(item))
    .map(parseEntry)
    .filter((entry) => entry.n === n)
  return { n, m, last: entries[0] ?? parseHead(newest), entries }
}

export const readTail = async (read: Reader, chat: string, strong: boolean): Promise<Tail | undefined> =>
  parseTail(await read.query(tailRange(chat, strong)))

export const readHead = async (read: Reader, chat: string, n: number): Promise<Head | undefined> => {
  const item = await read.get(keys.thread(chat, n), { strong: true })
  return item === undefined ? undefined : parseHead(item)
}

/** The last entry of a chat's log. */
export const readLast = async (read: Reader, chat: string, strong: boolean): Promise<End | undefined> =>
  parseTail(await read.query({ ...tailRange(chat, strong), limit: 1 }))?.last

/** The entries of a thread from one on, ascending, at most `limit`. Strongly consistent. */
export const readEntriesFrom = async (
  read: Reader,
  chat: string,
  { n, m }: { n: number; m: number },
  limit: number,
): Promise<Entry[]> => {
  const range = eventsRange(chat, n, m, lastOrderEver)
  return (await read.query({ ...range, limit, strong: true })).map(parseEntry)
}

export const readEntry = async (
  read: Reader,
  chat: string,
  { n, m }: { n: number; m: number },
): Promise<Entry | undefined> => {
  // entries never change: one that an eventually consistent read has is right
  for (const strong of [false, true]) {
    const item = await read.get(keys.event(chat, n, m), { strong })
    if (item !== undefined) return parseEntry(item)
  }
  return undefined
}

/** When (Unix seconds) the last few authors of a log last sent something: by then they have seen the chat. */
export const authorsOf = ({ authors = {}, at, event }: Pick<End, 'authors' | 'at' | 'event'>) =>
  new Map([
    ...Object.entries(authors),
    ...(event?.author_id === undefined ? [] : [[event.author_id, Math.floor(at / 1000)] as const]),
  ])

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

const isPublic = (event: StoredEvent): boolean => event.recipients !== 'agents'

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

const said = ['message', 'filled_form', 'custom'] as const
/** Whether an event is something that somebody says: annotations and system messages prolong no thread. */
export const isSaid = ({ type }: Pick<StoredEvent, 'type'>): boolean => said.some((one) => one === type)

const newestSaid = (newest: Newest): number => Math.max(0, ...said.map((type) => newest[type] ?? 0))

/** The order of the last thing said in a thread; 0 where nothing was. */
export const lastSaid = ({ newest }: Pick<State, 'newest'>): number => newestSaid(newest)

/** The same of what customers see. */
export const lastSaidInPublic = ({ newest, shown }: Pick<State, 'newest' | 'shown'>): number =>
  newestSaid(shown ?? newest)

/**
 * Whether nobody has answered a thread's customer: it has said something since, or nobody has said anything.
 */
export const awaitsAnswer = (last: Pick<State, 'asked' | 'newest' | 'shown'>): boolean =>
  last.asked === undefined || last.asked > 0 || lastSaidInPublic(last) === 0

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

export const putHead = (chat: string, { n, m: _, ...head }: Head): Op<'chat'> => ({
  Put: { Item: { ...keys.thread(chat, n), ...head }, ConditionExpression: 'attribute_not_exists(pk)' },
})

export const putEntry = (chat: string, { n, m, ...entry }: Entry): Op<'chat'> => ({
  Put: { Item: { ...keys.event(chat, n, m), ...entry }, ConditionExpression: 'attribute_not_exists(pk)' },
})

/** Puts users among the thread's `user_ids`, a set; those who leave stay in it. */
export const setHeadUsers = (chat: string, n: number, userIds: readonly string[]): Op<'chat'> => ({
  Update: {
    Key: keys.thread(chat, n),
    UpdateExpression: 'ADD user_ids :users',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':users': new Set(userIds) },
  },
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

/** An event as agents see it. */
export const eventOf = (chat: string, entry: Entry): Event => {
  const { n, m, at, event } = entry
  const common = {
    id: eventId(chat, n, m),
    custom_id: event.custom_id,
    order: m,
    author_id: event.author_id,
    timestamp: Math.floor(at / 1000),
    recipients: event.recipients ?? 'all',
    properties: event.properties,
  }
  switch (event.type) {
    case 'message':
      return { ...common, type: 'message', text: event.text ?? '' }
    case 'annotation':
      return { ...common, type: 'annotation', annotation_type: event.annotation_type ?? '', text: event.text }
    case 'filled_form':
      return { ...common, type: 'filled_form', fields: event.fields ?? [] }
    case 'custom':
      return { ...common, type: 'custom', content: contentOf(event.content ?? '{}') }
    case 'system_message':
      return {
        ...common,
        type: 'system_message',
        text: event.text ?? '',
        system_message_type: event.system_message_type ?? '',
      }
  }
}

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
