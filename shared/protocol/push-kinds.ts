import type { CustomerPushName, CustomerPushPayload } from './customer-pushes.ts'
import type { PushName } from './pushes.ts'

/**
 * What a push to agents is about: what is said and done in a chat; that a chat begins, changes and ends; the
 * whole license; one connection.
 */
export type PushKind = 'content' | 'lifecycle' | 'license' | 'connection'

export const pushKinds: Readonly<Record<PushName, PushKind>> = {
  incoming_event: 'content',
  incoming_typing_indicator: 'content',
  incoming_sneak_peek: 'content',
  event_marked_as_seen: 'content',
  last_seen_timestamp_updated: 'content',
  chat_properties_updated: 'content',
  chat_thread_properties_updated: 'content',
  incoming_chat_thread: 'lifecycle',
  thread_closed: 'lifecycle',
  chat_users_updated: 'lifecycle',
  chat_scopes_updated: 'lifecycle',
  chat_transferred: 'lifecycle',
  queue_positions_updated: 'lifecycle',
  thread_tagged: 'lifecycle',
  thread_untagged: 'lifecycle',
  customer_updated: 'lifecycle',
  chat_unfollowed: 'lifecycle',
  chat_deleted: 'lifecycle',
  incoming_broadcast: 'license',
  customer_banned: 'license',
  customer_unbanned: 'license',
  agent_updated: 'license',
  agent_created: 'license',
  agent_deleted: 'license',
  agent_suspended: 'license',
  agent_unsuspended: 'license',
  group_created: 'license',
  group_updated: 'license',
  group_deleted: 'license',
  groups_status_updated: 'license',
  agent_disconnected: 'connection',
}

/** Of what kind a name is; undefined: no push to agents has it. */
export const pushKindOf = (name: string): PushKind | undefined =>
  Object.hasOwn(pushKinds, name) ? Reflect.get(pushKinds, name) : undefined

/** Pushes to agents that customers get under a name of their own. */
export const namesForCustomers = { queue_positions_updated: 'queue_position_updated' } as const
type Renamed = typeof namesForCustomers
type NameForCustomers<Name extends PushName> = Name extends CustomerPushName
  ? Name
  : Name extends keyof Renamed
    ? Renamed[Name]
    : never
/** What customers may be shown of a push to agents: nothing where it is not in their table. */
export type ShownToCustomers<Name extends PushName> = CustomerPushPayload<NameForCustomers<Name>>
