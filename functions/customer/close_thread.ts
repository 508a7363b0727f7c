import { pushClosing } from '../../shared/chat/announce/entries.ts'
import { closeThread as close } from '../../shared/chat/close-thread.ts'
import { enqueueRoutingAfterClosing } from '../../shared/chat/enqueue-routing.ts'
import { closeThread } from '../../shared/protocol/customer/close_thread.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(closeThread, async (ctx) => {
  const closing = await close(ctx, undefined)
  pushClosing(ctx, closing)
  await enqueueRoutingAfterClosing(ctx, closing.chat)
})
