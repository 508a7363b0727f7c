import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Flag, Id } from '../fields.ts'

export const sendTypingIndicator = action({
  name: 'send_typing_indicator',
  summary:
    'Tells the agents in a chat that the customer is typing, for 10 s unless repeated, or has stopped; it is not stored.',
  by: 'customer',
  request: z.object({ chat_id: Id, is_typing: Flag }),
  response: null,
  needs: ['read', 'push'],
  pushes: ['incoming_typing_indicator'],
  session: 'required',
  reads: ['chat'],
  paced: true,
  may: 'member',
  denied: 'You cannot send the typing indicator in this chat.',
})
