import { sync } from '../../shared/protocol/agent/sync.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serve } from '../../shared/request/serve.ts'
import { syncSince } from '../../shared/sync/sync.ts'

export const handler = serve(sync, (ctx, { cursor, limit = limits.syncPage }) =>
  syncSince(ctx, cursor, limit),
)
