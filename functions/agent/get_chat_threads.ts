import { answerThreads } from '../../shared/chat/view/threads-answer.ts'
import { getChatThreads } from '../../shared/protocol/agent/get_chat_threads.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(getChatThreads, (ctx, asked) =>
  answerThreads(ctx.read, ctx.chat, asked, () => true),
)
