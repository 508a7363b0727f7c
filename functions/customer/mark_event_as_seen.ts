import { moveSeen } from '../../shared/chat/seen.ts'
import { markEventAsSeen } from '../../shared/protocol/customer/mark_event_as_seen.ts'
import { watching } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(markEventAsSeen, async (ctx, { event_id }) => {
  const { me, chat, event } = ctx
  const user_id = me.customer_id
  const { timestamp, moved } = await moveSeen(ctx, Math.floor(event.at / 1000))
  ctx.push(watching(chat), 'event_marked_as_seen', { chat_id: chat.id, event_id, user_id })
  if (moved) ctx.push(watching(chat), 'last_seen_timestamp_updated', { user_id, chat_id: chat.id, timestamp })
})
