import { sendSneakPeek } from '../../shared/protocol/customer/send_sneak_peek.ts'
import { staffOf } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(sendSneakPeek, async (ctx, { sneak_peek_text: text }) => {
  const { me, chat } = ctx
  ctx.push(staffOf(chat), 'incoming_sneak_peek', {
    chat_id: chat.id,
    sneak_peek: {
      author_id: me.customer_id,
      recipients: 'agents',
      timestamp: Math.floor(ctx.now() / 1000),
      text,
    },
  })
})
