import { enqueueLogout } from '../jobs/enqueue-logout.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import { AgentItem } from '../table/accounts.ts'
import type { Clock, Reads, Retries, Writes } from '../table/capabilities.ts'
import {
  type DeviceFamily,
  deviceHash,
  type DeviceItem,
  forgetDevice,
  isDeviceOf,
  readDevice,
} from '../table/devices.ts'
import type { Common } from '../table/families.ts'
import { keys } from '../table/keys.ts'
import type { Op } from '../table/ops.ts'
import { commitAll, retryUntilCommitted } from '../table/optimistic-write.ts'
import { refreshSession } from '../table/session-writes.ts'
import {
  agentsSession,
  readSocket,
  type Session,
  type SocketFamily,
  type SocketItem,
} from '../table/sockets.ts'

/** What of a logout may still have to be done. */
interface Held {
  socket: SocketItem | undefined
  device: DeviceItem | undefined
}

interface LoggingOut
  extends Reads<Common | 'device'>, Writes<SocketFamily<Session> | DeviceFamily>, Retries, Clock, Enqueues {
  connection: string
  me: Session
}

/**
 * Ends the session of this connection and forgets the device that is named, in one transaction. A device
 * that is not this agent's stays, and nothing says so. The connection may have gone meanwhile: the device is
 * forgotten all the same. A login beside it on the same connection comes before, and its session ends, or
 * after, and stays.
 */
export const endOwnSession = async (ctx: LoggingOut, firebaseToken: string | undefined): Promise<void> => {
  const { connection, me } = ctx
  const hash = firebaseToken === undefined ? undefined : deviceHash(firebaseToken)
  const refresh = async (): Promise<Held> => {
    const [socket, device] = await Promise.all([
      readSocket(ctx.read, connection, ctx.now()),
      hash === undefined ? undefined : readDevice(ctx.read, hash),
    ])
    return { socket, device }
  }
  const changesOf = ({ socket, device }: Held): Op<SocketFamily<Session> | DeviceFamily>[] => {
    const session = agentsSession(socket?.session)
    const isOver = socket === undefined || session === undefined || session.ended !== undefined
    return [
      ...(isOver ? [] : refreshSession(socket, session, { ended: 'logged_out' })),
      ...(device !== undefined && isDeviceOf(me, device) ? forgetDevice(device) : []),
    ]
  }
  const [agent, held] = await Promise.all([
    ctx.read.get(keys.agent(me.license_id, me.agent_id), { strong: true }),
    refresh(),
  ])
  await retryUntilCommitted<undefined, Held>({ ...ctx, refresh }, held, {
    // all is as asked, by whichever request
    isOwn: (found) => changesOf(found).length === 0,
    attempt: async (found) => {
      const ops = changesOf(found)
      const committed =
        ops.length === 0 ||
        commitAll(
          ctx.write,
          ops.map((op) => ({ op })),
          ctx.nonce,
        )
      return { result: undefined, committed }
    },
  })
  if (agent !== undefined) await enqueueLogout(ctx, AgentItem.parse(agent), connection)
}
