import { randomUUID } from 'node:crypto'
import { addressed, everyAgent } from '../../shared/access/audience.ts'
import { withSuccessors } from '../../shared/chat/deleted-names.ts'
import { filledScopes, requireScopes } from '../../shared/chat/scopes.ts'
import { sendBroadcast } from '../../shared/protocol/agent/send_broadcast.ts'
import { contentOf } from '../../shared/protocol/events.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(sendBroadcast, async (ctx, { scopes, content }) => {
  const { license_id, agent_id } = ctx.me
  ctx.prefetchAudience(everyAgent(license_id), 'incoming_broadcast')
  const to = await withSuccessors(ctx, [filledScopes(scopes)], async (named = filledScopes()) => {
    await requireScopes(ctx.read, license_id, named)
    return named
  })
  ctx.push(addressed(license_id, to), 'incoming_broadcast', {
    id: randomUUID(),
    author_id: agent_id,
    content: contentOf(content),
  })
})
