import { type ActionSpec, isOverHttp } from '../action.ts'
import { banCustomer } from './ban_customer.ts'
import { changePushNotifications } from './change_push_notifications.ts'
import { closeThread } from './close_thread.ts'
import { followChat } from './follow_chat.ts'
import { getArchives } from './get_archives.ts'
import { getChatThreads } from './get_chat_threads.ts'
import { getCustomer } from './get_customer.ts'
import { getFilteredChats } from './get_filtered_chats.ts'
import { joinChat } from './join_chat.ts'
import { listAgentsForTransfer } from './list_agents_for_transfer.ts'
import { listGroupStatuses } from './list_group_statuses.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import { markEventAsSeen } from './mark_event_as_seen.ts'
import { ping } from './ping.ts'
import { removeFromChat } from './remove_from_chat.ts'
import { sendBroadcast } from './send_broadcast.ts'
import { sendEvent } from './send_event.ts'
import { sendTypingIndicator } from './send_typing_indicator.ts'
import { startChat } from './start_chat.ts'
import { superviseChat } from './supervise_chat.ts'
import { sync } from './sync.ts'
import { transferChat } from './transfer_chat.ts'
import { tagThread } from './tag_thread.ts'
import { unbanCustomer } from './unban_customer.ts'
import { unfollowChat } from './unfollow_chat.ts'
import { untagThread } from './untag_thread.ts'
import { updateAgent } from './update_agent.ts'
import { updateChatProperties } from './update_chat_properties.ts'
import { updateChatScopes } from './update_chat_scopes.ts'
import { updateChatThreadProperties } from './update_chat_thread_properties.ts'
import { updateCustomer } from './update_customer.ts'
import { updateLastSeenTimestamp } from './update_last_seen_timestamp.ts'

/**
 * What exists on the agents' endpoint. Routes, grants, docs, the local gateway and the tests derive from it.
 */
export const agentActions: readonly ActionSpec[] = [
  login,
  logout,
  ping,
  startChat,
  sendEvent,
  joinChat,
  superviseChat,
  removeFromChat,
  transferChat,
  listAgentsForTransfer,
  closeThread,
  followChat,
  unfollowChat,
  getChatThreads,
  getFilteredChats,
  getArchives,
  sync,
  markEventAsSeen,
  updateLastSeenTimestamp,
  sendTypingIndicator,
  sendBroadcast,
  updateChatScopes,
  updateChatProperties,
  updateChatThreadProperties,
  listGroupStatuses,
  tagThread,
  untagThread,
  updateAgent,
  changePushNotifications,
  getCustomer,
  updateCustomer,
  banCustomer,
  unbanCustomer,
]

/** The path of an action of the HTTP API. */
export const httpPath = (action: string): string => `/v1/agent/action/${action}`

/** What agents may ask for over HTTP: all that is not about a connection. */
export const httpActions: readonly ActionSpec[] = agentActions.filter(isOverHttp)
