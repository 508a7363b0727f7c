import * as z from 'zod/mini'
import { action } from '../action.ts'
import { CustomerEvent } from '../customer-objects.ts'
import { NewCustomerEvent } from '../events.ts'
import { Id } from '../fields.ts'

export const sendEvent = action({
  name: 'send_event',
  summary: 'Adds an event to the active thread, starting one where none is active.',
  by: 'customer',
  request: z.object({ chat_id: Id, event: NewCustomerEvent }),
  response: z.strictObject({ thread_id: z.string(), event: CustomerEvent }),
  needs: ['read', 'push', 'fan_out'],
  alsoReads: ['loads'],
  writes: ['account', 'customer', 'chat', 'chats', 'activeChats', 'loads', 'changedChats'],
  pushes: [
    'incoming_event',
    'incoming_chat_thread',
    'chat_users_updated',
    'chat_properties_updated',
    'chat_thread_properties_updated',
  ],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'member',
  denied: 'You cannot send the message in this chat.',
})
