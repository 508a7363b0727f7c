import { summarizeOwn } from '../../shared/chat/view/customer-summary.ts'
import { getChatsSummary } from '../../shared/protocol/customer/get_chats_summary.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(getChatsSummary, async (ctx, { pagination = {} }) => {
  const { page = 1 } = pagination
  // a customer has one chat
  const own = await summarizeOwn(ctx.read, ctx.me, { threads: limits.lastThreads })
  const all = own === undefined ? [] : [own.summary]
  return { chats_summary: page === 1 ? all : [], pagination: { page, total: all.length } }
})
