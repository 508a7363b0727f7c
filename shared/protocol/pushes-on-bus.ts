import type { PushName } from './pushes.ts'

/**
 * Whether a push to agents goes out to the event bus too: what is stored about chats and customers. Typing
 * and sneak peeks are stored nowhere, so that they could not be told again where a worker died; the rest is
 * about agents and groups, or one agent's own.
 */
export const isBusEvent = {
  incoming_chat_thread: true,
  incoming_event: true,
  chat_users_updated: true,
  thread_closed: true,
  event_marked_as_seen: true,
  last_seen_timestamp_updated: true,
  chat_scopes_updated: true,
  chat_transferred: true,
  queue_positions_updated: true,
  chat_properties_updated: true,
  chat_thread_properties_updated: true,
  thread_tagged: true,
  thread_untagged: true,
  customer_updated: true,
  customer_banned: true,
  customer_unbanned: true,
  chat_deleted: true,
  incoming_typing_indicator: false,
  incoming_sneak_peek: false,
  incoming_broadcast: false,
  chat_unfollowed: false,
  agent_updated: false,
  agent_created: false,
  agent_deleted: false,
  agent_suspended: false,
  agent_unsuspended: false,
  group_created: false,
  group_updated: false,
  group_deleted: false,
  groups_status_updated: false,
  agent_disconnected: false,
} as const satisfies Record<PushName, boolean>

/** The pushes that are events too. */
export type BusEventName = {
  [Name in PushName]: (typeof isBusEvent)[Name] extends true ? Name : never
}[PushName]

/** Who did what an event tells of. */
export type AuthorType = 'customer' | 'agent' | 'bot' | 'system'
