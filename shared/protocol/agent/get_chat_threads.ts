import * as z from 'zod/mini'
import { action } from '../action.ts'
import { ChatThreadsRequest } from '../chat-threads.ts'
import { ScopesOutput, Thread, ThreadsSummary, User } from '../objects.ts'
import { PropertiesOutput } from '../properties.ts'

export const getChatThreads = action({
  name: 'get_chat_threads',
  summary: "Returns a chat with the threads asked for, or its last one, and a page of one thread's events.",
  request: ChatThreadsRequest,
  response: z.strictObject({
    chat: z.strictObject({
      id: z.string(),
      version: z.int(),
      properties_version: z.int(),
      users: z.array(User),
      threads: z.array(Thread),
      threads_summary: ThreadsSummary,
      properties: z.optional(PropertiesOutput),
      scopes: z.optional(ScopesOutput),
    }),
  }),
  needs: ['read'],
  pushes: [],
  session: 'required',
  reads: ['chat'],
  may: 'access',
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
})
