import { whileNotBanned } from '../../shared/chat/guards.ts'
import { updateScopes } from '../../shared/chat/scopes.ts'
import { updateChatScopes } from '../../shared/protocol/customer/update_chat_scopes.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(updateChatScopes, (ctx, { add_scopes, remove_scopes }) =>
  updateScopes(ctx, add_scopes, remove_scopes, whileNotBanned(ctx, updateChatScopes.denied)),
)
