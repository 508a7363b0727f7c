import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, text } from '../fields.ts'
import { limits } from '../limits.ts'

export const sendSneakPeek = action({
  name: 'send_sneak_peek',
  summary: 'Shows the agents in a chat what the customer is writing; it is not stored.',
  by: 'customer',
  request: z.object({ chat_id: Id, sneak_peek_text: text(limits.textBytes) }),
  response: null,
  needs: ['read', 'push'],
  pushes: ['incoming_sneak_peek'],
  session: 'required',
  reads: ['chat'],
  paced: true,
  may: 'member',
  denied: 'You cannot send the sneak peek in this chat.',
})
