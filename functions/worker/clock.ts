import pLimit, { type LimitFunction } from 'p-limit'
import { disconnectIfOver } from '../../shared/account/disconnect.ts'
import { work, type WorkCtx } from '../../shared/runtime/work.ts'
import { LicenseListed } from '../../shared/table/accounts.ts'
import { licensesPk } from '../../shared/table/keys.ts'
import {
  type AgentSocketItem,
  isLive,
  readAgentSockets,
  readSocket,
  rowRemoved,
  socketRemoved,
} from '../../shared/table/sockets.ts'

// of the Lambda's 60 s
const deadlineMs = 50_000
const sideBySide = 16

/** Each minute: closes the connections whose token or licence has run out, and clears rows that the TTL has not yet. */
export const handler = (): Promise<void> =>
  work(
    async (ctx) => {
      const licenses = await ctx.read.query({ pk: licensesPk })
      const [sweeping, ending] = [pLimit(sideBySide), pLimit(sideBySide)]
      const swept = inTurn(licenses, ctx.now()).map((item) =>
        sweeping(() => sweep(ctx, LicenseListed.parse(item).id, ending)),
      )
      await allOf(swept, 'Licences not swept')
    },
    { deadlineMs },
  )

// the golden ratio: each start falls into one of the widest gaps between those before it
const step = (Math.sqrt(5) - 1) / 2

/** The list from another place each minute, so that runs which do not come to its end get everywhere within a few. */
export const inTurn = <T>(list: readonly T[], nowMs: number): T[] => {
  const first = Math.floor(((Math.floor(nowMs / 60_000) * step) % 1) * list.length)
  return [...list.slice(first), ...list.slice(0, first)]
}

/** Waits for all, whichever fail. */
const allOf = async (runs: Promise<void>[], failure: string): Promise<void> => {
  const failures = (await Promise.allSettled(runs)).filter((result) => result.status === 'rejected')
  if (failures.length > 0)
    throw new AggregateError(
      failures.map(({ reason }) => reason),
      failure,
    )
}

/** `ending` is one for all licences: however many rows are due, so many connections are ended side by side. */
const sweep = async (ctx: WorkCtx, license: string, ending: LimitFunction): Promise<void> => {
  const rows = await readAgentSockets(ctx.read, license)
  const due = rows.filter((row) => !isLive(row, ctx.now()))
  await allOf(
    due.map((row) => ending(() => endIfDue(ctx, row))),
    'Connections not ended',
  )
}

const endIfDue = async (ctx: WorkCtx, row: AgentSocketItem): Promise<void> => {
  const { connection, ttl } = row
  const socket = await readSocket(ctx.read, connection, ctx.now())
  // past its TTL, or of a socket that went without taking its row along
  if (ttl * 1000 <= ctx.now() || socket === undefined) {
    await ctx.write.write(socketRemoved(connection))
    await ctx.write.write(rowRemoved(row, connection))
  } else await disconnectIfOver(ctx, connection)
}
