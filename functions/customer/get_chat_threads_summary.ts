import { threadsOf } from '../../shared/chat/view/threads-answer.ts'
import { getChatThreadsSummary } from '../../shared/protocol/customer/get_chat_threads_summary.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(getChatThreadsSummary, async ({ chat }, { pagination = {} }) => {
  const { offset = 0, limit = limits.threadsSummaryPage } = pagination
  return {
    chat: { id: chat.id, threads_summary: threadsOf(chat, offset, limit) },
    pagination: { offset, total: chat.thread },
  }
})
