import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'
import { PropertiesInput } from '../properties.ts'

export const updateChatThreadProperties = action({
  name: 'update_chat_thread_properties',
  summary: "Merges properties into a thread's; null removes one.",
  by: 'customer',
  request: z.object({ chat_id: Id, thread_id: Id, properties: PropertiesInput }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['customer', 'chat', 'changedChats'],
  pushes: ['chat_thread_properties_updated'],
  session: 'required',
  reads: ['chat', 'threadProperties'],
  paced: true,
  may: 'member',
  denied: 'You are not allowed to set chat thread properties.',
})
