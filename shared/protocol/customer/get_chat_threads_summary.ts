import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt } from '../fields.ts'
import { ThreadsSummary } from '../objects.ts'
import { Slice, SlicePagination } from '../pagination.ts'

export const getChatThreadsSummary = action({
  name: 'get_chat_threads_summary',
  summary: 'Returns which threads a chat has, the newest first.',
  by: 'customer',
  request: z.object({ chat_id: Id, pagination: opt(Slice) }),
  response: z.strictObject({
    chat: z.strictObject({ id: z.string(), threads_summary: ThreadsSummary }),
    pagination: SlicePagination,
  }),
  needs: ['read'],
  pushes: [],
  session: 'required',
  reads: ['chat'],
  may: 'access',
})
