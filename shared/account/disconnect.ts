import { pushed } from '../protocol/envelope.ts'
import type { DisconnectReason } from '../protocol/pushes.ts'
import { closeConnection, post } from '../push/connections.ts'
import type { Reader, Writer } from '../table/ops.ts'
import {
  agentSocketRemoved,
  closingClaimed,
  expiryOf,
  readSocket,
  type Session,
  socketRemoved,
} from '../table/sockets.ts'

interface Disconnecting {
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
  const claimed = await ctx.write.write(closingClaimed(connection, ctx.now()))
  if (claimed.done) {
    const posting = AbortSignal.any([ctx.signal, AbortSignal.timeout(postingMs)])
    await post(connection, pushed('agent_disconnected', { reason }), posting)
    await closeConnection(connection, ctx.signal)
    await ctx.write.write(socketRemoved(connection))
  } else if (claimed.found !== undefined) return
  // without a socket to claim, the row alone was left behind
  if (session !== undefined)
    await ctx.write.write(agentSocketRemoved(session.license_id, session.agent_id, connection))
}

/** Closes a connection whose session is over; one that was renewed since is left alone. */
export const disconnectIfOver = async (
  ctx: Disconnecting & { read: Reader },
  connection: string,
): Promise<void> => {
  const session = (await readSocket(ctx.read, connection, ctx.now()))?.session
  const reason = session === undefined ? undefined : (session.ended ?? expiryOf(session, ctx.now()))
  if (reason !== undefined) await disconnect(ctx, connection, reason, session)
}
