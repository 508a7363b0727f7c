import { chatFor } from '../../shared/access/visibility.ts'
import { announceThreadStarted } from '../../shared/chat/announce/thread-started.ts'
import { withSuccessors } from '../../shared/chat/deleted-names.ts'
import { filledScopes } from '../../shared/chat/scopes.ts'
import { startChat as start } from '../../shared/chat/start/start-chat.ts'
import { startChat } from '../../shared/protocol/customer/start_chat.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(startChat, async (ctx, { chat: asked }) => {
  const { events = [] } = asked?.thread ?? {}
  // either place may be filled: an empty one must not hide the other
  const initial = events.length > 0 ? events : (asked?.events ?? [])
  const allowed = ctx.admitThread(initial.length)
  const started = await withSuccessors(ctx, [filledScopes(asked?.scopes)], (scopes = filledScopes()) =>
    start(ctx, {
      events: initial,
      scopes,
      properties: asked?.properties,
      threadProperties: asked?.thread?.properties,
      customer: ctx.me.customer_id,
      allowed,
    }),
  )
  return { chat: chatFor(await announceThreadStarted(ctx, started), started.chat) }
})
