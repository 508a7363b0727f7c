import * as z from 'zod/mini'
import { Event, Recipients } from './events.ts'
import { Timestamp } from './fields.ts'
import { ChatWithThread, RoutingStatus, ScopesOutput, User } from './objects.ts'
import { ChangedProperties } from './properties.ts'

const changes = z.strictObject({ added: z.array(User), removed_ids: z.array(z.string()) })

/** Why the server closes an agent's connection (protocol §6). */
export const DisconnectReason = z.enum([
  'access_token_revoked',
  'access_token_expired',
  'license_expired',
  'too_many_connections',
  'agent_disconnected_by_server',
])
export type DisconnectReason = z.output<typeof DisconnectReason>

/** The pushes of protocol §6: what they carry and who gets them. `push/audience.ts` decides who that is just now. */
export const pushes = {
  incoming_chat_thread: {
    summary: 'A thread has started, or the receiver has gained access to a chat.',
    to: 'agents with access',
    payload: z.strictObject({ chat: ChatWithThread }),
  },
  incoming_event: {
    summary: 'An event was added to a thread.',
    to: 'agents with access',
    payload: z.strictObject({ chat_id: z.string(), thread_id: z.string(), event: Event }),
  },
  chat_users_updated: {
    summary: 'Users were added to a chat, changed their type or left it.',
    to: 'agents with access, and those removed',
    payload: z.strictObject({
      chat_id: z.string(),
      updated_users: z.strictObject({ customers: changes, agents: changes, supervisors: changes }),
    }),
  },
  thread_closed: {
    summary: 'The active thread was closed; without `user_id` by the server.',
    to: 'agents with access',
    payload: z.strictObject({ chat_id: z.string(), thread_id: z.string(), user_id: z.optional(z.string()) }),
  },
  event_marked_as_seen: {
    summary: 'A user has seen a chat up to this event.',
    to: 'agents with access',
    payload: z.strictObject({ chat_id: z.string(), event_id: z.string(), user_id: z.string() }),
  },
  last_seen_timestamp_updated: {
    summary: 'A user has seen a chat up to this time.',
    to: 'agents with access',
    payload: z.strictObject({ user_id: z.string(), chat_id: z.string(), timestamp: Timestamp }),
  },
  incoming_typing_indicator: {
    summary: 'Somebody in the chat is typing, or has stopped.',
    to: 'agents and supervisors in the chat, but the author',
    payload: z.strictObject({
      chat_id: z.string(),
      typing_indicator: z.strictObject({
        author_id: z.string(),
        recipients: Recipients,
        timestamp: Timestamp,
        is_typing: z.boolean(),
      }),
    }),
  },
  incoming_broadcast: {
    summary: 'A message from an agent to others; it may come twice, with the same `id`.',
    to: 'the agents addressed',
    payload: z.strictObject({ id: z.string(), author_id: z.string(), content: z.unknown() }),
  },
  chat_scopes_updated: {
    summary: 'Which agents and groups have access to a chat was changed.',
    to: 'agents with access, before or after it',
    payload: z.strictObject({
      chat_id: z.string(),
      scopes_added: ScopesOutput,
      scopes_removed: ScopesOutput,
    }),
  },
  chat_properties_updated: {
    summary: 'Properties of a chat changed: these alone; `version` grows.',
    to: 'agents with access',
    payload: z.strictObject({ chat_id: z.string(), properties: ChangedProperties, version: z.int() }),
  },
  chat_thread_properties_updated: {
    summary: 'Properties of a thread changed: these alone; `version` grows.',
    to: 'agents with access',
    payload: z.strictObject({
      chat_id: z.string(),
      thread_id: z.string(),
      properties: ChangedProperties,
      version: z.int(),
    }),
  },
  customer_banned: {
    summary: 'A customer was banned, for so many days from now.',
    to: 'every agent of the licence',
    payload: z.strictObject({ customer_id: z.string(), ban: z.strictObject({ days: z.int() }) }),
  },
  customer_unbanned: {
    summary: "A customer's ban was lifted.",
    to: 'every agent of the licence',
    payload: z.strictObject({ customer_id: z.string() }),
  },
  agent_updated: {
    summary: "An agent's routing status changed, or it came or went.",
    to: 'every agent of the licence',
    payload: z.strictObject({
      agent_id: z.string(),
      routing_status: z.enum([...RoutingStatus.options, 'offline']),
    }),
  },
  agent_disconnected: {
    summary: 'The server closes this connection.',
    to: 'that connection, which is then closed',
    payload: z.strictObject({ reason: DisconnectReason }),
  },
} as const

export type PushName = keyof typeof pushes
export type PushPayload<Name extends PushName> = z.input<(typeof pushes)[Name]['payload']>
