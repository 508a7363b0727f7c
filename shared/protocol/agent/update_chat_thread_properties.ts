import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'
import { PropertiesInput } from '../properties.ts'

export const updateChatThreadProperties = action({
  name: 'update_chat_thread_properties',
  summary: "Merges properties into a thread's; null removes one.",
  request: z.object({ chat_id: Id, thread_id: Id, properties: PropertiesInput }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'changedChats'],
  pushes: ['chat_thread_properties_updated'],
  session: 'required',
  reads: ['chat', 'threadProperties'],
  may: 'access',
  tokenScopes: { any: ['chats.conversation--chat_scopes:write', 'chats.conversation--my:write'] },
  denied: 'You are not allowed to set chat thread properties.',
})
