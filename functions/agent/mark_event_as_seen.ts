import { watching } from '../../shared/access/audience.ts'
import { markSeen } from '../../shared/chat/last-seen.ts'
import { markEventAsSeen } from '../../shared/protocol/agent/mark_event_as_seen.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(markEventAsSeen, async (ctx, { event_id }) => {
  const { me, chat, event } = ctx
  const user_id = me.agent_id
  const { timestamp, moved, marked } = await markSeen(ctx)
  if (marked) ctx.push(watching(chat, event), 'event_marked_as_seen', { chat_id: chat.id, event_id, user_id })
  if (moved) ctx.push(watching(chat), 'last_seen_timestamp_updated', { user_id, chat_id: chat.id, timestamp })
})
