import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt, Scopes } from '../fields.ts'

export const updateChatScopes = action({
  name: 'update_chat_scopes',
  summary: 'Changes which agents and groups have access to a chat: adds first, then removes.',
  request: z.object({ chat_id: Id, add_scopes: opt(Scopes), remove_scopes: opt(Scopes) }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['account', 'chat', 'activeChats', 'changedChats'],
  pushes: ['incoming_chat_thread', 'chat_scopes_updated'],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'access',
  tokenScopes: { any: ['chats.meta--chat_scopes:write', 'chats.meta--my:write'] },
  // the source's sentence, though it is that of another action (protocol §2)
  denied: 'You are not allowed to close this chat.',
})
