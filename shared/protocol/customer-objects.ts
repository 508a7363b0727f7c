import * as z from 'zod/mini'
import { eventSchema, eventTypes } from './events.ts'
import { Timestamp } from './fields.ts'
import { CustomerProperties, trueOrAbsent, threadWith } from './objects.ts'
import { PropertiesOutput } from './properties.ts'

// The objects of protocol §3 as customers are shown them. Strict: an undeclared field is a leak.

/** Who is in a customer's chat: itself, and agents; who only ever supervised does not exist for it. */
export const CustomerChatUser = z.discriminatedUnion('type', [
  z.strictObject({
    id: z.string(),
    type: z.literal('agent'),
    name: z.string(),
    avatar: z.optional(z.string()),
    present: z.boolean(),
    last_seen_timestamp: z.optional(Timestamp),
    deleted: trueOrAbsent,
    is_bot: trueOrAbsent,
  }),
  z.strictObject({
    id: z.string(),
    type: z.literal('customer'),
    name: z.string(),
    email: z.optional(z.string()),
    present: z.boolean(),
    last_seen_timestamp: z.optional(Timestamp),
    properties: z.optional(CustomerProperties),
  }),
])
export type CustomerChatUser = z.output<typeof CustomerChatUser>

/** A customer as `update_customer` answers it. */
export const Myself = z.strictObject({
  id: z.string(),
  type: z.literal('customer'),
  name: z.string(),
  email: z.optional(z.string()),
  properties: z.optional(CustomerProperties),
})
export type Myself = z.output<typeof Myself>

export const CustomerScopes = z.strictObject({ groups: z.optional(z.array(z.int())) })
export type CustomerScopes = z.output<typeof CustomerScopes>

export const CustomerRecipients = z.literal('all')
export const CustomerEvent = eventSchema(CustomerRecipients)
export type CustomerEvent = z.output<typeof CustomerEvent>

export const CustomerThread = threadWith(CustomerEvent)
export type CustomerThread = z.output<typeof CustomerThread>

/** A chat with one thread, as `start_chat` answers it and `incoming_chat_thread` pushes it. */
export const CustomerChatWithThread = z.strictObject({
  id: z.string(),
  users: z.array(CustomerChatUser),
  properties: z.optional(PropertiesOutput),
  scopes: z.optional(CustomerScopes),
  thread: CustomerThread,
})
export type CustomerChatWithThread = z.output<typeof CustomerChatWithThread>

const NewestEvents = z
  .partialRecord(z.enum(eventTypes), CustomerEvent)
  .check(
    z.refine(
      (events) => Object.entries(events).every(([type, event]) => event.type === type),
      'An event stands under its own type',
    ),
  )

/** A chat in short, as `login` and `get_chats_summary` answer it. */
export const CustomerChatSummary = z.strictObject({
  id: z.string(),
  /** The last thread's. */
  order: z.int(),
  users: z.array(CustomerChatUser),
  properties: z.optional(PropertiesOutput),
  scopes: z.optional(CustomerScopes),
  /** Of the last thread, by type; absent where the customer sees none of its events. */
  last_event_per_type: z.optional(z.strictObject({ thread_id: z.string(), events: NewestEvents })),
  last_threads_summary: z.array(z.strictObject({ id: z.string(), order: z.int(), events_count: z.int() })),
  total_threads: z.int(),
  /** Something was left out for want of room: to be read with `get_chat_threads`. */
  has_more: trueOrAbsent,
})
export type CustomerChatSummary = z.output<typeof CustomerChatSummary>
