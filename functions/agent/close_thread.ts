import { closeThread as close } from '../../shared/chat/threads.ts'
import { closeThread } from '../../shared/protocol/agent/close_thread.ts'
import { pushClosing } from '../../shared/push/entries.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(closeThread, async (ctx, { thread_id }) =>
  pushClosing(ctx, await close(ctx, thread_id), ctx.me.agent_id),
)
