import { watching } from '../../shared/access/audience.ts'
import { changeProperties } from '../../shared/chat/change-properties.ts'
import { updateChatProperties } from '../../shared/protocol/agent/update_chat_properties.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(updateChatProperties, async (ctx, { properties }) => {
  const changed = await changeProperties(ctx, properties)
  if (changed === undefined) return
  const { chat, told } = changed
  ctx.push(watching(chat), 'chat_properties_updated', { chat_id: chat.id, ...told })
})
