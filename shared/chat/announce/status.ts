import { everyAgent } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Enqueues } from '../../jobs/job-queue.ts'
import type { AgentStatus } from '../../protocol/objects.ts'
import { AgentItem } from '../../table/accounts.ts'
import type { Reads } from '../../table/capabilities.ts'
import { keys } from '../../table/keys.ts'
import { enqueueRouting, enqueueRoutingWithout } from '../enqueue-routing.ts'

/**
 * What follows from another status of an agent: the license is told what is in force by now, for of two changes
 * at once either may push last; and chats are routed to who has come to be free, or away from a bot that went.
 */
export const announceStatus = async (
  ctx: Reads & Enqueues & Pick<Pushing<'agent_updated'>, 'push' | 'prefetchAudience'>,
  license: string,
  id: string,
): Promise<void> => {
  ctx.prefetchAudience(everyAgent(license), 'agent_updated')
  const found = await ctx.read.get(keys.agent(license, id), { strong: true })
  const agent = found && AgentItem.parse(found)
  const status = agent && shownStatus(agent)
  if (status === undefined) return
  ctx.push(everyAgent(license), 'agent_updated', { agent_id: id, routing_status: status })
  if (status === 'accepting_chats') await enqueueRouting(ctx, license)
  if (status === 'offline') await enqueueRoutingWithout(ctx, license, id)
}

/** Undefined: nobody is told. Whether a person is there its connections say, not its status. */
const shownStatus = ({ bot, online, deleted, routing_status }: AgentItem): AgentStatus | undefined => {
  if (deleted) return undefined
  return online ? routing_status : bot && 'offline'
}
