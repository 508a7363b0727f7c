import type * as z from 'zod/mini'
import type { ActionSpec } from '../protocol/action.ts'
import type { banCustomer } from '../protocol/agent/ban_customer.ts'
import type { changePushNotifications } from '../protocol/agent/change_push_notifications.ts'
import type { closeThread } from '../protocol/agent/close_thread.ts'
import type { followChat } from '../protocol/agent/follow_chat.ts'
import type { getArchives } from '../protocol/agent/get_archives.ts'
import type { getChatThreads } from '../protocol/agent/get_chat_threads.ts'
import type { getCustomer } from '../protocol/agent/get_customer.ts'
import type { getFilteredChats } from '../protocol/agent/get_filtered_chats.ts'
import type { joinChat } from '../protocol/agent/join_chat.ts'
import type { listAgentsForTransfer } from '../protocol/agent/list_agents_for_transfer.ts'
import type { listGroupStatuses } from '../protocol/agent/list_group_statuses.ts'
import type { login } from '../protocol/agent/login.ts'
import type { logout } from '../protocol/agent/logout.ts'
import type { markEventAsSeen } from '../protocol/agent/mark_event_as_seen.ts'
import type { ping } from '../protocol/agent/ping.ts'
import type { removeFromChat } from '../protocol/agent/remove_from_chat.ts'
import type { sendBroadcast } from '../protocol/agent/send_broadcast.ts'
import type { sendEvent } from '../protocol/agent/send_event.ts'
import type { sendTypingIndicator } from '../protocol/agent/send_typing_indicator.ts'
import type { startChat } from '../protocol/agent/start_chat.ts'
import type { superviseChat } from '../protocol/agent/supervise_chat.ts'
import type { sync } from '../protocol/agent/sync.ts'
import type { transferChat } from '../protocol/agent/transfer_chat.ts'
import type { tagThread } from '../protocol/agent/tag_thread.ts'
import type { unbanCustomer } from '../protocol/agent/unban_customer.ts'
import type { unfollowChat } from '../protocol/agent/unfollow_chat.ts'
import type { untagThread } from '../protocol/agent/untag_thread.ts'
import type { updateAgent } from '../protocol/agent/update_agent.ts'
import type { updateChatProperties } from '../protocol/agent/update_chat_properties.ts'
import type { updateChatScopes } from '../protocol/agent/update_chat_scopes.ts'
import type { updateChatThreadProperties } from '../protocol/agent/update_chat_thread_properties.ts'
import type { updateCustomer as updateCard } from '../protocol/agent/update_customer.ts'
import type { updateLastSeenTimestamp } from '../protocol/agent/update_last_seen_timestamp.ts'
import type { closeThread as closeOwnThread } from '../protocol/customer/close_thread.ts'
import type { getChatThreads as getOwnThreads } from '../protocol/customer/get_chat_threads.ts'
import type { getChatThreadsSummary } from '../protocol/customer/get_chat_threads_summary.ts'
import type { getChatsSummary } from '../protocol/customer/get_chats_summary.ts'
import type { listGroupStatuses as listStatuses } from '../protocol/customer/list_group_statuses.ts'
import type { login as logInCustomer } from '../protocol/customer/login.ts'
import type { markEventAsSeen as markOwn } from '../protocol/customer/mark_event_as_seen.ts'
import type { ping as pingCustomer } from '../protocol/customer/ping.ts'
import type { sendEvent as sendOwn } from '../protocol/customer/send_event.ts'
import type { sendSneakPeek } from '../protocol/customer/send_sneak_peek.ts'
import type { sendTypingIndicator as sendOwnTyping } from '../protocol/customer/send_typing_indicator.ts'
import type { startChat as startOwn } from '../protocol/customer/start_chat.ts'
import type { updateChatProperties as updateOwnProperties } from '../protocol/customer/update_chat_properties.ts'
import type { updateChatScopes as updateOwnScopes } from '../protocol/customer/update_chat_scopes.ts'
import type { updateChatThreadProperties as updateOwnThread } from '../protocol/customer/update_chat_thread_properties.ts'
import type { updateCustomer } from '../protocol/customer/update_customer.ts'
import type { updateLastSeenTimestamp as updateOwnSeen } from '../protocol/customer/update_last_seen_timestamp.ts'
import type { CustomerPushName, CustomerPushPayload } from '../protocol/customer-pushes.ts'
import type { PushName, PushPayload } from '../protocol/pushes.ts'

// Types alone: nothing of a contract is in the client's bundle.

type Answer<Spec extends ActionSpec> = Spec['response'] extends z.core.$ZodType
  ? z.output<Spec['response']>
  : undefined

type Actions<Spec extends ActionSpec> = {
  [Name in Spec['name']]: {
    request: z.input<Extract<Spec, { name: Name }>['request']>
    answer: Answer<Extract<Spec, { name: Name }>>
  }
}

/** What an endpoint takes and sends, by name. */
export interface Endpoint {
  actions: Record<string, { request: object; answer: unknown }> & { login: { answer: unknown } }
  pushes: Record<string, object>
}

type AgentAction =
  | typeof banCustomer
  | typeof changePushNotifications
  | typeof closeThread
  | typeof followChat
  | typeof getArchives
  | typeof getChatThreads
  | typeof getCustomer
  | typeof getFilteredChats
  | typeof joinChat
  | typeof listAgentsForTransfer
  | typeof listGroupStatuses
  | typeof login
  | typeof logout
  | typeof markEventAsSeen
  | typeof ping
  | typeof removeFromChat
  | typeof sendBroadcast
  | typeof sendEvent
  | typeof sendTypingIndicator
  | typeof startChat
  | typeof superviseChat
  | typeof sync
  | typeof transferChat
  | typeof tagThread
  | typeof unbanCustomer
  | typeof unfollowChat
  | typeof untagThread
  | typeof updateAgent
  | typeof updateChatProperties
  | typeof updateChatScopes
  | typeof updateChatThreadProperties
  | typeof updateCard
  | typeof updateLastSeenTimestamp

/** The actions that agents may ask for over HTTP. */
export type HttpAction = Exclude<AgentAction, { socketOnly: true }>['name']

export interface AgentEndpoint {
  actions: Actions<AgentAction>
  pushes: { [Name in PushName]: PushPayload<Name> }
}

export interface CustomerEndpoint {
  actions: Actions<
    | typeof closeOwnThread
    | typeof getOwnThreads
    | typeof getChatThreadsSummary
    | typeof getChatsSummary
    | typeof listStatuses
    | typeof logInCustomer
    | typeof markOwn
    | typeof pingCustomer
    | typeof sendOwn
    | typeof sendSneakPeek
    | typeof sendOwnTyping
    | typeof startOwn
    | typeof updateOwnProperties
    | typeof updateOwnScopes
    | typeof updateOwnThread
    | typeof updateCustomer
    | typeof updateOwnSeen
  >
  pushes: { [Name in CustomerPushName]: CustomerPushPayload<Name> }
}
