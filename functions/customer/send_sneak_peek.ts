import { announceSneakPeek } from '../../shared/chat/announce/momentary.ts'
import { sendSneakPeek } from '../../shared/protocol/customer/send_sneak_peek.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(sendSneakPeek, async (ctx, { sneak_peek_text: text }) => {
  if (await ctx.pace({ payload: text })) announceSneakPeek(ctx, ctx.chat, ctx.me.customer_id, text)
})
