import * as z from 'zod/mini'
import { action } from '../action.ts'
import { initialEvents, NewInitialEvent } from '../events.ts'
import { atMost, Id, opt, Scopes } from '../fields.ts'
import { limits } from '../limits.ts'
import { ChatWithThread } from '../objects.ts'
import { OptionalProperties } from '../properties.ts'

const InitialEvents = initialEvents(NewInitialEvent)
const Customers = z
  .array(z.object({ id: Id, type: z.literal('customer', 'Must be customer: agents are added by join_chat') }))
  .check(atMost(limits.chatCustomers, 'At most one customer'))

export const startChat = action({
  name: 'start_chat',
  summary: "Starts a chat with the requester in it, or a customer's, or that one anew.",
  request: z.object({
    initial_events: InitialEvents,
    chat: opt(
      z.object({
        users: opt(Customers),
        properties: OptionalProperties,
        scopes: opt(Scopes),
        thread: opt(z.object({ events: InitialEvents, properties: OptionalProperties, scopes: opt(Scopes) })),
      }),
    ),
  }),
  response: z.strictObject({ chat: ChatWithThread }),
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
  tokenScopes: { any: ['chats.meta--chat_scopes:write'] },
  denied: 'You do not have permission to perform this action.',
})
