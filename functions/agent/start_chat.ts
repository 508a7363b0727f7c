import { showChat } from '../../shared/chat/show.ts'
import { startChat as start } from '../../shared/chat/start.ts'
import { startChat } from '../../shared/protocol/agent/start_chat.ts'
import { watching } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(startChat, async (ctx, { initial_events, chat: asked }) => {
  const { chat, head, events } = await start(ctx, {
    events: initial_events ?? asked?.thread?.events ?? [],
    scopes: asked?.scopes ?? asked?.thread?.scopes ?? {},
    properties: asked?.properties,
    threadProperties: asked?.thread?.properties,
  })
  ctx.readAudience(chat.license_id)
  const { shown } = await showChat(ctx.read, { chat, head, events })
  ctx.push(watching(chat), 'incoming_chat_thread', { chat: shown })
  return { chat: shown }
})
