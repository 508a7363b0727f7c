import { updateScopes } from '../../shared/chat/scopes.ts'
import { updateChatScopes } from '../../shared/protocol/agent/update_chat_scopes.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(updateChatScopes, (ctx, { add_scopes, remove_scopes }) =>
  updateScopes(ctx, add_scopes, remove_scopes),
)
