import { afterAnswerS } from '../jobs/enqueue-logout.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { Device } from '../protocol/device-fields.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { RoutingStatus } from '../protocol/objects.ts'
import { type AgentItem, IdentityItem, LicenseItem, requireAccount, setOnline } from '../table/accounts.ts'
import type { Clock, Reads, Retries, Writes } from '../table/capabilities.ts'
import { type DeviceFamily, deviceHash, type DeviceItem, readDevice } from '../table/devices.ts'
import type { Common } from '../table/families.ts'
import { keys } from '../table/keys.ts'
import { commitAll, retryUntilCommitted } from '../table/optimistic-write.ts'
import { extendSession, isClosing, putSession } from '../table/session-writes.ts'
import { readAgentSockets } from '../table/socket-lists.ts'
import {
  isLive,
  readSocket,
  type Session,
  type SocketFamily,
  type SocketItem,
  userIdOf,
} from '../table/sockets.ts'
import { devicePresented, noDevices } from './devices.ts'
import { endSessions } from './disconnect.ts'
import { readAccount } from './read-account.ts'
import { sessionFor } from './session-for.ts'
import type { TokenIdentity } from './tokens.ts'

export interface LoggedIn {
  session: Session
  agent: AgentItem
  license: LicenseItem
  /** Undefined of a bot that is offline. */
  status: RoutingStatus | undefined
  /** With which it has just come online, where this is a person's first live socket. */
  cameOnline: RoutingStatus | undefined
}

/** What a login is decided by, beside the account. */
interface Held {
  socket: SocketItem | undefined
  device: DeviceItem | undefined
}

interface LoggingIn
  extends
    Reads<Common | 'identity' | 'device'>,
    Writes<SocketFamily<Session> | DeviceFamily>,
    Retries,
    Clock {
  connection: string
}

/**
 * Turns a verified token into a session on this connection. Socket, row, presence and device are written in
 * one transaction that holds only for the agent as it was read, so that a change of it cannot fall between;
 * one of the license is looked for by `settleSession`.
 */
export const startSession = async (
  ctx: LoggingIn,
  token: TokenIdentity,
  asked: {
    /** Reads the connection's socket. */
    arrive: () => Promise<SocketItem | undefined>
    /** Counts a login of this agent, before anything is written; may refuse it. */
    admit: (who: IdentityItem) => Promise<void>
    reconnect: boolean
    /** Which pushes the connection wants, and of which chats what is said. */
    wants: Pick<Session, 'pushes' | 'chats'>
    application?: Session['application']
    /** The mobile device that counts as one instance with this socket. */
    device?: Device | undefined
  },
): Promise<LoggedIn> => {
  const { device } = asked
  const hash = device === undefined ? undefined : deviceHash(device.firebase_token)
  const readHeld = async (arriving = readSocket(ctx.read, ctx.connection, ctx.now())): Promise<Held> => {
    const [socket, found] = await Promise.all([
      arriving,
      hash === undefined ? undefined : readDevice(ctx.read, hash),
    ])
    return { socket, device: found }
  }
  const [identity, held] = await Promise.all([
    ctx.read.get(keys.identity(token.issuer, token.subject), { strong: true }),
    readHeld(asked.arrive()),
  ])
  if (identity === undefined) throw new ProtocolError('auth')
  const who = IdentityItem.parse(identity)
  await asked.admit(who)
  const { nonce } = ctx
  return retryUntilCommitted<LoggedIn, Held>({ ...ctx, refresh: readHeld }, held, {
    isOwn: ({ socket }) => socket?.session?.nonce === nonce,
    attempt: async ({ socket, device: found }) => {
      const open = openSocket(socket, ctx.now())
      if (isAnothers(open, who)) throw new ProtocolError('auth')
      const { agent, license } = await readAccount(ctx, who, token)
      if (agent.bot && device !== undefined) throw noDevices('payload.push_notifications')
      const { first, status } = statusesOf(agent, asked.reconnect)
      const session = sessionFor(agent, license, token, {
        ...asked.wants,
        application: asked.application,
        device: hash,
        nonce,
      })
      const ops = [
        ...putSession(open, session, ctx.now()),
        agent.bot ? requireAccount(agent) : setOnline(agent, first),
        ...(device === undefined ? [] : devicePresented(found, device, { owner: session, nonce })),
      ]
      return {
        result: { session, agent, license, status, cameOnline: first },
        committed: commitAll(
          ctx.write,
          ops.map((op) => ({ op })),
          nonce,
        ),
      }
    },
  })
}

/**
 * What a session that is written leaves to be done, beside whatever is read next. Where its license was
 * changed since it was read, those who follow that change may have looked for sessions before this one was
 * there: the session follows by itself. Of more than 30 connections of an agent the oldest are closed.
 * Resolves to the license as it is now; throws `license_expired`.
 */
export const settleSession = async (
  ctx: LoggingIn & Enqueues,
  { session, license }: Pick<LoggedIn, 'session' | 'license'>,
): Promise<LicenseItem> => {
  const [settled] = await Promise.all([followLicense(ctx, session, license), evictOldest(ctx, session)])
  return settled
}

// a check of the license in the login's transaction would make transactions of all who log in at once wait
// for each other
const followLicense = async (
  { read, write, connection, now, enqueue }: LoggingIn & Enqueues,
  session: Session,
  known: LicenseItem,
): Promise<LicenseItem> => {
  for (let followed = known; ;) {
    const item = await read.get(keys.license(known.id), { strong: true })
    if (item === undefined) throw new ProtocolError('auth')
    const license = LicenseItem.parse(item)
    if (license.version === followed.version) return license
    followed = license
    await Promise.all(
      extendSession({ ...session, connection, ttl: 0 }, license.expires_at).map((op) => write.write(op)),
    )
    if (license.expires_at * 1000 > now()) continue
    await enqueue({ job: 'end_session', connection, reason: 'license_expired' }, afterAnswerS)
    throw new ProtocolError('license_expired')
  }
}

const evictOldest = async (ctx: LoggingIn & Enqueues, { license_id, agent_id }: Session): Promise<void> => {
  const nowMs = ctx.now()
  const rows = await readAgentSockets(ctx.read, license_id, agent_id)
  const others = rows.filter((row) => isLive(row, nowMs) && row.connection !== ctx.connection)
  const over = others.length + 1 - limits.agentConnections
  if (over <= 0) return
  // rows know when theirs came to the second only
  const ends = others.map(({ ttl }) => ttl).toSorted((a, b) => a - b)
  const eldest = others.filter(({ ttl }) => ttl <= (ends[over - 1] ?? 0))
  const sockets = await Promise.all(eldest.map(({ connection }) => readSocket(ctx.read, connection, nowMs)))
  const oldest = eldest
    .map((row, index) => ({ row, at: sockets[index]?.connected_at ?? 0 }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, over)
  await endSessions(
    ctx,
    oldest.map(({ row }) => row),
    'too_many_connections',
  )
}

/** Only the first live socket sets the status: the default one, or with `reconnect` the last known. */
const firstStatus = (agent: AgentItem, reconnect: boolean): RoutingStatus =>
  (reconnect ? agent.routing_status : undefined) ?? agent.default_status

/** With which status a login brings a person online, where it does, and which the agent has then. */
const statusesOf = (agent: AgentItem, reconnect: boolean) => {
  const known = agent.routing_status ?? agent.default_status
  if (agent.online) return { first: undefined, status: known }
  const first = agent.bot ? undefined : firstStatus(agent, reconnect)
  return { first, status: first }
}

export const openSocket = (socket: SocketItem | undefined, nowMs: number): SocketItem => {
  if (socket === undefined || isClosing(socket, nowMs)) throw new ProtocolError('auth')
  return socket
}

/** Whether a connection is another agent's already. */
const isAnothers = ({ session }: SocketItem, { license_id, agent_id }: IdentityItem): boolean =>
  session !== undefined && (userIdOf(session) !== agent_id || session.license_id !== license_id)
