import { announceTyping } from '../../shared/chat/announce/momentary.ts'
import { sendTypingIndicator } from '../../shared/protocol/customer/send_typing_indicator.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(sendTypingIndicator, async (ctx, { is_typing }) => {
  if (await ctx.pace({ payload: is_typing })) announceTyping(ctx, ctx.chat, ctx.me.customer_id, is_typing)
})
