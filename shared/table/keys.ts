import { networkOf } from './networks.ts'
import { createHash } from 'node:crypto'
import type { Family } from '../protocol/action.ts'
import type { families } from './families.ts'

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
const part = (id: string | number): string => String(id).replaceAll('%', '%25').replaceAll('#', '%23')
const unpart = (escaped: string): string => escaped.replaceAll('%23', '#').replaceAll('%25', '%')

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
const chatPrefix = 'CHAT'

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
  /** How many active chats an agent is in. */
  load: (license: string, agent: string): Key<'loads'> => ({ pk: loadsPk(license), sk: part(agent) }),

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
export const manifestPrefix = 'INDEX#'
/**
 * How partition keys begin that are a license's alone, beside its own one: its lists, its customers, its
 * index.
 */
export const licensePrefixes = (license: string): readonly string[] => [
  `${licensePk(license)}#`,
  customersPrefix(license),
  `INDEX#${part(license)}#`,
]
export const customersPrefix = (license: string): string => `CUSTOMER#${part(license)}#`
export const wordsPrefix = (n: number): string => `WORDS#${numbered(n)}#`
/** The number that a key of a portion of words ends with, or of a manifest. */
export const lastNumberOf = ({ sk }: { sk?: unknown }): number => Number(String(sk).split('#').at(-1))

export const socketsPk = (license: string): Pk<'agentSockets'> => pkOf(`LICENSE#${part(license)}#SOCKETS`)
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
export const devicePk = (hash: string): Pk<'device'> => pkOf(`DEVICE#${part(hash)}`)
export const chatPk = (chat: string): Pk<'chat'> => pkOf(`CHAT#${part(chat)}`)
export const threadPrefix = (n: number): string => `${logPrefix}${numbered(n)}#`
/** The sockets of one agent in its license's list. */
export const agentSocketsPrefix = (agent: string): string => `${part(agent)}#`
/** The devices of one agent of a license. */
export const agentDevicesPrefix = (agent: string): string => `${devicePrefix}${part(agent)}#`

/**
 * What a changed item is, from its key alone: the stream's workers read it. Undefined: of no concern to them.
 */
export type Changed =
  | { item: 'license'; license: string }
  | { item: 'agent'; license: string; agent: string }
  | { item: 'agentSocket'; license: string; agent: string; connection: string }
  | { item: 'customer'; license: string; customer: string }
  | { item: 'customerSocket'; license: string; customer: string; connection: string }

export const changedOf = ({ pk, sk }: RawKey): Changed | undefined => {
  const [table, escapedLicense, list, ...rest] = pk.split('#')
  if (table === 'CUSTOMER' && escapedLicense !== undefined && list !== undefined) {
    const who = { license: unpart(escapedLicense), customer: unpart(list) }
    return rest.length === 0
      ? { item: 'customer', ...who }
      : { item: 'customerSocket', ...who, connection: unpart(sk) }
  }
  if (table !== 'LICENSE' || escapedLicense === undefined || rest.length > 0) return undefined
  const license = unpart(escapedLicense)
  const [first = '', second = ''] = sk.split('#')
  if (list === 'SOCKETS')
    return { item: 'agentSocket', license, agent: unpart(first), connection: unpart(second) }
  if (list !== undefined) return undefined
  if (sk === 'LICENSE') return { item: 'license', license }
  return first === 'AGENT' ? { item: 'agent', license, agent: unpart(second) } : undefined
}

/** What of a chat an item is, as far as the index goes by it, from its key alone. */
export type ChatPart =
  | { item: 'chat' | 'properties'; chat: string }
  /** Event `m` of thread `n`; 0: the thread itself. */
  | { item: 'log'; chat: string; n: number; m: number }

export const chatPartOf = (key: RawKey): ChatPart | undefined => {
  const [table, chat, ...rest] = key.pk.split('#')
  if (table !== 'CHAT' || chat === undefined || rest.length > 0) return undefined
  const id = unpart(chat)
  if (key.sk === chatPrefix) return { item: 'chat', chat: id }
  if (key.sk === keys.chatProperties(id).sk) return { item: 'properties', chat: id }
  const [, n, m] = key.sk.split('#')
  return key.sk.startsWith(logPrefix) ? { item: 'log', chat: id, n: Number(n), m: Number(m) } : undefined
}

/** The user whose mark in a chat an item is, from its key alone. */
export const seenPartOf = ({ pk, sk }: RawKey): { chat: string; user: string } | undefined => {
  const [table, chat, ...rest] = pk.split('#')
  const [first, second, user] = sk.split('#')
  const isMark = table === 'CHAT' && first === chatPrefix && second === 'SEEN' && rest.length === 0
  return isMark && chat !== undefined && user !== undefined
    ? { chat: unpart(chat), user: unpart(user) }
    : undefined
}

/** Whether an item is a customer, from its key alone. */
export const isCustomerKey = ({ sk }: { sk?: unknown }): boolean => sk === 'CUSTOMER'

/** The chat that an entry of a log is in, from its key alone; undefined: it is none. */
export const chatOfEntry = (key: RawKey): string | undefined => {
  const part = chatPartOf(key)
  return part?.item === 'log' ? part.chat : undefined
}

/** The addresses that thread and event ids are: `<chat>_<n>` and `<chat>_<n>_<m>`. */
export const threadId = (chat: string, n: number): string => `${chat}_${n}`
export const eventId = (chat: string, n: number, m: number): string => `${chat}_${n}_${m}`

const number = '([1-9][0-9]{0,7})'
const chatIdPattern = /^[0-9a-z]{1,64}$/
const eventIdPattern = new RegExp(`^([0-9a-z]{1,64})_${number}_${number}$`)
const threadIdPattern = new RegExp(`^([0-9a-z]{1,64})_${number}$`)

/** Whether an id from a client can be one of a chat: others are not even looked up. */
export const isChatId = (id: unknown): id is string => typeof id === 'string' && chatIdPattern.test(id)

/** The chat and the number of the thread that an id is of; undefined: it is none of a thread. */
export const addressOfThread = (id: string): { chat: string; n: number } | undefined => {
  const [, chat, n] = threadIdPattern.exec(id) ?? []
  return chat === undefined ? undefined : { chat, n: Number(n) }
}

/** The chat that a thread's id is of; empty where it is none of a thread. */
export const chatOfThread = (id: string): string => addressOfThread(id)?.chat ?? ''

/** The number of the thread that `id` names in this chat; undefined: no thread of it has this id. */
export const threadOf = (chat: string, id: string): number | undefined => {
  const address = addressOfThread(id)
  return address?.chat === chat ? address.n : undefined
}

/**
 * The numbers of the event that `id` names in this chat, and of its thread; undefined: none of it has this
 * id.
 */
export const eventAddressOf = (chat: string, id: string): { n: number; m: number } | undefined => {
  const [, owner, n, m] = eventIdPattern.exec(id) ?? []
  return owner === chat ? { n: Number(n), m: Number(m) } : undefined
}

/**
 * The one chat of a customer: a function of both ids, so that its first put is the lock on "one chat". Longer
 * than any other chat's id.
 */
export const customerChatId = (license: string, customer: string): string =>
  BigInt(
    `0x${createHash('sha256')
      .update(JSON.stringify([license, customer]))
      .digest('hex')}`,
  )
    .toString(36)
    .padStart(50, '0')
