import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'

export const followChat = action({
  name: 'follow_chat',
  summary:
    'Has the agent hear what is said in a chat that it is not in, until the thread after the next begins.',
  request: z.object({ chat_id: Id }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat'],
  pushes: ['incoming_chat_thread'],
  session: 'required',
  socketOnly: true,
  reads: ['chat'],
  may: 'access',
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
  denied: 'You cannot follow this chat.',
})
