import { pushed } from '../protocol/envelope.ts'
import type { DisconnectReason } from '../protocol/pushes.ts'
import { closeConnection, post } from '../push/connections.ts'
import type { Job } from '../runtime/later.ts'
import type { Reader, Writer } from '../table/ops.ts'
import {
  closingClaimed,
  closingMs,
  expiryOf,
  forgetSocket,
  isClosing,
  readSocket,
  type Session,
  SocketItem,
} from '../table/sockets.ts'

interface Disconnecting {
  read: Reader
  write: Writer
  signal: AbortSignal
  nonce: string
  now(): number
  later(job: Job, delayS: number): Promise<void>
}

const postingMs = 1000

/**
 * Tells a connection why, closes it and forgets it, where its session is still the one given. May run twice: then one
 * of the two does it, and where that one died, it is done by a job once its claim holds no more.
 */
export const disconnect = async (
  ctx: Disconnecting,
  connection: string,
  reason: DisconnectReason,
  session: Session | undefined,
): Promise<void> => {
  const claim = await claimClosing(ctx, connection, session)
  if (claim === 'changed') return
  if (claim === 'anothers') {
    const job =
      session === undefined
        ? ({ job: 'expect_login', connection } as const)
        : ({ job: 'end_session', connection, reason } as const)
    return ctx.later(job, closingMs / 1000 + 1)
  }
  if (claim === 'ours') {
    const posting = AbortSignal.any([ctx.signal, AbortSignal.timeout(postingMs)])
    await post(connection, pushed('agent_disconnected', { reason }), posting)
    await closeConnection(connection, ctx.signal)
  }
  // where there was no socket to claim, its row alone was left behind
  await forgetSocket(ctx.write, connection, session)
}

/** Whose it is to close a connection: ours, another worker's, nobody's where it is gone or its session has changed. */
const claimClosing = async (
  ctx: Disconnecting,
  connection: string,
  session: Session | undefined,
): Promise<'ours' | 'anothers' | 'changed' | 'nobodys'> => {
  for (;;) {
    const nowMs = ctx.now()
    const claimed = await ctx.write.write(closingClaimed(connection, { session, nonce: ctx.nonce, nowMs }))
    if (claimed.done) return 'ours'
    if (claimed.found !== undefined)
      return isClosing(SocketItem.parse(claimed.found), nowMs) ? 'anothers' : 'changed'
    // nothing found is a socket that is gone, or a login's transaction that is under way on it
    if ((await readSocket(ctx.read, connection, nowMs)) === undefined) return 'nobodys'
  }
}

/**
 * Closes a connection whose session is over; one that was renewed since is left alone. `row`: what its licence's list
 * has of it, which goes where the socket is gone.
 */
export const disconnectIfOver = async (
  ctx: Disconnecting,
  connection: string,
  row?: Pick<Session, 'license_id' | 'agent_id'>,
): Promise<void> => {
  const socket = await readSocket(ctx.read, connection, ctx.now())
  if (socket === undefined) return row === undefined ? undefined : forgetSocket(ctx.write, connection, row)
  const { session } = socket
  const reason = session === undefined ? undefined : (session.ended ?? expiryOf(session, ctx.now()))
  if (reason !== undefined) await disconnect(ctx, connection, reason, session)
}
