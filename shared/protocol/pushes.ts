import * as z from 'zod/mini'
import { Event } from './events.ts'
import { ChatWithThread, RoutingStatus, User } from './objects.ts'

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
