import { fullWhileFit, jsonBytes, takeThatFit } from '../../protocol/budget.ts'
import type { Event } from '../../protocol/events.ts'
import { limits } from '../../protocol/limits.ts'
import type {
  ChatWithThread,
  CustomerUser,
  FullChatSummary,
  Monitoring,
  Queue,
  Scopes,
  Thread,
  User,
} from '../../protocol/objects.ts'
import type { ChatUser } from '../../table/chat/chat-users.ts'
import type { ChatScopes } from '../../table/chat/chats.ts'
import type { ChatRecord } from '../../table/chat/read-chats.ts'
import { authorsOf, type Entry, eventOf, type Head, type Tail } from '../../table/chat/thread-log.ts'
import { type CustomerItem, isBanned, pageViewsOf } from '../../table/customers.ts'
import { threadId } from '../../table/ids.ts'
import type { Profiles } from './profiles.ts'

// What agents are shown of chats: items of the table in, objects of the wire out.

type SeenBy = ReadonlyMap<string, number>

/**
 * Up to when users have seen a chat: by their marks, and by what they sent, as the end of its log tells of
 * its last few authors (protocol §5: who sends an event has seen the chat up to it).
 */
export const seenUpTo = (
  marks: SeenBy = new Map(),
  last: Parameters<typeof authorsOf>[0] | undefined,
): SeenBy => {
  const seen = new Map(marks)
  for (const [id, timestamp] of last === undefined ? [] : authorsOf(last))
    seen.set(id, Math.max(timestamp, seen.get(id) ?? 0))
  return seen
}

/** As a customer is called who has told no name. */
export const unnamed = 'Customer'

/** A customer as agents are shown it. One that is not stored has told nothing of itself. */
export const customerUser = (
  { id, present }: Pick<ChatUser, 'id' | 'present'>,
  customer: CustomerItem | undefined,
  lastSeen?: number,
): CustomerUser => ({
  id,
  type: 'customer',
  name: customer?.name ?? unnamed,
  email: customer?.email,
  present,
  last_seen_timestamp: lastSeen,
  banned: customer !== undefined && isBanned(customer, Date.now()),
  online: customer?.online ?? false,
  properties:
    customer === undefined || Object.keys(customer.properties).length === 0 ? undefined : customer.properties,
  monitoring: customer === undefined ? undefined : monitoringOf(customer),
})

/** Undefined where no visit is known. */
const monitoringOf = (customer: CustomerItem): Monitoring | undefined => {
  const { visit, visits, threads, last_visit } = customer
  if (visit?.ip === undefined) return undefined
  const { started_timestamp, pages, referrer, ip, user_agent, timezone } = visit
  return {
    current_visit: {
      start: started_timestamp,
      pages: pages.map(({ url, title, opened_timestamp }) => ({ start: opened_timestamp, url, title })),
    },
    stats: { visits, threads, page_views: pageViewsOf(customer), last_visit },
    referrer,
    ip,
    user_agent,
    geolocation: timezone === undefined ? undefined : { timezone },
  }
}

const userOf = (user: ChatUser, { agents, customers }: Profiles, seen: SeenBy): User => {
  const { id, type, present } = user
  const common = { id, present, last_seen_timestamp: seen.get(id) }
  if (type === 'customer') return customerUser(user, customers.get(id), seen.get(id))
  const agent = agents.get(id)
  if (agent === undefined || agent.deleted) return { ...common, type, name: agent?.name ?? id, deleted: true }
  return {
    ...common,
    type,
    name: agent.name,
    email: agent.email,
    avatar: agent.avatar,
    routing_status: agent.online ? agent.routing_status : undefined,
    is_bot: agent.bot,
  }
}

/**
 * A chat's users. Where they alone would crowd out all else, avatars go first, then those who left longest
 * ago.
 */
export const usersOf = (users: readonly ChatUser[], profiles: Profiles, seen: SeenBy = new Map()): User[] => {
  const room = limits.frameBytes / 3
  const full = users.map((user) => userOf(user, profiles, seen))
  if (jsonBytes(full) <= room) return full
  const slim = full.map((user): User => {
    if (user.type === 'customer') return user
    const { avatar: _, ...rest } = user
    return rest
  })
  const present = slim.filter((user) => user.present)
  const left = slim.filter((user) => !user.present).toReversed()
  return [...present, ...takeThatFit(left, room - jsonBytes(present))]
}

/** Scopes as they go out: absent where the chat is open to all. */
export const scopesOf = ({ groups, agents }: ChatScopes): Scopes | undefined =>
  groups.length === 0 && agents.length === 0
    ? undefined
    : {
        ...(groups.length > 0 ? { groups } : {}),
        ...(agents.length > 0 ? { agents } : {}),
      }

const bare = { user_ids: [], properties: undefined, tags: undefined, tags_version: undefined }

/**
 * A thread with those of `events` (ascending) that fit, the newest kept, or the oldest where one reads
 * forwards. One of so many threads that it does not fit by itself is left bare, to be read alone.
 */
export const threadOf = (options: {
  chat: string
  head: Head
  active: boolean
  events: readonly Entry[]
  room: number
  /** There are more events in the direction that is read in. */
  more: boolean
  keep?: 'newest' | 'oldest'
  lastOrder?: number
  queue?: Queue | undefined
}): Thread => {
  const { chat, head, active, room, more, keep = 'newest', lastOrder, queue } = options
  const base = {
    id: threadId(chat, head.n),
    timestamp: Math.floor(head.at / 1000),
    active,
    user_ids: [...head.user_ids],
    order: head.n,
    properties: head.properties,
    tags: head.tags,
    tags_version: head.tags_version,
    last_order: lastOrder,
    queue,
  }
  const left = room - jsonBytes({ ...base, events: [], has_more: true })
  if (left < 0) return { ...base, ...bare, events: [], has_more: true }
  const events = options.events.map((entry) => eventOf(chat, entry))
  const kept =
    keep === 'newest' ? takeThatFit(events.toReversed(), left).toReversed() : takeThatFit(events, left)
  return { ...base, events: kept, ...(more || kept.length < events.length ? { has_more: true } : {}) }
}

/** A chat with one thread, small enough for a push or an answer. */
export const chatWithThread = (options: {
  record: ChatRecord
  profiles: Profiles
  head: Head
  /** Ascending. */
  events: readonly Entry[]
  active: boolean
  queue?: Queue | undefined
}): ChatWithThread => {
  const { record, profiles, head, events, active, queue } = options
  const { chat } = record
  const base = {
    id: chat.id,
    users: usersOf(chat.users, profiles, record.seen),
    properties: record.properties,
    scopes: scopesOf(chat.scopes),
  }
  const room = limits.frameBytes - jsonBytes(base) - 512
  const more = (events[0]?.m ?? 1) > 1
  return { ...base, thread: threadOf({ chat: chat.id, head, active, events, room, more, queue }) }
}

/** A chat and its last thread in short. `newest`: the events that the tail names as newest of their types. */
export const chatSummary = (options: {
  record: ChatRecord
  profiles: Profiles
  head: Head
  tail: Tail
  newest: readonly Entry[]
  queue?: Queue | undefined
}): FullChatSummary => {
  const { record, profiles, head, tail, newest, queue } = options
  const { chat, properties, seen } = record
  const events: Event[] = newest.toSorted((a, b) => a.m - b.m).map((entry) => eventOf(chat.id, entry))
  return {
    id: chat.id,
    users: usersOf(chat.users, profiles, seenUpTo(seen, tail.last)),
    last_thread_summary: {
      id: threadId(chat.id, head.n),
      timestamp: Math.floor(head.at / 1000),
      active: tail.last.closed !== true,
      user_ids: [...head.user_ids],
      last_event_per_type: events,
      order: head.n,
      events_count: tail.m,
      properties: head.properties,
      queue,
      tags: head.tags,
      tags_version: head.tags_version,
    },
    properties,
    scopes: scopesOf(chat.scopes),
  }
}

/** Chat summaries in order, full while they fit into `room` bytes, the rest bare. */
export const fitSummaries = (chats: readonly FullChatSummary[], room: number) => {
  const bare = chats.map(({ id, last_thread_summary: { id: thread, order, timestamp, active } }) => ({
    id,
    last_thread_summary: { id: thread, order, timestamp, active },
    has_more: true as const,
  }))
  return fullWhileFit(chats, bare, room)
}
