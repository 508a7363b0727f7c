import { changeScopes, filledScopes } from '../../shared/chat/scopes.ts'
import { showChat } from '../../shared/chat/show.ts'
import { scopesOf } from '../../shared/chat/views.ts'
import { updateChatScopes } from '../../shared/protocol/agent/update_chat_scopes.ts'
import { gaining, watchingEither } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(updateChatScopes, async (ctx, { add_scopes, remove_scopes }) => {
  const { before, chat, added, removed, tail } = await changeScopes(
    ctx,
    filledScopes(add_scopes),
    filledScopes(remove_scopes),
  )
  if (chat === before) return
  ctx.readAudience(chat.license_id)
  const { shown } = await showChat(ctx.read, { chat, events: tail.entries.toReversed() })
  ctx.push(gaining(before, chat), 'incoming_chat_thread', { chat: shown })
  ctx.push(watchingEither(before, chat), 'chat_scopes_updated', {
    chat_id: chat.id,
    scopes_added: scopesOf(added) ?? {},
    scopes_removed: scopesOf(removed) ?? {},
  })
})
