import { pushClosing } from '../../shared/chat/announce/entries.ts'
import { closeThread as close } from '../../shared/chat/close-thread.ts'
import { enqueueRoutingAfterClosing } from '../../shared/chat/enqueue-routing.ts'
import { closeThread } from '../../shared/protocol/agent/close_thread.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(closeThread, async (ctx, { thread_id }) => {
  const closing = await close(ctx, thread_id)
  pushClosing(ctx, closing)
  await enqueueRoutingAfterClosing(ctx, closing.chat)
})
