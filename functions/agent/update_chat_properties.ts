import { watching } from '../../shared/access/audience.ts'
import { changeProperties } from '../../shared/chat/change-properties.ts'
import { whileBotIsIn } from '../../shared/chat/guards.ts'
import { updateChatProperties } from '../../shared/protocol/agent/update_chat_properties.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(updateChatProperties, async (ctx, { properties }) => {
  const changed = await changeProperties(ctx, properties, whileBotIsIn(ctx))
  if (changed === undefined) return
  const { chat, told } = changed
  ctx.push(watching(chat), 'chat_properties_updated', { chat_id: chat.id, ...told })
})
