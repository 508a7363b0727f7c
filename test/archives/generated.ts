import type { Properties, PropertyValue } from '../../shared/protocol/properties.ts'
import {
  type Chat,
  listActiveChat,
  putChatListing,
  type ChatScopes,
  putNewChat,
} from '../../shared/table/chat/chats.ts'
import { type ChatUser } from '../../shared/table/chat/chat-users.ts'
import { keys } from '../../shared/table/keys.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { type StoredEvent } from '../../shared/table/chat/thread-log.ts'
import { putEntry, putHead, newHead, nextEntries, nextEntry } from '../../shared/table/chat/log-entries.ts'
import type { Op } from '../../shared/table/ops.ts'
import type { License, World } from '../support/world.ts'
import type { ChatModel, Searcher, ThreadModel } from './naive.ts'
import { type Random, seed, seeded } from './seeded.ts'
import type { Writing } from './texts.ts'

// A license's chats as years of work leave them, and the items of the table that they are.

const hourMs = 3_600_000
const dayMs = 24 * hourMs

export interface Population {
  license: string
  /** Who is in chats, or was. */
  agents: readonly string[]
  groups: readonly number[]
  /** When threads begin, in ms, in any order: so many there are. */
  starts: readonly number[]
}

const namespaces = ['order', 'rating', 'constructor']
const names = ['score', 'a.b', 'note']
const values: PropertyValue[] = [0, 1, 2, -7, '1', '', 'güt', 'x'.repeat(100), true, false]
/** Every property that chats and threads have, by namespace and name, and what they are set to. */
export const someProperties = { namespaces, names, values }

const generateProperties = (random: Random, most: number): Properties => {
  const properties: Properties = {}
  for (let n = random.below(most + 1); n > 0; n -= 1) {
    const [namespace, name] = [random.zipf(namespaces), random.zipf(names)]
    if (!Object.hasOwn(properties, namespace)) properties[namespace] = {}
    properties[namespace]![name] = { value: random.zipf(values) }
  }
  return properties
}

/** Every tag that threads have. */
export const someTags = ['refund', 'Refund', 'vip', '#1', 'ein längeres Wort', 'x'.repeat(64)]

const generateScopes = (random: Random, { agents, groups }: Population): ChatScopes => {
  const some = <T>(list: readonly T[]) => random.shuffled(list).slice(0, 1 + random.below(2))
  switch (random.below(6)) {
    case 0:
      return { groups: some(groups), agents: [] }
    case 1:
      return { groups: [], agents: some(agents) }
    case 2:
      return { groups: some(groups), agents: some(agents) }
    default:
      return { groups: [], agents: [] }
  }
}

const generateEvents = (random: Random, writing: Writing, authors: readonly string[]): StoredEvent[] => {
  // some go on and on
  const count = random.chance(0.004) ? 150 + random.below(200) : 1 + random.zipf([0, 1, 2, 3, 4, 5, 6])
  return Array.from({ length: count }, (): StoredEvent => {
    const common = {
      author_id: random.one(authors),
      ...(random.chance(0.1) ? { recipients: 'agents' as const } : {}),
    }
    const text = writing.text(random.zipf([3, 2, 4, 1, 6, 8, 12, 20]))
    if (random.chance(0.06)) return { ...common, type: 'annotation', annotation_type: 'note', text }
    if (random.chance(0.06)) return { type: 'system_message', system_message_type: 'agent_joined', text }
    if (random.chance(0.04))
      return { ...common, type: 'custom', content: JSON.stringify({ text: writing.text(2) }) }
    return { ...common, type: 'message', text }
  })
}

/** How many threads a chat has. */
const generateLength = (random: Random): number =>
  random.chance(0.75) ? 1 : random.chance(0.05) ? 20 + random.below(21) : 2 + random.zipf([0, 1, 2, 3, 4, 5])

const generateUsers = (
  random: Random,
  agents: readonly string[],
  customer: string | undefined,
): ChatUser[] => [
  ...(customer === undefined ? [] : [{ id: customer, type: 'customer', present: true, met: true } as const]),
  ...random
    .shuffled(agents)
    .slice(0, random.zipf([1, 2, 0, 3]))
    .map((id): ChatUser => ({
      id,
      type: random.chance(0.25) ? 'supervisor' : 'agent',
      present: random.chance(0.7),
      met: true,
    })),
]

const chatIdOf = (random: Random): string =>
  Array.from({ length: 12 }, () => random.below(36).toString(36)).join('')

export const generateChats = (random: Random, writing: Writing, population: Population): ChatModel[] => {
  const { license, agents } = population
  const chats: ChatModel[] = []
  const tagging = seeded(seed)
  const starts = random.shuffled(population.starts)
  while (starts.length > 0) {
    const customer = random.chance(0.5) ? `cus-${chats.length}` : undefined
    const users = generateUsers(random, agents, customer)
    const who = [...users.map(({ id }) => id), random.zipf(agents)]
    const began = starts.splice(0, generateLength(random)).toSorted((one, other) => one - other)
    chats.push({
      id: customer === undefined ? chatIdOf(random) : customerChatId(license, customer),
      users,
      scopes: generateScopes(random, population),
      properties: generateProperties(random, 4),
      active: random.chance(0.06),
      threads: began.map((at, index): ThreadModel => ({
        n: index + 1,
        at,
        userIds: new Set([who[0]!, ...random.some(who, 3)]),
        properties: generateProperties(random, 4),
        ...(tagging.chance(0.3) ? { tags: tagging.some(someTags, 3) } : {}),
        events: generateEvents(random, writing, who),
      })),
    })
  }
  return chats
}

/** The first moment of the month of a time, or of one so many months later. */
export const monthStart = (at: number, later = 0): number => {
  const date = new Date(at)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later)
}

/**
 * Times in ms, as unevenly as work is, and the moments where days and months meet. The fullest month has a
 * third of all of them.
 */
export const generateStarts = (
  random: Random,
  { count, since, until }: { count: number; since: number; until: number },
): number[] => {
  const months = [monthStart(since)]
  while (months.at(-1)! < until) months.push(monthStart(since, months.length))
  const past = months.slice(0, -1)
  const crowded = random.shuffled(past.slice(0, -1))
  const starts: number[] = []
  while (starts.length < count) {
    const month = random.chance(0.25) ? crowded[0]! : random.zipf([...crowded, past.at(-1)!])
    const at = month + random.below(monthStart(month, 1) - month)
    const day = at - (at % dayMs)
    const last = starts.at(-1) ?? at
    const some = random.chance(0.9)
      ? at
      : random.one([day, day - 1, month, month - 1, monthStart(month, 1) - 1, last, last, last + 1])
    if (some >= since && some <= until) starts.push(some)
  }
  return starts
}

/** The items of a chat, by the builders that its actions write them with. */
export const chatOps = (license_id: string, model: ChatModel): Op[] => {
  const last = model.threads.at(-1)!
  const by = { nonce: 'made', version: 1 }
  const chat: Chat = {
    id: model.id,
    license_id,
    users: [...model.users],
    scopes: model.scopes,
    version: 1,
    thread: last.n,
    active: model.active,
    changed_at: last.at,
    started_at: last.at,
    nonce: by.nonce,
  }
  const threads = model.threads.flatMap((thread) => {
    const { n, at, events } = thread
    const userIds = [...thread.userIds]
    const properties = Object.keys(thread.properties).length > 0 ? thread.properties : undefined
    const tags = thread.tags?.length ? { tags: [...thread.tags] } : {}
    const head = { ...newHead({ ...by, n, at, userIds, properties }), ...tags }
    const entries = nextEntries({ n, m: 0, last: head }, events, { ...by, at })
    const isClosed = n < last.n || !model.active
    const end = entries.at(-1)
    const closing: StoredEvent = {
      type: 'system_message',
      system_message_type: 'manual_archived',
      text: 'closed',
    }
    const closed = isClosed
      ? [nextEntry({ n, m: entries.length, last: end ?? head }, closing, { ...by, at, closes: true })]
      : []
    return [putHead(model.id, head), ...[...entries, ...closed].map((entry) => putEntry(model.id, entry))]
  })
  const properties = { ...keys.chatProperties(model.id), properties: model.properties, properties_version: 1 }
  return [
    putNewChat(chat),
    putChatListing(chat),
    ...(model.active ? [listActiveChat(chat)] : []),
    ...(Object.keys(model.properties).length > 0 ? [{ Put: { Item: properties } }] : []),
    ...threads,
  ]
}

/** Makes a license look as old as its archives; for logins after it. */
export const makeOld = async ({ table }: World, { id }: License, sinceMs: number): Promise<void> => {
  await table.write.write({
    Update: {
      Key: keys.license(id),
      UpdateExpression: 'SET created_at = :at',
      ExpressionAttributeValues: { ':at': Math.floor(sinceMs / 1000) },
    },
  })
}

export const searcher = (id: string, of: Partial<Omit<Searcher, 'id'>> = {}): Searcher => ({
  id,
  permission: 'normal',
  groups: [],
  ...of,
})
