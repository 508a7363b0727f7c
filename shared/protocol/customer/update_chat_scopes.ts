import * as z from 'zod/mini'
import { action } from '../action.ts'
import { GroupScopes, Id, opt } from '../fields.ts'

export const updateChatScopes = action({
  name: 'update_chat_scopes',
  summary: 'Changes which groups have access to a chat: adds first, then removes.',
  by: 'customer',
  request: z.object({ chat_id: Id, add_scopes: opt(GroupScopes), remove_scopes: opt(GroupScopes) }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['account', 'customer', 'chat', 'activeChats', 'changedChats'],
  pushes: ['incoming_chat_thread', 'chat_scopes_updated'],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'member',
  // the source's sentence, though it is that of another action (protocol §2)
  denied: 'You are not allowed to close this chat.',
})
