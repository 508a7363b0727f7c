import { watching } from '../../shared/access/audience.ts'
import { markSeen } from '../../shared/chat/last-seen.ts'
import { markEventAsSeen } from '../../shared/protocol/customer/mark_event_as_seen.ts'
import { serve } from '../../shared/request/serve.ts'
import { keys } from '../../shared/table/keys.ts'

export const handler = serve(markEventAsSeen, async (ctx, { event_id }) => {
  const { me, chat } = ctx
  const user_id = me.customer_id
  const { timestamp, moved, marked } = await markSeen(ctx)
  if (!(moved || marked) || !(await ctx.pace({ keys: [keys.chatSeen(chat.id, user_id)] }))) return
  if (marked) ctx.push(watching(chat), 'event_marked_as_seen', { chat_id: chat.id, event_id, user_id })
  if (moved) ctx.push(watching(chat), 'last_seen_timestamp_updated', { user_id, chat_id: chat.id, timestamp })
})
