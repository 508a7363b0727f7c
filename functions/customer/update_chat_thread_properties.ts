import { watching } from '../../shared/access/audience.ts'
import { changeProperties, removesAny } from '../../shared/chat/change-properties.ts'
import { whileNotBanned } from '../../shared/chat/guards.ts'
import { updateChatThreadProperties } from '../../shared/protocol/customer/update_chat_thread_properties.ts'
import { serve } from '../../shared/request/serve.ts'
import { threadNumberOf } from '../../shared/table/ids.ts'
import { keys } from '../../shared/table/keys.ts'

export const handler = serve(updateChatThreadProperties, async (ctx, { thread_id, properties }) => {
  const changed = await changeProperties(
    ctx,
    properties,
    whileNotBanned(ctx, updateChatThreadProperties.denied),
  )
  if (changed === undefined) return
  const { chat, told } = changed
  const n = threadNumberOf(chat.id, thread_id) ?? chat.thread
  // a removal is told as such: what is there by then does not show it
  const isPaced =
    !removesAny(told.properties) && !(await ctx.pace({ keys: [keys.thread(chat.id, n)], before: chat }))
  if (isPaced) return
  ctx.push(watching(chat), 'chat_thread_properties_updated', { chat_id: chat.id, thread_id, ...told })
})
