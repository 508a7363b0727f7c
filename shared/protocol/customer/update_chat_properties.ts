import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'
import { PropertiesInput } from '../properties.ts'

export const updateChatProperties = action({
  name: 'update_chat_properties',
  summary: "Merges properties into a chat's; null removes one.",
  by: 'customer',
  request: z.object({ chat_id: Id, properties: PropertiesInput }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['customer', 'chat', 'changedChats'],
  pushes: ['chat_properties_updated'],
  session: 'required',
  reads: ['chat', 'chatProperties'],
  paced: true,
  may: 'member',
  denied: 'You are not allowed to set chat properties.',
})
