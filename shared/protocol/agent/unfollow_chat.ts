import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'

export const unfollowChat = action({
  name: 'unfollow_chat',
  summary: 'Ends following a chat.',
  request: z.object({ chat_id: Id }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat'],
  pushes: ['chat_unfollowed'],
  session: 'required',
  socketOnly: true,
  reads: ['chat'],
  may: 'access',
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
  denied: 'You cannot unfollow this chat.',
})
