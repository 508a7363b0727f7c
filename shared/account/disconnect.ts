import { pushed } from '../protocol/envelope.ts'
import type { DisconnectReason } from '../protocol/pushes.ts'
import { closeConnection, post } from '../push/connections.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { closingClaimed, expiryOf, forgetSocket, readSocket, type Session } from '../table/sockets.ts'

interface Disconnecting {
  read: Reader
  write: Writer
  signal: AbortSignal
  now(): number
}

const postingMs = 1000

/**
 * Tells a connection why, closes it and forgets it. May run twice for one connection: then one of the two does it, or
 * the later one after the earlier has died.
 */
export const disconnect = async (
  ctx: Disconnecting,
  connection: string,
  reason: DisconnectReason,
  session: Pick<Session, 'license_id' | 'agent_id'> | undefined,
): Promise<void> => {
  const claim = await claimClosing(ctx, connection)
  if (claim === 'anothers') return
  if (claim === 'ours') {
    const posting = AbortSignal.any([ctx.signal, AbortSignal.timeout(postingMs)])
    await post(connection, pushed('agent_disconnected', { reason }), posting)
    await closeConnection(connection, ctx.signal)
  }
  // where there was no socket to claim, its row alone was left behind; a login that got through meanwhile goes too
  await forgetSocket(ctx.write, connection, session)
}

/** Whose it is to close a connection: ours, another worker's, or nobody's where it is gone. */
const claimClosing = async (
  ctx: Disconnecting,
  connection: string,
): Promise<'ours' | 'anothers' | 'nobodys'> => {
  for (;;) {
    const claimed = await ctx.write.write(closingClaimed(connection, ctx.now()))
    if (claimed.done) return 'ours'
    if (claimed.found !== undefined) return 'anothers'
    // nothing found is a socket that is gone, or a login's transaction that is under way on it
    if ((await readSocket(ctx.read, connection, ctx.now())) === undefined) return 'nobodys'
  }
}

/** Closes a connection whose session is over; one that was renewed since is left alone. */
export const disconnectIfOver = async (ctx: Disconnecting, connection: string): Promise<void> => {
  const session = (await readSocket(ctx.read, connection, ctx.now()))?.session
  const reason = session === undefined ? undefined : (session.ended ?? expiryOf(session, ctx.now()))
  if (reason !== undefined) await disconnect(ctx, connection, reason, session)
}
