import * as z from 'zod/mini'
import { action } from '../action.ts'
import { ChatThreadsRequest } from '../chat-threads.ts'
import { CustomerChatUser, CustomerScopes, CustomerThread } from '../customer-objects.ts'
import { ThreadsSummary } from '../objects.ts'
import { PropertiesOutput } from '../properties.ts'

export const getChatThreads = action({
  name: 'get_chat_threads',
  summary: "Returns a chat with the threads asked for, or its last one, and a page of one thread's events.",
  by: 'customer',
  request: ChatThreadsRequest,
  response: z.strictObject({
    chat: z.strictObject({
      id: z.string(),
      version: z.int(),
      properties_version: z.int(),
      users: z.array(CustomerChatUser),
      threads: z.array(CustomerThread),
      threads_summary: ThreadsSummary,
      properties: z.optional(PropertiesOutput),
      scopes: z.optional(CustomerScopes),
    }),
  }),
  needs: ['read'],
  pushes: [],
  session: 'required',
  reads: ['chat'],
  may: 'access',
})
