import type { Family } from '../protocol/action.ts'
import type { families } from './families.ts'
import { networkOf } from './networks.ts'

// The whole key design: every pk and sk of the table is made here, and nowhere else.

/** A key as it was read: of whichever family. */
export interface RawKey {
  readonly pk: string
  readonly sk: string
}

/** A text that a pattern stands for. */
type Filled<Pattern extends string> = Pattern extends `${infer Before}*${infer After}`
  ? `${Before}${string}${Filled<After>}`
  : Pattern

declare const family: unique symbol

/** A partition key of a family; the mark is in its type alone. */
export type Pk<F extends Family = Family> = string & { readonly [family]: F }

export interface Key<F extends Family = Family> extends RawKey {
  readonly pk: Pk<F>
}

/** The longest partition key, in bytes of UTF-8. */
export const keyBytes = 2048

/** Ids from outside become parts of keys: a `#` in one must never cross into the next part. */
export const part = (id: string | number): string => String(id).replaceAll('%', '%25').replaceAll('#', '%23')

export const unpart = (escaped: string): string => escaped.replaceAll('%23', '#').replaceAll('%25', '%')

/** A partition key as its family's pattern has it. */
const pkOf = <F extends Family>(text: Filled<(typeof families)[F]>): Pk<F> =>
  // of which family a text is no type can show
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
  text as string as Pk<F>

/** Zero-padded, so that keys sort as numbers do. */
const numbered = (n: number): string => String(n).padStart(8, '0')

export const licensesPk = pkOf<'licenses'>('LICENSES')

export const licensePk = (license: string): Pk<'account'> => pkOf(`LICENSE#${part(license)}`)

export const agentPrefix = 'AGENT#'

export const groupPrefix = 'GROUP#'

export const logPrefix = 'LOG#'

/** Of devices under their license. */
export const devicePrefix = 'DEVICE#'

export const chatPrefix = 'CHAT'

export const keys = {
  licenseListed: (license: string): Key<'licenses'> => ({ pk: licensesPk, sk: part(license) }),
  license: (license: string): Key<'account'> => ({ pk: licensePk(license), sk: 'LICENSE' }),
  group: (license: string, group: number): Key<'account'> => ({
    pk: licensePk(license),
    sk: `${groupPrefix}${group}`,
  }),
  agent: (license: string, agent: string): Key<'account'> => ({
    pk: licensePk(license),
    sk: `${agentPrefix}${part(agent)}`,
  }),
  identity: (issuer: string, subject: string): Key<'identity'> => ({
    pk: pkOf(`IDENTITY#${part(issuer)}#${part(subject)}`),
    sk: 'IDENTITY',
  }),

  customer: (license: string, customer: string): Key<'customer'> => ({
    pk: pkOf(`CUSTOMER#${part(license)}#${part(customer)}`),
    sk: 'CUSTOMER',
  }),
  /** A live socket of a customer. */
  customerSocket: (license: string, customer: string, connection: string): Key<'customerSockets'> => ({
    pk: customerSocketsPk(license, customer),
    sk: part(connection),
  }),
  /** What somebody has done in one minute: an address, a user, a license. */
  minute: <F extends 'address' | 'count'>(pk: Pk<F>, minute: number): Key<F> => ({
    pk,
    sk: `MINUTE#${minute}`,
  }),

  /** What a user has shown of itself by an action and is still to be told. */
  pending: (pk: Pk<'count'>, action: string): Key<'count'> => ({ pk, sk: `PENDING#${action}` }),

  socket: (connection: string): Key<'socket'> => ({ pk: pkOf(`SOCKET#${part(connection)}`), sk: 'SOCKET' }),
  /** A live socket of an agent, in its license's list. */
  agentSocket: (license: string, agent: string, connection: string): Key<'agentSockets'> => ({
    pk: socketsPk(license),
    sk: `${part(agent)}#${part(connection)}`,
  }),
  /** The same in one of the lists by which audiences are read. */
  audienceRow: (license: string, place: string, agent: string, connection: string): Key<'audience'> => ({
    pk: audiencePk(license, listOfPlace(place)),
    sk: `${place.slice(0, placeLength)}${part(agent)}#${part(connection)}`,
  }),

  /** A mobile device, by the hash of its token. */
  device: (hash: string): Key<'device'> => ({ pk: devicePk(hash), sk: 'DEVICE' }),
  /** The same under its agent. */
  agentDevice: (license: string, agent: string, hash: string): Key<'account'> => ({
    pk: licensePk(license),
    sk: `${agentDevicesPrefix(agent)}${part(hash)}`,
  }),
  /** That a device was notified of an event, or is about to be. */
  notified: (hash: string, event: string): Key<'device'> => ({
    pk: devicePk(hash),
    sk: `NOTIFIED#${part(event)}`,
  }),

  chat: (chat: string): Key<'chat'> => ({ pk: chatPk(chat), sk: chatPrefix }),
  chatProperties: (chat: string): Key<'chat'> => ({ pk: chatPk(chat), sk: 'CHAT#PROPS' }),
  /** Up to when a user has seen the chat. */
  chatSeen: (chat: string, user: string): Key<'chat'> => ({
    pk: chatPk(chat),
    sk: `CHAT#SEEN#${part(user)}`,
  }),
  /** Thread `n` itself. */
  thread: (chat: string, n: number): Key<'chat'> => keys.event(chat, n, 0),
  /** Event `m` of thread `n`, from 1. */
  event: (chat: string, n: number, m: number): Key<'chat'> => ({
    pk: chatPk(chat),
    sk: `${threadPrefix(n)}${numbered(m)}`,
  }),
  chatListed: (license: string, chat: string): Key<'chats'> => ({ pk: chatsPk(license), sk: part(chat) }),
  activeChat: (license: string, chat: string): Key<'activeChats'> => ({
    pk: activePk(license),
    sk: part(chat),
  }),
  waitingChat: (license: string, chat: string): Key<'waitingChats'> => ({
    pk: waitingPk(license),
    sk: part(chat),
  }),
  /** That a chat changed in a slot of time, which is a number. */
  changedChat: (license: string, slot: number, chat: string): Key<'changedChats'> => ({
    pk: changedPk(license),
    sk: `${changedPrefix(slot)}CHAT#${part(chat)}`,
  }),
  /** The same of a customer's ban. */
  changedBan: (license: string, slot: number, customer: string): Key<'changedChats'> => ({
    pk: changedPk(license),
    sk: `${changedPrefix(slot)}BAN#${part(customer)}`,
  }),
  /** How many active chats an agent is in. */
  load: (license: string, agent: string): Key<'loads'> => ({ pk: loadsPk(license), sk: part(agent) }),
  /** Whether somebody is there for each of its groups. */
  groupStatuses: (license: string): Key<'groupStatuses'> => ({
    pk: pkOf(`STATUS#${part(license)}#GROUPS`),
    sk: 'GROUPS',
  }),

  /** That what `place` is of stands in a list of the index. */
  posting: (license: string, list: string, place: { at: number; id: string }): Key<'postings'> => ({
    pk: postingsPk(license, list, monthOf(place.at)),
    sk: postingSk(place),
  }),
  /** In which lists thread `n` of a chat stands; 0: the chat itself. Must not end as a thread's key does. */
  manifest: (chat: string, n: number): Key<'chat'> => ({ pk: chatPk(chat), sk: `${manifestPrefix}${n}` }),
  /** The `k`th portion of the words that thread `n` is found by; nor must this. */
  words: (chat: string, n: number, k: number): Key<'chat'> => ({
    pk: chatPk(chat),
    sk: `${wordsPrefix(n)}${String(k).padStart(4, '0')}`,
  }),
  /** That counts were kept of a month of a list. */
  mark: (license: string, list: string, month: string): Key<'marks'> => ({
    pk: marksPk(license, list),
    sk: month,
  }),
  /** How many are found in a month by a search, which is named by its hash. */
  keptCount: (license: string, search: string, month: string): Key<'keptCounts'> => ({
    pk: keptCountsPk(license, search),
    sk: month,
  }),
  /** The positions of a license's waiting chats, as they were told. */
  queue: (license: string): Key<'account'> => ({ pk: licensePk(license), sk: 'QUEUE' }),
  /** How long chats wait for an agent, and when their positions are told. */
  queueTimes: (license: string): Key<'account'> => ({ pk: licensePk(license), sk: 'QUEUE#TIMES' }),
  /** How far a rebuilding of a license's index has come. */
  reindexing: (license: string): Key<'account'> => ({ pk: licensePk(license), sk: 'REINDEX' }),
}

/** The month (UTC) of a time in ms, as `2026-11`. */
export const monthOf = (at: number): string => new Date(at).toISOString().slice(0, 7)

// the index's lists are read from the newest on: sort keys count down
const latestMs = 9_999_999_999_999

/** Where in a month of a list something of this time (ms) stands. */
export const postingSk = ({ at, id }: { at: number; id: string }): string => `${postingSkAt(at)}${part(id)}`

/** Before everything of this time (ms), and behind everything later. */
export const postingSkAt = (at: number): string => `${String(latestMs - at).padStart(13, '0')}#`

/** What stands there. */
export const placeOfPosting = (sk: string): { at: number; id: string } => ({
  at: latestMs - Number(sk.slice(0, 13)),
  id: unpart(sk.slice(14)),
})

/** Right behind a posting, and before the next one. */
export const behind = (sk: string): string => `${sk}!`

export const postingsPk = (license: string, list: string, month: string): Pk<'postings'> =>
  pkOf(`INDEX#${part(license)}#LIST#${part(list)}#${month}`)

export const marksPk = (license: string, list: string): Pk<'marks'> =>
  pkOf(`INDEX#${part(license)}#MARKS#${part(list)}`)

export const keptCountsPk = (license: string, search: string): Pk<'keptCounts'> =>
  pkOf(`INDEX#${part(license)}#COUNTS#${part(search)}`)

/** Of the words of any thread. */
export const anyWordsPrefix = 'WORDS#'
export const wordsPrefix = (n: number): string => `${anyWordsPrefix}${numbered(n)}#`
export const manifestPrefix = 'INDEX#'

export const socketsPk = (license: string): Pk<'agentSockets'> => pkOf(`LICENSE#${part(license)}#SOCKETS`)

/**
 * A list of a license's connections whose agents may hear of the same chats; those that hear what is said in
 * them stand apart in it from those that hear only that they begin, change and end.
 */
export const audiencePk = (license: string, list: string): Pk<'audience'> =>
  pkOf(`AUDIENCE#${part(license)}#${part(list)}`)

/** What a connection hears of chats that its agent is not in. */
export type Hears = 'content' | 'lifecycle'

export const hearsPrefix = (hears: Hears): string => (hears === 'content' ? 'C#' : 'L#')
const placeLength = hearsPrefix('content').length

/** The list that a place is in. */
export const listOfPlace = (place: string): string => place.slice(placeLength)

/** A place in a list of audiences, as short as every row of a connection names it. */
export const placeIn = (list: string, hears: Hears): string => `${hearsPrefix(hears)}${list}`

export const chatsPk = (license: string): Pk<'chats'> => pkOf(`LICENSE#${part(license)}#CHATS`)

export const loadsPk = (license: string): Pk<'loads'> => pkOf(`LICENSE#${part(license)}#LOAD`)

export const customerSocketsPk = (license: string, customer: string): Pk<'customerSockets'> =>
  pkOf(`CUSTOMER#${part(license)}#${part(customer)}#SOCKETS`)

/** A site has a `/64` of IPv6 to itself: what comes from any address of it counts as one. */
export const addressPk = (ip: string): Pk<'address'> => pkOf(`ADDRESS#${part(networkOf(ip))}`)

export const chatCounterPk = (chat: string): Pk<'count'> => pkOf(`COUNT#CHAT#${part(chat)}`)

export const agentCounterPk = (license: string, agent: string): Pk<'count'> =>
  pkOf(`COUNT#AGENT#${part(`${license}#${agent}`)}`)

export const licenseCounterPk = (license: string): Pk<'count'> => pkOf(`COUNT#LICENSE#${part(license)}`)

export const activePk = (license: string): Pk<'activeChats'> => pkOf(`LICENSE#${part(license)}#ACTIVE`)

export const waitingPk = (license: string): Pk<'waitingChats'> => pkOf(`LICENSE#${part(license)}#WAITING`)

export const changedPk = (license: string): Pk<'changedChats'> => pkOf(`LICENSE#${part(license)}#CHANGED`)

/** Everything that changed in a slot. */
export const changedPrefix = (slot: number): string => `${numbered(slot)}#`

export const devicePk = (hash: string): Pk<'device'> => pkOf(`DEVICE#${part(hash)}`)

export const chatPk = (chat: string): Pk<'chat'> => pkOf(`CHAT#${part(chat)}`)

export const threadPrefix = (n: number): string => `${logPrefix}${numbered(n)}#`

/** The sockets of one agent in its license's list. */
export const agentSocketsPrefix = (agent: string): string => `${part(agent)}#`

/** The devices of one agent of a license. */
export const agentDevicesPrefix = (agent: string): string => `${devicePrefix}${part(agent)}#`
