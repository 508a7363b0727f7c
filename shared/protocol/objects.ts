import * as z from 'zod/mini'
import { Event } from './events.ts'
import { Timestamp } from './fields.ts'
import { PropertiesOutput } from './properties.ts'

// The objects of protocol §3 as answers and pushes carry them. Strict: an undeclared field is a defect.

export const permissions = ['owner', 'administrator', 'normal'] as const
export const Permission = z.enum(permissions)
export type Permission = z.output<typeof Permission>

/** The routing statuses of an agent who is logged in. */
export const RoutingStatus = z.enum(['accepting_chats', 'not_accepting_chats'])
export type RoutingStatus = z.output<typeof RoutingStatus>

/** What holds of few, and is absent of the others. */
export const trueOrAbsent = z.optional(z.literal(true))

export const ScopesOutput = z.strictObject({
  groups: z.optional(z.array(z.int())),
  agents: z.optional(z.array(z.string())),
})
export type Scopes = z.output<typeof ScopesOutput>

const agentUser = {
  id: z.string(),
  name: z.string(),
  email: z.optional(z.string()),
  avatar: z.optional(z.string()),
  routing_status: z.optional(RoutingStatus),
  present: z.boolean(),
  last_seen_timestamp: z.optional(Timestamp),
  deleted: trueOrAbsent,
  is_bot: trueOrAbsent,
}

/**
 * The pages and visits of a customer, as its browser and its connections say them. Times in Unix seconds.
 */
export const Monitoring = z.strictObject({
  current_visit: z.strictObject({
    start: Timestamp,
    pages: z.array(z.strictObject({ start: Timestamp, url: z.string(), title: z.optional(z.string()) })),
  }),
  stats: z.strictObject({
    visits: z.int(),
    threads: z.int(),
    page_views: z.int(),
    last_visit: z.optional(
      z.int().check(z.nonnegative()).register(z.globalRegistry, {
        description: 'When the visit before the current one began; absent in the first.',
      }),
    ),
  }),
  referrer: z.optional(z.string()),
  ip: z.string(),
  user_agent: z.optional(z.string()),
  geolocation: z.optional(z.strictObject({ timezone: z.string() })),
})
export type Monitoring = z.output<typeof Monitoring>

/** Properties of a customer: texts that an app keeps of it, by names of its own. */
export const CustomerProperties = z.record(z.string(), z.string())

/** A customer as agents are shown it. */
export const CustomerUser = z.strictObject({
  id: z.string(),
  type: z.literal('customer'),
  name: z.string(),
  email: z.optional(z.string()),
  present: z.boolean(),
  last_seen_timestamp: z.optional(Timestamp),
  banned: z.boolean(),
  /** The customer has a tab open. */
  online: z.boolean(),
  properties: z.optional(CustomerProperties),
  monitoring: z.optional(Monitoring),
})
export type CustomerUser = z.output<typeof CustomerUser>

/** A customer as `get_customer` answers it: with the id of its chat while that is active. */
export const CustomerCard = z.extend(CustomerUser, { active_chat_id: z.optional(z.string()) })

export const User = z.discriminatedUnion('type', [
  z.strictObject({ ...agentUser, type: z.literal('agent') }),
  z.strictObject({ ...agentUser, type: z.literal('supervisor') }),
  CustomerUser,
])
export type User = z.output<typeof User>

/**
 * The place of a chat that waits for an agent: from 1, among those that the same groups serve. `wait_time`:
 * how many seconds chats of the license have waited of late, absent until one has.
 */
export const Queue = z.strictObject({
  position: z.int(),
  wait_time: z.optional(z.int()),
  queued_at: Timestamp,
})
export type Queue = z.output<typeof Queue>
/** The tags of a thread: what agents call it, in the order in which they did. */
export const Tags = z.array(z.string())

/** A thread with events as its reader may be shown them. */
export const threadWith = <E extends z.core.$ZodType>(event: E) =>
  z.strictObject({
    id: z.string(),
    timestamp: Timestamp,
    active: z.boolean(),
    user_ids: z.array(z.string()),
    order: z.int(),
    events: z.array(event),
    properties: z.optional(PropertiesOutput),
    has_more: z.optional(z.boolean()),
    last_order: z.optional(z.int()),
    queue: z.optional(Queue),
  })
/** A thread's tags, absent where it has none, and the version that their last change made of them. */
const tagged = { tags: z.optional(Tags), tags_version: z.optional(z.int()) }
/** A thread as agents are shown it. */
export const Thread = z.extend(threadWith(Event), tagged)
export type Thread = z.output<typeof Thread>

/** The threads that a chat has, the newest 1,000 of them at most. */
export const ThreadsSummary = z.array(z.strictObject({ thread_id: z.string(), order: z.int() }))

/** A chat with one thread, as `start_chat` answers it and `incoming_chat_thread` pushes it. */
export const ChatWithThread = z.strictObject({
  id: z.string(),
  users: z.array(User),
  properties: z.optional(PropertiesOutput),
  scopes: z.optional(ScopesOutput),
  thread: Thread,
})
export type ChatWithThread = z.output<typeof ChatWithThread>

const threadSummary = { id: z.string(), timestamp: Timestamp, active: z.boolean(), order: z.int() }
const FullChatSummary = z.strictObject({
  id: z.string(),
  users: z.array(User),
  last_thread_summary: z.strictObject({
    ...threadSummary,
    user_ids: z.array(z.string()),
    last_event_per_type: z.array(Event),
    events_count: z.int(),
    properties: z.optional(PropertiesOutput),
    queue: z.optional(Queue),
    ...tagged,
  }),
  properties: z.optional(PropertiesOutput),
  scopes: z.optional(ScopesOutput),
})
/** A summary cut down where the 120 KiB are used up: the rest is read with `get_chat_threads`. */
const BareChatSummary = z.strictObject({
  id: z.string(),
  last_thread_summary: z.strictObject(threadSummary),
  has_more: z.literal(true),
})
export const ChatSummary = z.union([FullChatSummary, BareChatSummary])
export type FullChatSummary = z.output<typeof FullChatSummary>
export type ChatSummary = z.output<typeof ChatSummary>

export const License = z.strictObject({ id: z.string(), plan: z.string(), expiration_timestamp: Timestamp })
export const MyProfile = z.strictObject({
  id: z.string(),
  type: z.literal('agent'),
  name: z.string(),
  email: z.optional(z.string()),
  avatar: z.optional(z.string()),
  /** Absent of a bot that is offline. */
  routing_status: z.optional(RoutingStatus),
  permission: Permission,
  group_ids: z.array(z.int()),
  is_bot: trueOrAbsent,
})
/** A colleague in `login`'s directory: also the people who are not in any chat shown. */
export const Colleague = z.strictObject({
  id: z.string(),
  name: z.string(),
  avatar: z.optional(z.string()),
  permission: Permission,
  routing_status: z.optional(RoutingStatus),
  is_bot: trueOrAbsent,
})
export const Group = z.strictObject({ id: z.int(), name: z.string() })

/**
 * A group's status: an agent of it is free, or its agents are there but have as many chats as they may, or no
 * agent is there.
 */
export const GroupStatus = z.enum(['online', 'online_for_queue', 'offline'])
export type GroupStatus = z.output<typeof GroupStatus>
/** The statuses of groups, by the group's id. */
export const GroupsStatus = z.record(z.string(), GroupStatus)
export type GroupsStatus = z.output<typeof GroupsStatus>
