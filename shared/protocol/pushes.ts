import * as z from 'zod/mini'
import { accountPushes } from './account-pushes.ts'
import { DisconnectReason } from './disconnect-reasons.ts'
import { Event, Recipients } from './events.ts'
import { Timestamp } from './fields.ts'
import { ChatWithThread, CustomerUser, ScopesOutput, Tags, User } from './objects.ts'
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

/** A change of a thread's tags: which one it was, and those that it has since, whose version grows. */
const ThreadTag = z.strictObject({
  chat_id: z.string(),
  thread_id: z.string(),
  tag: z.string(),
  tags: Tags,
  version: z.int(),
})
const changes = z.strictObject({ added: z.array(User), removed_ids: z.array(z.string()) })

/**
 * The pushes of protocol §6 to agents: what they carry and who gets them. `access/audience.ts` decides who
 * that is just now.
 */
export const pushes = {
  incoming_chat_thread: {
    summary: 'A thread has started, or the receiver has gained access to a chat.',
    to: `agents with access, and ${inChat}`,
    payload: z.strictObject({ chat: ChatWithThread }),
  },
  incoming_event: {
    summary: 'An event was added to a thread.',
    to: `agents with access, and ${inChat} unless it is for agents only`,
    payload: z.strictObject({ chat_id: z.string(), thread_id: z.string(), event: Event }),
  },
  chat_unfollowed: {
    summary: 'The agent follows the chat no more.',
    to: 'every connection of that agent',
    payload: z.strictObject({ chat_id: z.string() }),
  },
  chat_deleted: {
    summary: 'The chat is gone, with all that was in it: its customer was erased.',
    to: 'agents who had access',
    payload: z.strictObject({ chat_id: z.string() }),
  },
  chat_users_updated: {
    summary: 'Users were added to a chat, changed their type or left it.',
    to: `agents with access, those removed, and ${inChat} unless it is about supervisors only`,
    payload: z.strictObject({
      chat_id: z.string(),
      updated_users: z.strictObject({ customers: changes, agents: changes, supervisors: changes }),
    }),
  },
  thread_closed: {
    summary: 'The active thread was closed; without `user_id` by the server.',
    to: `agents with access, and ${inChat}`,
    payload: ThreadClosed,
  },
  event_marked_as_seen: {
    summary: 'A user has seen a chat up to this event.',
    to: `agents with access, and ${inChat}`,
    payload: EventMarkedAsSeen,
  },
  last_seen_timestamp_updated: {
    summary: 'A user has seen a chat up to this time.',
    to: `agents with access, and ${inChat}`,
    payload: LastSeenTimestampUpdated,
  },
  incoming_typing_indicator: {
    summary:
      'Somebody in the chat is typing, or has stopped; it holds for 10 s unless repeated or taken back.',
    to: `agents and supervisors in the chat but the author, and ${inChat} unless it is for agents only`,
    payload: z.strictObject({
      chat_id: z.string(),
      typing_indicator: z.strictObject({ ...typing, recipients: Recipients }),
    }),
  },
  incoming_sneak_peek: {
    summary: 'What a customer is writing just now.',
    to: 'agents and supervisors in the chat',
    payload: z.strictObject({
      chat_id: z.string(),
      sneak_peek: z.strictObject({
        author_id: z.string(),
        recipients: z.literal('agents'),
        timestamp: Timestamp,
        text: z.string(),
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
    to: `agents with access, before or after it, and ${inChat} when groups changed`,
    payload: z.strictObject({
      chat_id: z.string(),
      scopes_added: ScopesOutput,
      scopes_removed: ScopesOutput,
    }),
  },
  chat_transferred: {
    summary:
      'A chat went to other agents, or waits for one: by an agent, as its agents did not look after it, or by routing.',
    to: `agents with access, before or after it, and ${inChat}`,
    payload: ChatTransferred,
  },
  queue_positions_updated: {
    summary: 'The positions of chats that wait for an agent changed; at most every 10 s.',
    to: 'agents with access',
    payload: z.array(z.strictObject(inQueue)),
  },
  chat_properties_updated: {
    summary: 'Properties of a chat changed: these alone; `version` grows.',
    to: `agents with access, and ${inChat}`,
    payload: ChatPropertiesUpdated,
  },
  chat_thread_properties_updated: {
    summary: 'Properties of a thread changed: these alone; `version` grows.',
    to: `agents with access, and ${inChat}`,
    payload: ChatThreadPropertiesUpdated,
  },
  thread_tagged: {
    summary: 'A thread was given a tag.',
    to: 'agents with access',
    payload: ThreadTag,
  },
  thread_untagged: {
    summary: 'A tag was taken from a thread.',
    to: 'agents with access',
    payload: ThreadTag,
  },
  customer_updated: {
    summary: "A customer's details changed, it opened a page, came or went.",
    to: "agents with access, if the customer's chat is active, and the customer's own connections where its name, e-mail or properties changed",
    payload: z.strictObject({ chat_id: z.string(), customer: CustomerUser }),
  },
  customer_banned: {
    summary: 'A customer was banned, for so many days from now.',
    to: 'every agent of the license',
    payload: z.strictObject({ customer_id: z.string(), ban: z.strictObject({ days: z.int() }) }),
  },
  customer_unbanned: {
    summary: "A customer's ban was lifted.",
    to: 'every agent of the license',
    payload: z.strictObject({ customer_id: z.string() }),
  },
  ...accountPushes,
  agent_disconnected: {
    summary: 'The server closes this connection.',
    to: 'that connection, which is then closed',
    payload: z.strictObject({ reason: DisconnectReason }),
  },
} as const

export type PushName = keyof typeof pushes
export type PushPayload<Name extends PushName> = z.input<(typeof pushes)[Name]['payload']>
