import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt, unique } from '../fields.ts'
import { limits } from '../limits.ts'
import { ScopesOutput, Thread, User } from '../objects.ts'
import { PropertiesOutput } from '../properties.ts'

const Order = z.int().check(z.nonnegative())

export const getChatThreads = action({
  name: 'get_chat_threads',
  summary: "Returns a chat with the threads asked for, or its last one, and a page of one thread's events.",
  request: z
    .object({
      chat_id: Id,
      thread_ids: opt(unique(Id, limits.threadIds)),
      before_order: opt(Order),
      after_order: opt(Order),
      limit: opt(z.int().check(z.minimum(1), z.maximum(limits.eventsPageMax))),
    })
    .check(
      z.refine((page) => page.before_order === undefined || page.after_order === undefined, {
        error: 'before_order and after_order exclude each other',
        path: ['after_order'],
      }),
      z.refine(
        (page) =>
          page.thread_ids?.length === 1 ||
          (page.before_order === undefined && page.after_order === undefined),
        { error: 'before_order and after_order need exactly one entry here', path: ['thread_ids'] },
      ),
    ),
  response: z.strictObject({
    chat: z.strictObject({
      id: z.string(),
      users: z.array(User),
      threads: z.array(Thread),
      threads_summary: z.array(z.strictObject({ thread_id: z.string(), order: z.int() })),
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
