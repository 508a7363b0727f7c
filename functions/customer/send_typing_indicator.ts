import { sendTypingIndicator } from '../../shared/protocol/customer/send_typing_indicator.ts'
import { othersIn } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(sendTypingIndicator, async (ctx, { is_typing }) => {
  const { me, chat } = ctx
  const author_id = me.customer_id
  ctx.push(othersIn(chat, author_id), 'incoming_typing_indicator', {
    chat_id: chat.id,
    typing_indicator: {
      author_id,
      recipients: 'all',
      timestamp: Math.floor(ctx.now() / 1000),
      is_typing,
    },
  })
})
