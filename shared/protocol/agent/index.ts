import type { ActionSpec } from '../action.ts'
import { closeThread } from './close_thread.ts'
import { getChatThreads } from './get_chat_threads.ts'
import { joinChat } from './join_chat.ts'
import { login } from './login.ts'
import { ping } from './ping.ts'
import { removeFromChat } from './remove_from_chat.ts'
import { sendEvent } from './send_event.ts'
import { startChat } from './start_chat.ts'

/** What exists on the agents' endpoint. Routes, grants, docs, the local gateway and the tests derive from it. */
export const agentActions: readonly ActionSpec[] = [
  login,
  ping,
  startChat,
  sendEvent,
  joinChat,
  removeFromChat,
  closeThread,
  getChatThreads,
]
