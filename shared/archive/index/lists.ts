import { createHash } from 'node:crypto'
import { isAdministrator, reachOf, type Viewer, type VisibleChat } from '../../access/permissions.ts'
import type { PropertyFilter } from '../../protocol/filters.ts'
import type { Properties, PropertyValue } from '../../protocol/properties.ts'
import type { Chat } from '../../table/chat/chats.ts'
import type { Head } from '../../table/chat/thread-log.ts'

// The lists of the index, by name: one for each thing that a search can name. Those of threads and those of
// chats are two sets of lists.

export type Kind = 'thread' | 'chat'

const mark: Record<Kind, string> = { thread: 'T', chat: 'C' }
const named = (kind: Kind, name: string): string => `${mark[kind]}.${name}`

export const everything = (kind: Kind): string => named(kind, 'all')
const openToAll = (kind: Kind): string => named(kind, 'open')
/** Scopes name the group: who looks for a team's, and who may see them as one of it. */
export const ofGroup = (kind: Kind, group: number): string => named(kind, `group:${group}`)
/** Scopes are not empty, and the agent is named by them, or is in the chat. */
const openTo = (kind: Kind, agent: string): string => named(kind, `to:${agent}`)
const presentIn = (kind: Kind, agent: string): string => named(kind, `in:${agent}`)
export const withUser = (user: string): string => named('thread', `user:${user}`)
export const withWord = (word: string): string => named('thread', `word:${word}`)

type PropertyName = Pick<PropertyFilter, 'namespace' | 'name'>
const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 16)
/** What no property can be called has lists too, which hold nothing: its name may be too long for a key. */
const nameOf = ({ namespace, name }: PropertyName): string => {
  const full = `${namespace}.${name}`
  return /^[\w.-]{1,130}$/.test(full) ? full : hashOf(full)
}
export const withProperty = (kind: Kind, property: PropertyName): string =>
  named(kind, `has:${nameOf(property)}`)
/** Values differ by type too. */
export const withValue = (kind: Kind, property: PropertyName, value: PropertyValue): string =>
  named(kind, `is:${nameOf(property)}=${hashOf(JSON.stringify(value))}`)

/** Threads with any tag. */
export const tagged = named('thread', 'tagged')
export const withTag = (tag: string): string => named('thread', `tag:${hashOf(tag)}`)

const accessMarks = ['open', 'group:', 'to:', 'in:']
/** Whether a list is one of those that follow from who may see a chat. */
export const isOfAccess = (list: string): boolean => {
  const name = list.slice(2)
  return accessMarks.some((prefix) => name.startsWith(prefix))
}

/** The lists in which a chat, and each of its threads, stands for those who may see it. */
export const accessLists = (kind: Kind, { users, scopes }: VisibleChat): string[] => {
  const present = users.filter((user) => user.present && user.type !== 'customer').map(({ id }) => id)
  const isOpen = scopes.groups.length === 0 && scopes.agents.length === 0
  const scoped = isOpen
    ? [openToAll(kind)]
    : [
        ...scopes.groups.map((group) => ofGroup(kind, group)),
        ...[...new Set([...scopes.agents, ...present])].map((agent) => openTo(kind, agent)),
      ]
  return [...scoped, ...present.map((agent) => presentIn(kind, agent))]
}

const propertyLists = (kind: Kind, properties: Properties = {}): string[] =>
  Object.entries(properties).flatMap(([namespace, names]) =>
    Object.entries(names).flatMap(([name, { value }]) => [
      withProperty(kind, { namespace, name }),
      withValue(kind, { namespace, name }, value),
    ]),
  )

/** The lists of a thread, but those of its words. */
export const threadLists = (
  chat: Pick<Chat, 'users' | 'scopes'>,
  { user_ids, properties, tags = [] }: Pick<Head, 'user_ids' | 'properties' | 'tags'>,
): string[] => [
  everything('thread'),
  ...accessLists('thread', chat),
  ...[...user_ids].map(withUser),
  ...propertyLists('thread', properties),
  ...(tags.length > 0 ? [tagged, ...tags.map(withTag)] : []),
]

export const chatLists = (
  chat: Pick<Chat, 'users' | 'scopes'>,
  properties: Properties | undefined,
): string[] => [everything('chat'), ...accessLists('chat', chat), ...propertyLists('chat', properties)]

/** The lists of which one holds whatever this viewer may see (protocol §4). */
export const seenBy = (kind: Kind, viewer: Viewer): string[] => {
  const { agent_id, groups } = viewer
  if (reachOf(viewer) === 'own') return [presentIn(kind, agent_id)]
  if (isAdministrator(viewer)) return [everything(kind)]
  return [openToAll(kind), ...groups.map((group) => ofGroup(kind, group)), openTo(kind, agent_id)]
}
