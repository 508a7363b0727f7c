import { pushClosing } from '../../shared/chat/announce/entries.ts'
import { closeThread as close } from '../../shared/chat/close-thread.ts'
import { enqueueRouting } from '../../shared/chat/enqueue-routing.ts'
import { closeThread } from '../../shared/protocol/customer/close_thread.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(closeThread, async (ctx) => {
  pushClosing(ctx, await close(ctx, undefined))
  // agents who were in it may take another
  await enqueueRouting(ctx, ctx.me.license_id)
})
