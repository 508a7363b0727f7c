import { watching } from '../../shared/access/audience.ts'
import { moveSeen } from '../../shared/chat/last-seen.ts'
import { updateLastSeenTimestamp } from '../../shared/protocol/agent/update_last_seen_timestamp.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(updateLastSeenTimestamp, async (ctx, { timestamp: asked }) => {
  const { me, chat } = ctx
  const { timestamp, moved } = await moveSeen(ctx, asked ?? Number.POSITIVE_INFINITY)
  if (moved) {
    ctx.push(watching(chat), 'last_seen_timestamp_updated', {
      user_id: me.agent_id,
      chat_id: chat.id,
      timestamp,
    })
  }
  return { timestamp }
})
