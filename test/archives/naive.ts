import { createHash } from 'node:crypto'
import { isIndexed, wordsIn } from '../../shared/archive/index/words.ts'
import type { Properties, PropertyValue } from '../../shared/protocol/properties.ts'
import { ChatItem, type Chat, type ChatScopes } from '../../shared/table/chat/chats.ts'
import { type ChatUser } from '../../shared/table/chat/chat-users.ts'
import { readChatIds } from '../../shared/table/chat/read-chats.ts'
import { chatPk } from '../../shared/table/keys.ts'
import { parseEntry, parseHead, type StoredEvent } from '../../shared/table/chat/thread-log.ts'
import type { Attributes, Reader } from '../../shared/table/ops.ts'

// What searches must find, and what must stand in the index, worked out from chats as they are: everything is
// looked at, every time. Of the code under test it takes nothing but what a word is.

export interface ThreadModel {
  n: number
  /** When it began, in ms. */
  at: number
  userIds: ReadonlySet<string>
  properties: Properties
  /** Absent: none. */
  tags?: readonly string[]
  /** In order. */
  events: readonly StoredEvent[]
}

export interface ChatModel {
  id: string
  users: readonly ChatUser[]
  scopes: ChatScopes
  properties: Properties
  active: boolean
  /** By number, from 1. */
  threads: readonly ThreadModel[]
}

/** An agent who searches; `scopes`: those of a restricted token. */
export interface Searcher {
  id: string
  permission: 'owner' | 'administrator' | 'normal'
  groups: readonly number[]
  scopes?: readonly string[]
}

const isIn = ({ id }: Searcher, { users }: Pick<ChatModel, 'users'>): boolean =>
  users.some((user) => user.id === id && user.present && user.type !== 'customer')

/** Protocol §4: access, and what is left of it by a token. */
export const sees = (searcher: Searcher, chat: Pick<ChatModel, 'users' | 'scopes'>): boolean => {
  const { id, permission, groups, scopes: granted } = searcher
  const isAdministrator = permission === 'owner' || permission === 'administrator'
  const { groups: teams, agents } = chat.scopes
  const hasAccess =
    isAdministrator ||
    isIn(searcher, chat) ||
    teams.length + agents.length === 0 ||
    agents.includes(id) ||
    teams.some((team) => groups.includes(team))
  const isGranted =
    granted === undefined ||
    granted.includes('chats--chat_scopes:read') ||
    (granted.includes('chats--all:read') && isAdministrator) ||
    (granted.includes('chats--my:read') && isIn(searcher, chat))
  return hasAccess && isGranted
}

const mostOfMessage = 200
const mostOfThread = 2000

const known = new WeakMap<ThreadModel, ReadonlySet<string>>()
/**
 * Protocol §5 and the limits of the index: so many words of a message, so many of a thread, the first ones.
 */
export const wordsOf = (thread: ThreadModel): ReadonlySet<string> => {
  const cached = known.get(thread)
  if (cached !== undefined) return cached
  const words = new Set<string>()
  for (const { type, text = '' } of thread.events) {
    if (type !== 'message') continue
    const ofMessage = [...new Set(wordsIn(text).filter(isIndexed))].slice(0, mostOfMessage)
    for (const word of ofMessage) if (words.size < mostOfThread) words.add(word)
  }
  known.set(thread, words)
  return words
}

const propertyOf = (properties: Properties, namespace: string, name: string): PropertyValue | undefined =>
  new Map(Object.entries(new Map(Object.entries(properties)).get(namespace) ?? {})).get(name)?.value

export type PropertyAsked =
  { exists: boolean } | { values: PropertyValue[] } | { exclude_values: PropertyValue[] }
/** By `namespace.name`. */
export type PropertiesAsked = Record<string, PropertyAsked>

const hasProperties = (properties: Properties, asked: PropertiesAsked = {}): boolean =>
  Object.entries(asked).every(([dotted, filter]) => {
    const [namespace = '', ...rest] = dotted.split('.')
    const value = propertyOf(properties, namespace, rest.join('.'))
    if ('exists' in filter) return (value !== undefined) === filter.exists
    if ('values' in filter) return filter.values.some((one) => one === value)
    return filter.exclude_values.every((one) => one !== value)
  })

const hasTags = (
  tags: readonly string[] = [],
  { exists, values, exclude_values = [] }: NonNullable<ArchiveFilters['tags']> = {},
): boolean =>
  (exists === undefined || exists === tags.length > 0) &&
  (values === undefined || tags.some((tag) => values.includes(tag))) &&
  !tags.some((tag) => exclude_values.includes(tag))

/** As `get_archives` takes them. */
export interface ArchiveFilters {
  query?: string
  date_from?: string
  date_to?: string
  agent_ids?: string[]
  agents?: string[]
  customer_ids?: string[]
  team_ids?: number[]
  properties?: PropertiesAsked
  tags?: { exists?: boolean; values?: string[]; exclude_values?: string[] }
}

interface Dated {
  id: string
  at: number
}
const newestFirst = (one: Dated, other: Dated): number =>
  other.at - one.at || (one.id < other.id ? -1 : one.id > other.id ? 1 : 0)

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

/** The ids of the threads that this agent finds, in order. */
export const archivesOf = (
  chats: readonly ChatModel[],
  searcher: Searcher,
  {
    query = '',
    date_from,
    date_to,
    agent_ids = [],
    agents = [],
    customer_ids = [],
    ...filters
  }: ArchiveFilters,
): string[] => {
  const { team_ids = [], properties, tags } = filters
  const words = wordsIn(query).filter(isIndexed)
  const users = [...agent_ids, ...agents]
  return chats
    .filter(
      (chat) =>
        sees(searcher, chat) &&
        (team_ids.length === 0 || team_ids.some((team) => chat.scopes.groups.includes(team))),
    )
    .flatMap((chat) =>
      chat.threads
        .filter(
          (thread) =>
            (date_from === undefined || dayOf(thread.at) >= date_from) &&
            (date_to === undefined || dayOf(thread.at) <= date_to) &&
            (users.length === 0 || users.some((user) => thread.userIds.has(user))) &&
            (customer_ids.length === 0 || customer_ids.some((user) => thread.userIds.has(user))) &&
            words.every((word) => wordsOf(thread).has(word)) &&
            hasProperties(thread.properties, properties) &&
            hasTags(thread.tags, tags),
        )
        .map(({ n, at }) => ({ id: `${chat.id}_${n}`, at })),
    )
    .toSorted(newestFirst)
    .map(({ id }) => id)
}

/** As `get_filtered_chats` takes them. */
export interface ChatFilters {
  include_active?: boolean
  properties?: PropertiesAsked
}

/** The ids of the chats that this agent finds, in order. */
export const filteredChatsOf = (
  chats: readonly ChatModel[],
  searcher: Searcher,
  { include_active = true, properties }: ChatFilters,
): string[] =>
  chats
    .filter(
      (chat) =>
        sees(searcher, chat) &&
        (include_active || !chat.active) &&
        hasProperties(chat.properties, properties),
    )
    .map(({ id, threads }) => ({ id, at: threads.at(-1)!.at }))
    .toSorted(newestFirst)
    .map(({ id }) => id)

const accessLists = ({ users, scopes }: ChatModel): string[] => {
  const present = users.filter((user) => user.present && user.type !== 'customer').map(({ id }) => id)
  const named = [...new Set([...scopes.agents, ...present])]
  return [
    ...(scopes.groups.length + scopes.agents.length === 0
      ? ['open']
      : [...scopes.groups.map((group) => `group:${group}`), ...named.map((agent) => `to:${agent}`)]),
    ...present.map((agent) => `in:${agent}`),
  ]
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 16)

const tagLists = (tags: readonly string[] = []): string[] =>
  tags.length === 0 ? [] : ['tagged', ...tags.map((tag) => `tag:${hashOf(tag)}`)]

const propertyLists = (properties: Properties): string[] =>
  Object.entries(properties).flatMap(([namespace, names]) =>
    Object.entries(names).flatMap(([name, { value }]) => {
      const hash = hashOf(JSON.stringify(value))
      return [`has:${namespace}.${name}`, `is:${namespace}.${name}=${hash}`]
    }),
  )

const stands = (license: string, at: number, thread: string, lists: readonly string[]): string[] =>
  lists.map((list) => {
    const month = new Date(at).toISOString().slice(0, 7)
    return `INDEX#${license}#LIST#${list}#${month} ${9_999_999_999_999 - at}#${thread}`
  })

export const listsOfChat = (chat: ChatModel): string[] =>
  ['all', ...accessLists(chat), ...propertyLists(chat.properties)].map((list) => `C.${list}`)

/** But those of its words. */
export const listsOfThread = (chat: ChatModel, { userIds, properties, tags }: ThreadModel): string[] => {
  const users = [...userIds].map((user) => `user:${user}`)
  const lists = ['all', ...accessLists(chat), ...users, ...propertyLists(properties), ...tagLists(tags)]
  return lists.map((list) => `T.${list}`)
}

/** Everything that stands in the lists of a license's index, as `<pk> <sk>`, sorted. */
export const indexOf = (license: string, chats: readonly ChatModel[]): string[] =>
  chats
    .flatMap((chat) => {
      const last = chat.threads.at(-1)!
      return [
        ...stands(license, last.at, `${chat.id}_${last.n}`, listsOfChat(chat)),
        ...chat.threads.flatMap((thread) => {
          const words = [...wordsOf(thread)].map((word) => `T.word:${word}`)
          const lists = [...listsOfThread(chat, thread), ...words]
          return stands(license, thread.at, `${chat.id}_${thread.n}`, lists)
        }),
      ]
    })
    .toSorted()

/** A chat by all the items of its partition; undefined where there is no chat. */
export const chatModelOf = (items: readonly Attributes[]): ChatModel | undefined => {
  const of = (sk: string) => items.find((item) => item['sk'] === sk)
  const item = of('CHAT')
  if (item === undefined) return undefined
  const chat: Chat = ChatItem.parse(item)
  const log = items.filter(({ sk }) => String(sk).startsWith('LOG#'))
  const heads = log.filter(({ sk }) => String(sk).endsWith('#00000000')).map(parseHead)
  const entries = log.filter(({ sk }) => !String(sk).endsWith('#00000000')).map(parseEntry)
  return {
    id: chat.id,
    users: chat.users,
    scopes: chat.scopes,
    active: chat.active,
    properties: (of('CHAT#PROPS')?.['properties'] ?? {}) as Properties,
    threads: heads
      .toSorted((one, other) => one.n - other.n)
      .map(({ n, at, user_ids, properties = {}, tags = [] }) => ({
        n,
        at,
        userIds: user_ids,
        properties,
        tags,
        events: entries
          .filter((entry) => entry.n === n)
          .toSorted((one, other) => one.m - other.m)
          .map(({ event }) => event),
      })),
  }
}

/** All chats of a license, as the table has them. */
export const readModels = async (read: Reader<'chats' | 'chat'>, license: string): Promise<ChatModel[]> => {
  const ids = await readChatIds(read, license)
  const partitions = await Promise.all(ids.map((id) => read.query({ pk: chatPk(id), strong: true })))
  return partitions.map((items) => chatModelOf(items)!)
}
