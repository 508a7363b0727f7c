import { closeConnection, type Endpoint, post } from '../delivery/connections.ts'
import { afterAnswerS } from '../jobs/enqueue-logout.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import { pushed } from '../protocol/envelope.ts'
import { CustomerDisconnectReason, DisconnectReason } from '../protocol/disconnect-reasons.ts'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import { forgetSocket, putClosingClaim } from '../table/end-session.ts'
import type { Writer } from '../table/ops.ts'
import { closingMs, endSession, isClosing } from '../table/session-writes.ts'
import {
  type AnySession,
  expiryOf,
  type Identified,
  readSocket,
  type SocketFamily,
  SocketItem,
  type SocketRow,
} from '../table/sockets.ts'

interface Disconnecting extends Reads, Writes<SocketFamily>, Clock, Enqueues {
  signal: AbortSignal
  nonce: string
}

type Reason = NonNullable<AnySession['ended']>

const postingMs = 1000

/**
 * Tells a connection why, closes it and forgets it, where its session is still the one given. May run twice:
 * then one of the two does it, and where that one died, it is done by a job once its claim holds no more.
 */
export const disconnect = async (
  ctx: Disconnecting,
  connection: string,
  reason: Reason,
  session: AnySession | undefined,
): Promise<void> => {
  const claim = await claimClosing(ctx, connection, session)
  if (claim === 'changed') return
  if (claim === 'anothers') {
    const job =
      session === undefined
        ? ({ job: 'expect_login', connection } as const)
        : ({ job: 'end_session', connection, reason } as const)
    return ctx.enqueue(job, closingMs / 1000 + 1)
  }
  if (claim !== 'nobodys') {
    const endpoint = claim.visitor === undefined ? 'agent' : 'customer'
    const frame = frameOf(endpoint, reason)
    const posting = AbortSignal.any([ctx.signal, AbortSignal.timeout(postingMs)])
    if (frame !== undefined) await post(endpoint, connection, frame, posting)
    await closeConnection(endpoint, connection, ctx.signal)
  }
  // where there was no socket to claim, its row alone was left behind
  await forgetSocket(ctx.write, connection, session)
}

/** What a connection is told; undefined: its endpoint has no word for it, or it asked for its end itself. */
const frameOf = (endpoint: Endpoint, given: Reason): string | undefined => {
  if (endpoint === 'agent') {
    const reason = DisconnectReason.safeParse(given)
    return reason.success ? pushed('agent_disconnected', { reason: reason.data }) : undefined
  }
  const reason = CustomerDisconnectReason.safeParse(given)
  return reason.success ? pushed('customer_disconnected', { reason: reason.data }) : undefined
}

/**
 * Whose it is to close a connection: the socket where it is ours, another worker's, nobody's where it is gone
 * or its session has changed.
 */
const claimClosing = async (
  ctx: Disconnecting,
  connection: string,
  session: AnySession | undefined,
): Promise<SocketItem | 'anothers' | 'changed' | 'nobodys'> => {
  for (;;) {
    const nowMs = ctx.now()
    const claim = putClosingClaim(connection, { session, nonce: ctx.nonce, nowMs })
    const claimed = await ctx.write.write(claim, { returns: 'new' })
    if (claimed.done) return SocketItem.parse(claimed.attributes)
    if (claimed.found !== undefined)
      return isClosing(SocketItem.parse(claimed.found), nowMs) ? 'anothers' : 'changed'
    // nothing found is a socket that is gone, or a login's transaction that is under way on it
    if ((await readSocket(ctx.read, connection, nowMs)) === undefined) return 'nobodys'
  }
}

/**
 * Closes a connection whose session is over; one that was renewed since is left alone. `row`: what its
 * license's list has of it, which goes where the socket is gone.
 */
export const disconnectIfOver = async (
  ctx: Disconnecting,
  connection: string,
  row?: Identified,
): Promise<void> => {
  const socket = await readSocket(ctx.read, connection, ctx.now())
  if (socket === undefined) return row === undefined ? undefined : forgetSocket(ctx.write, connection, row)
  const { session } = socket
  const reason = session === undefined ? undefined : (session.ended ?? expiryOf(session, ctx.now()))
  if (reason !== undefined) await disconnect(ctx, connection, reason, session)
}

/**
 * Ends sessions: what they ask for from now on is refused. Their connections are told why, and closed, by the
 * delay queue's worker.
 */
export const endSessions = async <R extends SocketRow>(
  ctx: Pick<Disconnecting, 'enqueue'> & { write: Writer<SocketFamily<R>> },
  rows: readonly R[],
  reason: NonNullable<R['ended']>,
): Promise<void> => {
  await Promise.all(rows.flatMap((row) => endSession(row, reason)).map((op) => ctx.write.write(op)))
  await Promise.all(
    rows.map(({ connection }) => ctx.enqueue({ job: 'end_session', connection, reason }, afterAnswerS)),
  )
}
