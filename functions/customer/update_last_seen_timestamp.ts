import { moveSeen } from '../../shared/chat/seen.ts'
import { updateLastSeenTimestamp } from '../../shared/protocol/customer/update_last_seen_timestamp.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { watching } from '../../shared/push/audience.ts'
import { authorize } from '../../shared/chat/access.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { readChat } from '../../shared/table/chats.ts'
import { customerChatId } from '../../shared/table/keys.ts'

export const handler = serve(updateLastSeenTimestamp, async (ctx, asked) => {
  const { me } = ctx
  const chat_id = customerChatId(me.license_id, me.customer_id)
  const known = asked.chat_id === undefined || asked.chat_id === chat_id
  const chat = known ? await readChat(ctx.read, chat_id) : undefined
  if (chat === undefined) throw new ProtocolError('not_found')
  authorize({ ...updateLastSeenTimestamp, may: 'member' }, me, chat, asked)
  const { timestamp, moved } = await moveSeen({ ...ctx, chat }, asked.timestamp ?? Number.POSITIVE_INFINITY)
  if (moved)
    ctx.push(watching(chat), 'last_seen_timestamp_updated', {
      user_id: me.customer_id,
      chat_id,
      timestamp,
    })
  return { timestamp }
})
