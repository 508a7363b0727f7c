import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt, unique } from '../fields.ts'
import { limits } from '../limits.ts'

export const removeFromChat = action({
  name: 'remove_from_chat',
  summary: 'Removes users from a chat; without any named, the requester leaves.',
  request: z.object({
    chat_id: Id,
    agent_ids: opt(unique(Id, limits.membershipIds)),
    customer_ids: opt(unique(Id, limits.membershipIds)),
  }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'activeChats', 'loads', 'changedChats'],
  pushes: ['incoming_event', 'chat_users_updated'],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'access',
  tokenScopes: {
    any: ['chats.meta--chat_scopes:write', 'chats.meta--my:write'],
    forSelf: ['chats.conversation--chat_scopes:write', 'chats.conversation--my:write'],
  },
  denied: 'You do not have permission to perform this action.',
})
