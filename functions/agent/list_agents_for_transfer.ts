import { hasAccess } from '../../shared/access/permissions.ts'
import { byLoad, loadOf } from '../../shared/chat/choose-agent.ts'
import { readRoutingState } from '../../shared/chat/routing-state.ts'
import { listAgentsForTransfer } from '../../shared/protocol/agent/list_agents_for_transfer.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(listAgentsForTransfer, async ({ read, me, chat }) => {
  const desk = await readRoutingState(read, me.license_id, { strong: false })
  if (desk === undefined) throw new ProtocolError('license_expired')
  const seeing = desk.agents.filter(
    (agent) =>
      agent.online && !agent.away && !agent.suspended && hasAccess({ ...agent, agent_id: agent.id }, chat),
  )
  return {
    agents: byLoad(seeing, desk)
      .slice(0, limits.directory)
      .map((agent) => ({
        agent_id: agent.id,
        active_chats: loadOf(agent, desk).active,
        routing_status: agent.routing_status ?? agent.default_status,
        is_bot: agent.bot,
      })),
  }
})
