import type { ActionSpec } from '../action.ts'
import { closeThread } from './close_thread.ts'
import { getChatThreads } from './get_chat_threads.ts'
import { getChatThreadsSummary } from './get_chat_threads_summary.ts'
import { getChatsSummary } from './get_chats_summary.ts'
import { listGroupStatuses } from './list_group_statuses.ts'
import { login } from './login.ts'
import { markEventAsSeen } from './mark_event_as_seen.ts'
import { ping } from './ping.ts'
import { sendEvent } from './send_event.ts'
import { sendSneakPeek } from './send_sneak_peek.ts'
import { sendTypingIndicator } from './send_typing_indicator.ts'
import { startChat } from './start_chat.ts'
import { updateChatProperties } from './update_chat_properties.ts'
import { updateChatScopes } from './update_chat_scopes.ts'
import { updateChatThreadProperties } from './update_chat_thread_properties.ts'
import { updateCustomer } from './update_customer.ts'
import { updateLastSeenTimestamp } from './update_last_seen_timestamp.ts'

/**
 * What exists on the customers' endpoint. Routes, grants, docs, the local gateway and the tests derive from
 * it.
 */
export const customerActions: readonly ActionSpec[] = [
  login,
  ping,
  startChat,
  sendEvent,
  sendSneakPeek,
  sendTypingIndicator,
  closeThread,
  getChatsSummary,
  getChatThreads,
  getChatThreadsSummary,
  listGroupStatuses,
  markEventAsSeen,
  updateLastSeenTimestamp,
  updateCustomer,
  updateChatScopes,
  updateChatProperties,
  updateChatThreadProperties,
]
