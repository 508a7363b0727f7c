import { endOwnSession } from '../../shared/account/logout.ts'
import { logout } from '../../shared/protocol/agent/logout.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(logout, (ctx, { firebase_token }) => endOwnSession(ctx, firebase_token))
