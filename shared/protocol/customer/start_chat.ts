import * as z from 'zod/mini'
import { action } from '../action.ts'
import { CustomerChatWithThread } from '../customer-objects.ts'
import { initialEvents, NewCustomerEvent } from '../events.ts'
import { GroupScopes, opt } from '../fields.ts'
import { OptionalProperties } from '../properties.ts'

const InitialEvents = initialEvents(NewCustomerEvent)

export const startChat = action({
  name: 'start_chat',
  summary: "Starts the customer's chat, or a new thread of it; to an active one it adds.",
  by: 'customer',
  request: z.object({
    chat: opt(
      z.object({
        scopes: opt(GroupScopes),
        properties: OptionalProperties,
        events: InitialEvents,
        thread: opt(z.object({ events: InitialEvents, properties: OptionalProperties })),
      }),
    ),
  }),
  response: z.strictObject({ chat: CustomerChatWithThread }),
  needs: ['read', 'push', 'fan_out'],
  alsoReads: ['loads'],
  writes: ['account', 'customer', 'chat', 'chats', 'activeChats', 'loads'],
  pushes: [
    'incoming_chat_thread',
    'incoming_event',
    'chat_users_updated',
    'chat_properties_updated',
    'chat_thread_properties_updated',
  ],
  session: 'required',
  reads: [],
  denied: 'Chat cannot be started.',
})
