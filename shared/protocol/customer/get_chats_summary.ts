import * as z from 'zod/mini'
import { action } from '../action.ts'
import { CustomerChatSummary } from '../customer-objects.ts'
import { opt } from '../fields.ts'
import { limits } from '../limits.ts'
import { pageOf, Pagination } from '../pagination.ts'

export const getChatsSummary = action({
  name: 'get_chats_summary',
  summary: "Returns the customer's chats in short.",
  by: 'customer',
  request: z.object({ pagination: opt(pageOf(limits.customerChatsMax)) }),
  response: z.strictObject({ chats_summary: z.array(CustomerChatSummary), pagination: Pagination }),
  needs: ['read'],
  pushes: [],
  session: 'required',
  reads: [],
})
