import { everyAgent } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { AgentStatus } from '../../protocol/agent-status.ts'
import { AgentItem } from '../../table/accounts.ts'
import type { Reads } from '../../table/capabilities.ts'
import { keys } from '../../table/keys.ts'

/**
 * Tells a license what status an agent has by now: of two changes at once either may push last. Resolves to
 * what was told.
 */
export const announceStatus = async (
  ctx: Reads & Pick<Pushing<'agent_updated'>, 'push' | 'prefetchAudience'>,
  license: string,
  id: string,
): Promise<AgentStatus | undefined> => {
  ctx.prefetchAudience(everyAgent(license), 'agent_updated')
  const found = await ctx.read.get(keys.agent(license, id), { strong: true })
  const agent = found && AgentItem.parse(found)
  const status = agent && shownStatus(agent)
  if (status !== undefined)
    ctx.push(everyAgent(license), 'agent_updated', { agent_id: id, routing_status: status })
  return status
}

/** Undefined: nobody is told. Whether a person is there its connections say, not its status. */
const shownStatus = ({ bot, online, deleted, routing_status }: AgentItem): AgentStatus | undefined => {
  if (deleted) return undefined
  return online ? routing_status : bot && 'offline'
}
