import { everyAgent } from '../../shared/access/audience.ts'
import { isAdministrator } from '../../shared/access/permissions.ts'
import { enqueueRouting } from '../../shared/chat/enqueue-routing.ts'
import { updateAgent } from '../../shared/protocol/agent/update_agent.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'
import { AgentItem, setStatus } from '../../shared/table/accounts.ts'
import { keys } from '../../shared/table/keys.ts'

export const handler = serveBoth(updateAgent, async (ctx, { agent_id, routing_status }) => {
  const { me, nonce } = ctx
  const id = agent_id ?? me.agent_id
  if (id !== me.agent_id && !isAdministrator(me))
    throw new ProtocolError('authorization', { message: updateAgent.denied })
  if (routing_status === undefined) return
  const outcome = await ctx.write.write(setStatus(me.license_id, id, routing_status, nonce))
  if (!outcome.done) {
    if (outcome.found === undefined || AgentItem.parse(outcome.found).deleted)
      throw new ProtocolError('not_found')
    return
  }
  if (routing_status === 'accepting_chats') await enqueueRouting(ctx, me.license_id)
  // of two changes at once either may push last: both push what is in force by then
  ctx.prefetchAudience(everyAgent(me.license_id), 'agent_updated')
  const agent = AgentItem.parse(await ctx.read.get(keys.agent(me.license_id, id), { strong: true }))
  if (!agent.online || agent.routing_status === undefined) return
  ctx.push(everyAgent(me.license_id), 'agent_updated', {
    agent_id: id,
    routing_status: agent.routing_status,
  })
})
