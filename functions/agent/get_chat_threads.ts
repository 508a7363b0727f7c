import { answerThreads } from '../../shared/chat/view/threads-answer.ts'
import { getChatThreads } from '../../shared/protocol/agent/get_chat_threads.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(getChatThreads, (ctx, asked) =>
  answerThreads(ctx.read, ctx.chat, asked, () => true),
)
