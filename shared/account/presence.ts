import { randomUUID } from 'node:crypto'
import { everyAgent } from '../access/audience.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { RoutingStatus } from '../protocol/objects.ts'
import { AgentItem, setAway, setOffline } from '../table/accounts.ts'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import { keys } from '../table/keys.ts'
import { readAgentSockets } from '../table/socket-lists.ts'
import { isLive } from '../table/sockets.ts'

type Checking = Reads & Clock

/**
 * The person, where it is online (or this check took it offline) and has no live socket. `seq` is read before
 * the sockets: a login raises it. A bot needs none.
 */
const withoutSocket = async (
  { read, now }: Checking,
  license: string,
  id: string,
  check?: string,
): Promise<AgentItem | undefined> => {
  const item = await read.get(keys.agent(license, id), { strong: true })
  if (item === undefined) return undefined
  const agent = AgentItem.parse(item)
  if (agent.bot || (!agent.online && (check === undefined || agent.offline_by !== check))) return undefined
  const rows = await readAgentSockets(read, license, id)
  return rows.some((row) => isLive(row, now())) ? undefined : agent
}

/**
 * A socket went: where it was the agent's last, no chat is given to it from now on, and one check follows
 * once it may no longer come back unnoticed.
 */
export const socketGone = async (
  ctx: Checking & Writes<'account'> & Enqueues,
  license: string,
  agent: string,
  graceS: number,
): Promise<void> => {
  const left = await withoutSocket(ctx, license, agent)
  if (left === undefined) return
  if (!left.away) await ctx.write.write(setAway(left))
  await ctx.enqueue(
    { job: 'expect_agent', license_id: license, agent_id: agent, seq: left.seq, check: randomUUID() },
    graceS,
  )
}

/**
 * Takes an agent offline that has not logged in since its last socket went, and tells its license; whoever
 * waits for its answer is routed anew. May run twice, and beside a login: the status that is pushed last is
 * right.
 */
export const expectAgent = async (
  ctx: Checking & Writes<'account'> & Enqueues & Outbox,
  license: string,
  id: string,
  { seq, check }: { seq: number; check: string },
): Promise<void> => {
  const agent = await withoutSocket(ctx, license, id, check)
  if (agent === undefined || agent.seq !== seq) return
  const outcome = await ctx.write.write(setOffline(agent, check))
  if (!outcome.done) return
  const tell = (routing_status: RoutingStatus | 'offline') =>
    ctx.push(everyAgent(license), 'agent_updated', { agent_id: id, routing_status })
  tell('offline')
  await ctx.flush()
  // a login since that write may have been told of first
  const now = AgentItem.parse(await ctx.read.get(keys.agent(license, id), { strong: true }))
  if (now.online) tell(now.routing_status ?? now.default_status)
  await ctx.enqueue({ job: 'route', license_id: license, agent: id }, 0)
}
