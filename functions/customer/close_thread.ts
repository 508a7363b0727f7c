import { closeThread as close } from '../../shared/chat/threads.ts'
import { routeSoon } from '../../shared/chat/route-soon.ts'
import { closeThread } from '../../shared/protocol/customer/close_thread.ts'
import { pushClosing } from '../../shared/push/entries.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(closeThread, async (ctx) => {
  pushClosing(ctx, await close(ctx, undefined))
  // whoever was in it may take another
  await routeSoon(ctx, ctx.me.license_id)
})
