import * as z from 'zod/mini'
import { Timestamp } from './fields.ts'
import { Queue } from './objects.ts'
import { ChangedProperties } from './properties.ts'

// Parts of pushes that are the same for agents and customers.

export const ThreadClosed = z.strictObject({
  chat_id: z.string(),
  thread_id: z.string(),
  user_id: z.optional(z.string()),
})
export const EventMarkedAsSeen = z.strictObject({
  chat_id: z.string(),
  event_id: z.string(),
  user_id: z.string(),
})
export const LastSeenTimestampUpdated = z.strictObject({
  user_id: z.string(),
  chat_id: z.string(),
  timestamp: Timestamp,
})
export const ChatPropertiesUpdated = z.strictObject({
  chat_id: z.string(),
  properties: ChangedProperties,
  version: z.int(),
})
export const ChatThreadPropertiesUpdated = z.strictObject({
  chat_id: z.string(),
  thread_id: z.string(),
  properties: ChangedProperties,
  version: z.int(),
})
export const inQueue = { chat_id: z.string(), thread_id: z.string(), queue: Queue }
export const ChatTransferred = z.strictObject({
  chat_id: z.string(),
  thread_id: z.string(),
  requester_id: z.optional(z.string()),
  reason: z.enum(['manual', 'inactive', 'assigned', 'unassigned']),
  transferred_to: z.strictObject({ agent_ids: z.array(z.string()), group_ids: z.array(z.int()) }),
  queue: z.optional(Queue),
})
export const typing = { author_id: z.string(), timestamp: Timestamp, is_typing: z.boolean() }

export const inChat = "the chat's customers"
