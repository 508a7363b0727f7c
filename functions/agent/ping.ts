import { ping } from '../../shared/protocol/agent/ping.ts'
import { serve } from '../../shared/request/serve.ts'
import { encodeCursor } from '../../shared/sync/cursor.ts'
import { agentsSession, expiryOf } from '../../shared/table/sockets.ts'

export const handler = serve(ping, async (ctx, { cursor = false }) => {
  if (!cursor) return undefined
  const since = ctx.now()
  const session = agentsSession((await ctx.arrive())?.session)
  const isOver =
    session === undefined || session.ended !== undefined || expiryOf(session, since) !== undefined
  return isOver ? undefined : { cursor: encodeCursor(session, { since }) }
})
