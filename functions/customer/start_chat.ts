import { filledScopes } from '../../shared/chat/scopes.ts'
import { startChat as start } from '../../shared/chat/start.ts'
import { tellStarted } from '../../shared/chat/started.ts'
import { chatFor } from '../../shared/chat/visibility.ts'
import { startChat } from '../../shared/protocol/customer/start_chat.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(startChat, async (ctx, { chat: asked }) => {
  const { events = [] } = asked?.thread ?? {}
  // either place may be filled: an empty one must not hide the other
  const initial = events.length > 0 ? events : (asked?.events ?? [])
  const started = await start(ctx, {
    events: initial,
    scopes: filledScopes(asked?.scopes),
    properties: asked?.properties,
    threadProperties: asked?.thread?.properties,
    customer: ctx.me.customer_id,
    allowed: ctx.admitThread(initial.length),
  })
  return { chat: chatFor(await tellStarted(ctx, started), started.chat) }
})
