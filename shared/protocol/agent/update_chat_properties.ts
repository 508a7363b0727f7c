import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'
import { PropertiesInput } from '../properties.ts'

export const updateChatProperties = action({
  name: 'update_chat_properties',
  summary: "Merges properties into a chat's; null removes one.",
  request: z.object({ chat_id: Id, properties: PropertiesInput }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'changedChats'],
  pushes: ['chat_properties_updated'],
  session: 'required',
  reads: ['chat', 'chatProperties'],
  may: 'access',
  tokenScopes: { any: ['chats.conversation--chat_scopes:write', 'chats.conversation--my:write'] },
  denied: 'You are not allowed to set chat properties.',
})
