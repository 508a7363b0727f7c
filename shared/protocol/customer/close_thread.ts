import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'

export const closeThread = action({
  name: 'close_thread',
  summary: 'Closes the active thread; only annotations can follow.',
  by: 'customer',
  request: z.object({ chat_id: Id }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'activeChats', 'loads'],
  pushes: ['incoming_event', 'thread_closed'],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'member',
  denied: 'You are not allowed to close this chat.',
})
