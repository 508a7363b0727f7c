import * as z from 'zod/mini'
import { action } from '../action.ts'
import { atLeast, Id, unique } from '../fields.ts'
import { limits } from '../limits.ts'

export const joinChat = action({
  name: 'join_chat',
  summary: 'Adds agents to a chat; a supervisor becomes an agent.',
  request: z.object({
    chat_id: Id,
    agent_ids: unique(Id, limits.membershipIds).check(atLeast(1, 'Name at least one agent')),
  }),
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
  tokenScopes: {
    any: ['chats.meta--chat_scopes:write', 'chats.meta--my:write'],
    forSelf: ['chats.conversation--chat_scopes:write'],
  },
  denied: 'You do not have permission to perform this action.',
})
