import { randomUUID } from 'node:crypto'
import { everyAgent } from '../access/audience.ts'
import { announceCustomerUpdated } from '../chat/announce/customer-updated.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { RoutingStatus } from '../protocol/objects.ts'
import { AgentItem, setAway, setOffline } from '../table/accounts.ts'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import { type CustomerItem, readCustomer, setCustomerOffline } from '../table/customers.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import { readAgentSockets, readCustomerSockets } from '../table/socket-lists.ts'
import { isLive, type SocketRow } from '../table/sockets.ts'

type Checking = Reads & Clock

/** What a check knows: `seq` of its user when the last socket went. */
interface Check {
  seq: number
  check: string
}

/** A kind of user: how one is read, and its sockets. */
interface Kind<U> {
  readUser: (read: Reader, license: string, id: string) => Promise<U | undefined>
  readSockets: (read: Reader, license: string, id: string) => Promise<SocketRow[]>
}

const readAgent = async (read: Reader, license: string, id: string): Promise<AgentItem | undefined> => {
  const item = await read.get(keys.agent(license, id), { strong: true })
  return item === undefined ? undefined : AgentItem.parse(item)
}

const agents: Kind<AgentItem> = { readUser: readAgent, readSockets: readAgentSockets }
const customers: Kind<CustomerItem> = { readUser: readCustomer, readSockets: readCustomerSockets }

/**
 * The user, where it is online (or this check took it offline) and has no live socket. `seq` is read before
 * the sockets: a login raises it. A bot needs none.
 */
const withoutSocket = async <U extends AgentItem | CustomerItem>(
  { readUser, readSockets }: Kind<U>,
  { read, now }: Checking,
  license: string,
  id: string,
  by?: Check,
): Promise<U | undefined> => {
  const user = await readUser(read, license, id)
  if (user === undefined || ('bot' in user && user.bot)) return undefined
  if (by !== undefined && user.seq !== by.seq) return undefined
  if (!user.online && (by === undefined || user.offline_by !== by.check)) return undefined
  const rows = await readSockets(read, license, id)
  return rows.some((row) => isLive(row, now())) ? undefined : user
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
  const left = await withoutSocket(agents, ctx, license, agent)
  if (left === undefined) return
  if (!left.away) await ctx.write.write(setAway(left))
  await ctx.enqueue(
    { job: 'expect_agent', license_id: license, agent_id: agent, seq: left.seq, check: randomUUID() },
    graceS,
  )
}

/**
 * A tab was closed: where it was the customer's last, one check follows once it may no longer come back
 * unnoticed.
 */
export const tabGone = async (
  ctx: Checking & Enqueues,
  license: string,
  id: string,
  graceS: number,
): Promise<void> => {
  const left = await withoutSocket(customers, ctx, license, id)
  if (left === undefined) return
  await ctx.enqueue(
    { job: 'expect_customer', license_id: license, customer_id: id, seq: left.seq, check: randomUUID() },
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
  by: Check,
): Promise<void> => {
  const agent = await withoutSocket(agents, ctx, license, id, by)
  if (agent === undefined || !(await ctx.write.write(setOffline(agent, by.check))).done) return
  const tell = (routing_status: RoutingStatus | 'offline') =>
    ctx.push(everyAgent(license), 'agent_updated', { agent_id: id, routing_status })
  tell('offline')
  await ctx.flush()
  // a login since that write may have been told of first
  const now = await readAgent(ctx.read, license, id)
  if (now?.online === true) tell(now.routing_status ?? now.default_status)
  await ctx.enqueue({ job: 'route', license_id: license, agent: id }, 0)
}

/**
 * Takes a customer offline that has not come back, and tells the agents of its chat. May run twice, and
 * beside a login.
 */
export const expectCustomer = async (
  ctx: Checking & Writes<'customer'> & Outbox,
  license: string,
  id: string,
  by: Check,
): Promise<void> => {
  const customer = await withoutSocket(customers, ctx, license, id, by)
  if (customer === undefined) return
  if (!(await ctx.write.write(setCustomerOffline(customer, by.check, ctx.now()))).done) return
  // a login since that write may have been told of first
  const now = await readCustomer(ctx.read, license, id)
  if (now !== undefined) await announceCustomerUpdated(ctx, now, {})
}
