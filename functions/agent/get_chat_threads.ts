import { answerThreads } from '../../shared/chat/threads-answer.ts'
import { getChatThreads } from '../../shared/protocol/agent/get_chat_threads.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(getChatThreads, (ctx, asked) =>
  answerThreads(ctx.read, ctx.chat, asked, () => true),
)
