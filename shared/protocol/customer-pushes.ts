import * as z from 'zod/mini'
import {
  CustomerChatUser,
  CustomerChatWithThread,
  CustomerEvent,
  CustomerRecipients,
  CustomerScopes,
  Myself,
} from './customer-objects.ts'
import { CustomerDisconnectReason } from './disconnect-reasons.ts'
import {
  ChatPropertiesUpdated,
  ChatThreadPropertiesUpdated,
  ChatTransferred,
  EventMarkedAsSeen,
  inChat,
  inQueue,
  LastSeenTimestampUpdated,
  ThreadClosed,
  typing,
} from './push-payloads.ts'

/** The pushes of protocol §6 to customers: less of what agents get, by what section 3 lets them see. */
export const customerPushes = {
  incoming_chat_thread: {
    summary: "The customer's chat has a new thread, or the customer is in it again.",
    to: inChat,
    payload: z.strictObject({ chat: CustomerChatWithThread }),
  },
  incoming_event: {
    summary: 'An event was added to a thread.',
    to: `${inChat}, unless it is for agents only`,
    payload: z.strictObject({ chat_id: z.string(), thread_id: z.string(), event: CustomerEvent }),
  },
  chat_users_updated: {
    summary: 'Users were added to a chat, changed or left it.',
    to: `${inChat}, the one removed included, unless it is about supervisors only`,
    payload: z.strictObject({
      chat_id: z.string(),
      updated_users: z.strictObject({
        added: z.array(CustomerChatUser),
        removed_ids: z.array(z.string()),
      }),
    }),
  },
  thread_closed: {
    summary:
      'The active thread was closed; without `user_id` by the server, or by one whom the customer never met.',
    to: inChat,
    payload: ThreadClosed,
  },
  event_marked_as_seen: {
    summary: 'A user has seen a chat up to this event.',
    to: `${inChat}, where it is theirs to see`,
    payload: EventMarkedAsSeen,
  },
  last_seen_timestamp_updated: {
    summary: 'A user has seen a chat up to this time.',
    to: `${inChat}, where it is theirs to see`,
    payload: LastSeenTimestampUpdated,
  },
  incoming_typing_indicator: {
    summary:
      'Somebody in the chat is typing, or has stopped; it holds for 10 s unless repeated or taken back.',
    to: `${inChat}, but the author, unless it is for agents only`,
    payload: z.strictObject({
      chat_id: z.string(),
      typing_indicator: z.strictObject({ ...typing, recipients: CustomerRecipients }),
    }),
  },
  chat_scopes_updated: {
    summary: 'Which groups have access to a chat was changed.',
    to: `${inChat}, when groups changed`,
    payload: z.strictObject({
      chat_id: z.string(),
      scopes_added: CustomerScopes,
      scopes_removed: CustomerScopes,
    }),
  },
  chat_transferred: {
    summary: 'The chat went to other agents, or waits for one; without agents whom the customer never met.',
    to: inChat,
    payload: ChatTransferred,
  },
  queue_position_updated: {
    summary: 'The position of the chat among those that wait for an agent changed; at most every 10 s.',
    to: inChat,
    payload: z.strictObject(inQueue),
  },
  chat_properties_updated: {
    summary: 'Properties of a chat changed: these alone; `version` grows.',
    to: inChat,
    payload: ChatPropertiesUpdated,
  },
  chat_thread_properties_updated: {
    summary: 'Properties of a thread changed: these alone; `version` grows.',
    to: inChat,
    payload: ChatThreadPropertiesUpdated,
  },
  customer_updated: {
    summary: "The customer's name, e-mail or properties changed; its chat may not have begun yet.",
    to: "the customer's own connections, but not the one whose login changed them",
    payload: z.strictObject({ chat_id: z.string(), customer: Myself }),
  },
  customer_disconnected: {
    summary: 'The server closes this connection.',
    to: 'that connection, which is then closed',
    payload: z.strictObject({ reason: CustomerDisconnectReason }),
  },
} as const

export type CustomerPushName = keyof typeof customerPushes
export type CustomerPushPayload<Name extends CustomerPushName> = z.input<
  (typeof customerPushes)[Name]['payload']
>
