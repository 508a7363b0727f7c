import * as z from 'zod/mini'
import { trueOrAbsent } from '../../protocol/objects.ts'
import { contentOf, type Event, eventTypes, FormFields, Recipients } from '../../protocol/events.ts'
import { type Properties, PropertiesOutput } from '../../protocol/properties.ts'
import { eventId } from '../ids.ts'
import { keys } from '../keys.ts'
import type { Attributes, Reader } from '../ops.ts'
import { eventsRange, lastOrderEver, tailRange } from './log-ranges.ts'

// A chat is a log: `LOG#<n>#0` is thread n, `LOG#<n>#<m>` its event m. The next key, put on condition that it
// does not exist, is the lock: orders have no gaps and no repeats, whoever writes.

/**
 * An event as it is stored: what its key does not say. `content` is JSON text, `recipients` absent means all.
 */
export const StoredEvent = z.object({
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
  closed: trueOrAbsent,
  /**
   * Nothing has been said for so long that the chat counts as idle; the next thing said in public ends it.
   */
  idle: trueOrAbsent,
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
  tags: z.optional(z.array(z.string())),
  tags_version: z.optional(z.int()),
})

export type State = Omit<z.output<typeof EntryItem>, 'sk' | 'event'>

/** What the last entry of a log says, or the head of a thread without any. */
export type End = State & { event?: Pick<StoredEvent, 'author_id'> }

/** Event `m` of thread `n`. */
export type Entry = State & { n: number; m: number; event: StoredEvent }

/** Thread `n` itself. */
export type Head = State & {
  n: number
  m: 0
  user_ids: ReadonlySet<string>
  properties?: Properties | undefined
  tags?: string[] | undefined
  /** Raised by every change of the tags; absent before the first. */
  tags_version?: number | undefined
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

/** Whether an event is for customers as well as for agents. */
export const isPublic = ({ recipients }: Pick<StoredEvent, 'recipients'>): boolean => recipients !== 'agents'

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
