import { watching } from '../../shared/access/audience.ts'
import { changeProperties, removesAny } from '../../shared/chat/change-properties.ts'
import { whileNotBanned } from '../../shared/chat/guards.ts'
import { updateChatProperties } from '../../shared/protocol/customer/update_chat_properties.ts'
import { serve } from '../../shared/request/serve.ts'
import { keys } from '../../shared/table/keys.ts'

export const handler = serve(updateChatProperties, async (ctx, { properties }) => {
  const changed = await changeProperties(ctx, properties, whileNotBanned(ctx, updateChatProperties.denied))
  if (changed === undefined) return
  const { chat, told } = changed
  // a removal is told as such: what is there by then does not show it
  const isPaced = !removesAny(told.properties) && !(await ctx.pace({ keys: [keys.chatProperties(chat.id)] }))
  if (isPaced) return
  ctx.push(watching(chat), 'chat_properties_updated', { chat_id: chat.id, ...told })
})
