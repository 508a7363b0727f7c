import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Recipients } from '../events.ts'
import { Flag, Id, opt } from '../fields.ts'

export const sendTypingIndicator = action({
  name: 'send_typing_indicator',
  summary:
    'Tells the others in a chat that the requester is typing, for 10 s unless repeated, or has stopped; it is not stored.',
  request: z.object({ chat_id: Id, recipients: opt(Recipients), is_typing: Flag }),
  response: null,
  needs: ['read', 'push'],
  pushes: ['incoming_typing_indicator'],
  session: 'required',
  reads: ['chat'],
  may: 'member',
  tokenScopes: { any: ['chats.conversation--chat_scopes:write', 'chats.conversation--my:write'] },
  denied: 'You cannot send the typing indicator in this chat.',
})
