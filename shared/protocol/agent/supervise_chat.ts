import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt, unique } from '../fields.ts'
import { limits } from '../limits.ts'

export const superviseChat = action({
  name: 'supervise_chat',
  summary: 'Adds supervisors, whom customers do not notice; without any named, the requester.',
  request: z.object({ chat_id: Id, agent_ids: opt(unique(Id, limits.membershipIds)) }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['account', 'chat', 'activeChats', 'loads', 'changedChats'],
  pushes: [
    'incoming_chat_thread',
    'incoming_event',
    'chat_users_updated',
    'chat_properties_updated',
    'chat_thread_properties_updated',
  ],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'access',
  tokenScopes: { any: ['chats.meta--chat_scopes:write', 'chats.meta--my:write'] },
  denied: 'You do not have permission to add a supervisor to this chat.',
})
