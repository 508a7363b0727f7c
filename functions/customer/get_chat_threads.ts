import { isShown, scopesFor, threadFor, usersFor } from '../../shared/access/visibility.ts'
import { answerThreads } from '../../shared/chat/view/threads-answer.ts'
import { getChatThreads } from '../../shared/protocol/customer/get_chat_threads.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(getChatThreads, async (ctx, asked) => {
  const { chat: found } = await answerThreads(ctx.read, ctx.chat, asked, ({ event }) => isShown(event))
  return {
    chat: {
      ...found,
      users: usersFor(found.users, ctx.chat),
      threads: found.threads.map((thread) => threadFor(thread, ctx.chat)),
      scopes: scopesFor(found.scopes),
    },
  }
})
