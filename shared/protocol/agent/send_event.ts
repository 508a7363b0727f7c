import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Event, NewEvent } from '../events.ts'
import { Id } from '../fields.ts'

export const sendEvent = action({
  name: 'send_event',
  summary: 'Adds an event to the active thread, starting one where none is active.',
  request: z.object({ chat_id: Id, event: NewEvent }),
  response: z.strictObject({ thread_id: z.string(), event: Event }),
  needs: ['read', 'push', 'fan_out'],
  alsoReads: ['loads'],
  writes: ['account', 'customer', 'chat', 'chats', 'activeChats', 'loads', 'changedChats'],
  pushes: [
    'incoming_event',
    'incoming_chat_thread',
    'chat_users_updated',
    'chat_properties_updated',
    'chat_thread_properties_updated',
  ],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'member',
  tokenScopes: { any: ['chats.conversation--chat_scopes:write', 'chats.conversation--my:write'] },
  denied: 'You cannot send event in this chat.',
})
