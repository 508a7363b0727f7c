import type { CustomerAudience } from '../delivery/outbox.ts'
import type {
  CustomerChatUser,
  CustomerChatWithThread,
  CustomerEvent,
  CustomerScopes,
  CustomerThread,
} from '../protocol/customer-objects.ts'
import { InternalError } from '../protocol/errors.ts'
import type { Event } from '../protocol/events.ts'
import type { ChatWithThread, Scopes, Thread, User } from '../protocol/objects.ts'
import type { ShownToCustomers } from '../protocol/push-kinds.ts'
import type { PushName, PushPayload } from '../protocol/pushes.ts'
import type { ChatUser } from '../table/chat/chat-users.ts'
import type { Chat } from '../table/chat/chats.ts'
import { isPublic } from '../table/chat/thread-log.ts'

// What customers see (protocol §3). Whatever they are sent is made here of what agents are sent: answers and
// pushes.

type Users = Pick<Chat, 'users'>

/** Whether a user exists for the chat's customers: it is one of them, or was once here as an agent. */
const isKnown = (id: string, { users }: Users): boolean =>
  users.some((user) => user.id === id && (user.type === 'customer' || user.met === true))

/** Whether an event is theirs to see. */
export const isShown = isPublic

/**
 * Whether they notice what a user does now: who supervises is not there for them, also one whom they have
 * met.
 */
const isFelt = (id: string, { users }: Users): boolean =>
  isKnown(id, { users }) && !users.some((user) => user.id === id && user.type === 'supervisor')

/** Present for them: as a customer, or as an agent; who supervises is not. */
const isPresent = ({ type, present }: Pick<ChatUser, 'type' | 'present'>): boolean =>
  present && type !== 'supervisor'

const userFor = (user: User, chat: Users): CustomerChatUser[] => {
  if (!isKnown(user.id, chat)) return []
  const { id, name, last_seen_timestamp } = user
  if (user.type === 'customer') {
    const { email, properties, present } = user
    return [{ id, type: 'customer', name, email, present, last_seen_timestamp, properties }]
  }
  const { avatar, deleted, is_bot } = user
  // a time that moves would tell that somebody looks on
  const seen = user.type === 'supervisor' ? undefined : last_seen_timestamp
  const present = isPresent(user)
  return [{ id, type: 'agent', name, avatar, present, last_seen_timestamp: seen, deleted, is_bot }]
}

export const usersFor = (users: readonly User[], chat: Users): CustomerChatUser[] =>
  users.flatMap((user) => userFor(user, chat))

export const eventFor = (event: Event): CustomerEvent[] => {
  const { recipients, ...rest } = event
  return recipients === 'all' ? [{ ...rest, recipients }] : []
}

/** An event of a customer's own, as it is answered. */
export const ownEvent = (event: Event): CustomerEvent => {
  const [shown] = eventFor(event)
  if (shown === undefined) throw new InternalError('A customer’s event is hidden from it')
  return shown
}

export const threadFor = (
  { tags: _tags, tags_version: _version, ...thread }: Thread,
  chat: Users,
): CustomerThread => ({
  ...thread,
  user_ids: thread.user_ids.filter((id) => isKnown(id, chat)),
  events: thread.events.flatMap(eventFor),
})

/** Undefined where no group is named. */
export const scopesFor = (scopes: Scopes | undefined): CustomerScopes | undefined =>
  scopes?.groups === undefined || scopes.groups.length === 0 ? undefined : { groups: scopes.groups }

export const chatFor = (shown: ChatWithThread, chat: Users): CustomerChatWithThread => ({
  ...shown,
  users: usersFor(shown.users, chat),
  scopes: scopesFor(shown.scopes),
  thread: threadFor(shown.thread, chat),
})

/** What a push is about: the chat as it was, where that changed, and as it is. */
export interface Sight {
  before?: Users | undefined
  chat: Users
}

type Showing = {
  [Name in PushName]?: (payload: PushPayload<Name>, sight: Sight) => ShownToCustomers<Name> | undefined
}

const showing: Showing = {
  incoming_chat_thread: ({ chat: shown }, { chat }) => ({ chat: chatFor(shown, chat) }),
  incoming_event: ({ event, ...at }) => {
    const [shown] = eventFor(event)
    return shown && { ...at, event: shown }
  },
  chat_users_updated: ({ chat_id, updated_users }, { before, chat }) => {
    const { customers, agents, supervisors } = updated_users
    const was = (id: string) => before?.users.some((user) => user.id === id && isPresent(user)) === true
    const is = (id: string) => chat.users.some((user) => user.id === id && isPresent(user))
    const added = [...customers.added, ...agents.added].filter(({ id }) => !was(id))
    const removed = [customers, agents, supervisors].flatMap(({ removed_ids }) => removed_ids)
    const removed_ids = removed.filter((id) => was(id) && !is(id) && isKnown(id, chat))
    return added.length + removed_ids.length === 0
      ? undefined
      : { chat_id, updated_users: { added: usersFor(added, chat), removed_ids } }
  },
  thread_closed: ({ user_id, ...at }, { chat }) =>
    user_id !== undefined && isKnown(user_id, chat) ? { ...at, user_id } : at,
  event_marked_as_seen: (seen, { chat }) => (isFelt(seen.user_id, chat) ? seen : undefined),
  last_seen_timestamp_updated: (seen, { chat }) => (isFelt(seen.user_id, chat) ? seen : undefined),
  incoming_typing_indicator: ({ chat_id, typing_indicator: { recipients, ...typing } }, { chat }) =>
    recipients === 'all' && isKnown(typing.author_id, chat)
      ? { chat_id, typing_indicator: { ...typing, recipients } }
      : undefined,
  chat_scopes_updated: ({ chat_id, scopes_added, scopes_removed }) => {
    const [added, removed] = [scopesFor(scopes_added), scopesFor(scopes_removed)]
    return added === undefined && removed === undefined
      ? undefined
      : { chat_id, scopes_added: added ?? {}, scopes_removed: removed ?? {} }
  },
  chat_transferred: ({ requester_id, transferred_to, ...rest }, { chat }) => ({
    ...rest,
    ...(requester_id !== undefined && isKnown(requester_id, chat) ? { requester_id } : {}),
    transferred_to: {
      ...transferred_to,
      agent_ids: transferred_to.agent_ids.filter((id) => isKnown(id, chat)),
    },
  }),
  // one chat at a time: each is another customer's
  queue_positions_updated: ([one]) => one,
  customer_updated: ({ chat_id, customer: { id, type, name, email, properties } }) => ({
    chat_id,
    customer: { id, type, name, email, properties },
  }),
  chat_properties_updated: (payload) => payload,
  chat_thread_properties_updated: (payload) => payload,
}

/** What the customers of a chat get of a push to agents; undefined: nothing of it is theirs to see. */
export const redactedFor =
  (sight: Sight): CustomerAudience['redact'] =>
  (name, payload) =>
    showing[name]?.(payload, sight)
