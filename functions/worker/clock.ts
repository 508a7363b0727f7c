import pLimit from 'p-limit'
import { disconnectIfOver } from '../../shared/account/disconnect.ts'
import { work, type WorkCtx } from '../../shared/runtime/work.ts'
import { LicenseListed } from '../../shared/table/accounts.ts'
import { licensesPk } from '../../shared/table/keys.ts'
import {
  agentSocketRemoved,
  type AgentSocketItem,
  isLive,
  readAgentSockets,
  readSocket,
  socketRemoved,
} from '../../shared/table/sockets.ts'

const sideBySide = 16

/** Each minute: closes the connections whose token or licence has run out, and clears rows that the TTL has not yet. */
export const handler = (): Promise<void> =>
  work(async (ctx) => {
    const limit = pLimit(sideBySide)
    const licenses = await ctx.read.query({ pk: licensesPk })
    const swept = await Promise.allSettled(
      licenses.map((item) => limit(() => sweep(ctx, LicenseListed.parse(item).id))),
    )
    const failures = swept.filter((result) => result.status === 'rejected')
    if (failures.length > 0)
      throw new AggregateError(
        failures.map(({ reason }) => reason),
        'Licences not swept',
      )
  })

const sweep = async (ctx: WorkCtx, license: string): Promise<void> => {
  const rows = await readAgentSockets(ctx.read, license)
  const due = rows.filter((row) => !isLive(row, ctx.now()))
  await Promise.all(due.map((row) => endIfDue(ctx, row)))
}

const endIfDue = async (ctx: WorkCtx, row: AgentSocketItem): Promise<void> => {
  const { license_id, agent_id, connection, ttl } = row
  const socket = await readSocket(ctx.read, connection, ctx.now())
  // past its TTL, or of a socket that went without taking its row along
  if (ttl * 1000 <= ctx.now() || socket === undefined) {
    await ctx.write.write(socketRemoved(connection))
    await ctx.write.write(agentSocketRemoved(license_id, agent_id, connection))
  } else await disconnectIfOver(ctx, connection)
}
