import { closeThread as close } from '../../shared/chat/threads.ts'
import { closeThread } from '../../shared/protocol/agent/close_thread.ts'
import { watching } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { threadId } from '../../shared/table/keys.ts'
import { eventOf } from '../../shared/table/log.ts'

export const handler = serve(closeThread, async (ctx, { thread_id }) => {
  const { chat, entry } = await close(ctx, thread_id)
  const at = { chat_id: chat.id, thread_id: threadId(chat.id, entry.n) }
  ctx.push(watching(chat), 'incoming_event', { ...at, event: eventOf(chat.id, entry) })
  ctx.push(watching(chat), 'thread_closed', { ...at, user_id: ctx.me.agent_id })
})
