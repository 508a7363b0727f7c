import { randomUUID } from 'node:crypto'
import { unnamed } from '../chat/view/wire-objects.ts'
import type { ConnectionStatus } from '../delivery/connections.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { CustomerDetails as Asked } from '../protocol/customer-fields.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { LicenseItem } from '../table/accounts.ts'
import type { Clock, Reads, Retries, Writes } from '../table/capabilities.ts'
import {
  CustomerItem,
  isBanned,
  isErased,
  readCustomer,
  requireNotBanned,
  setCustomerDetails,
} from '../table/customers.ts'
import { removeConnection } from '../table/end-session.ts'
import { keys } from '../table/keys.ts'
import { commitAll, retryUntilCommitted } from '../table/optimistic-write.ts'
import { endSession, putSession } from '../table/session-writes.ts'
import { readCustomerSockets } from '../table/socket-lists.ts'
import {
  type CustomerSession,
  type CustomerSocketItem,
  isLive,
  isStarting,
  readSocket,
  type SocketFamily,
  type SocketItem,
  userIdOf,
  type Visitor,
} from '../table/sockets.ts'
import { areSameDetails, isSameToItself, mergedDetails, saysSomething } from './customer-details.ts'
import { customerTokenS, verifyCustomerToken } from './customer-tokens.ts'
import { openSocket } from './login.ts'

interface LoggingIn
  extends
    ConnectionStatus,
    Reads,
    Writes<'customer' | SocketFamily<CustomerSession>>,
    Retries,
    Clock,
    Enqueues {
  connection: string
}

export interface CustomerLoggedIn {
  session: CustomerSession
  /** Undefined: it has told nothing of itself and never chatted, and is not stored. */
  customer: CustomerItem | undefined
  /** Whether agents would be shown anything else of it than before. */
  changed: boolean
  /** Whether its other tabs would be shown anything else of it than before. */
  shown: boolean
  /** It has another name than before, which its other tabs' sessions do not know. */
  renamed: boolean
}

type VisitorsSocket = SocketItem & { visitor: Visitor }

/**
 * Counts a login of this customer, a new one where it is not known, before anything is written; may refuse
 * it.
 */
type Admit = (
  visitor: Visitor,
  known: Pick<CustomerSession, 'license_id' | 'customer_id'> | undefined,
) => Promise<void>

interface Held {
  license: LicenseItem
  customer: CustomerItem | undefined
}

/**
 * Logs a customer in on this connection: whom its token names, or a new one. Its session and what it tells of
 * itself are written together, and only while it is not banned. `arrived`: the connection's socket as it was
 * read just now.
 */
export const startCustomerSession = async (
  ctx: LoggingIn,
  arrived: SocketItem | undefined,
  asked: { token: unknown; details: Asked | undefined; admit: Admit },
): Promise<CustomerLoggedIn> => {
  const socket = visitorsSocket(arrived, ctx.now())
  const { license_id } = socket.visitor
  const shown =
    asked.token === undefined || asked.token === null
      ? undefined
      : await verifyCustomerToken(asked.token, license_id)
  const known = shown?.customer_id ?? (socket.session && userIdOf(socket.session))
  const who = { id: known ?? randomUUID(), tokenFrom: shown?.issued_at }
  const { id } = who
  const [held] = await Promise.all([
    readHeld(ctx, socket, who),
    asked.admit(socket.visitor, known === undefined ? undefined : { license_id, customer_id: known }),
  ])
  const refresh = async () => visitorsSocket(await readSocket(ctx.read, ctx.connection, ctx.now()), ctx.now())
  return retryUntilCommitted<CustomerLoggedIn, VisitorsSocket>({ ...ctx, refresh }, socket, {
    isOwn: ({ session }) => session?.nonce === ctx.nonce,
    // the checks that refuse a login run in an attempt alone: a session that stands is past them
    attempt: async (now, tries) => {
      const { license, customer } = tries === 1 ? held : await readHeld(ctx, now, who)
      const nowMs = ctx.now()
      // its token is nobody's any more
      if (isErased(customer)) throw new ProtocolError('auth')
      if (customer !== undefined && isBanned(customer, nowMs)) throw new ProtocolError('customer_banned')
      const { ops, stored } = storing(ctx, { id, license_id, customer, visitor: now.visitor }, asked.details)
      const session: CustomerSession = {
        license_id,
        customer_id: id,
        name: stored?.name ?? unnamed,
        token_expires_at: Math.floor(nowMs / 1000) + customerTokenS,
        license_expires_at: license.expires_at,
        nonce: ctx.nonce,
      }
      const all = [...putSession(now, session, nowMs), ...ops].map((op) => ({ op }))
      const changed = stored !== undefined && (customer?.online !== true || !areSameDetails(stored, customer))
      // who came without a token has no other tab
      const shown =
        known !== undefined &&
        stored !== undefined &&
        (customer === undefined || !isSameToItself(stored, customer))
      const renamed = shown && stored.name !== customer?.name
      return {
        result: { session, customer: stored, changed, shown, renamed },
        committed: commitAll(ctx.write, all, ctx.nonce),
      }
    },
  })
}

/**
 * What of a login is written of the customer itself: of one that has told nothing yet, only that it is not
 * banned.
 */
const storing = (
  { now, nonce }: LoggingIn,
  who: {
    id: string
    license_id: string
    customer: CustomerItem | undefined
    visitor: Visitor
  },
  asked: Asked | undefined,
) => {
  const { id, license_id, customer, visitor } = who
  const nowMs = now()
  if (customer === undefined && !saysSomething(asked))
    return { ops: [requireNotBanned(license_id, id, nowMs)], stored: undefined }
  const details = mergedDetails(customer, asked, { visitor, nowMs, opens: customer?.online !== true })
  const { version = 0, threads = 0, seq = 0 } = customer ?? {}
  const op = setCustomerDetails({ id, license_id, version, threads }, details, { nonce, nowMs, login: true })
  const stored = CustomerItem.parse({
    ...details,
    id,
    license_id,
    threads,
    version: version + 1,
    online: true,
    seq: seq + 1,
  })
  return { ops: [op], stored }
}

const visitorsSocket = (found: SocketItem | undefined, nowMs: number): VisitorsSocket => {
  const socket = openSocket(found, nowMs)
  const { visitor } = socket
  if (visitor === undefined) throw new ProtocolError('auth')
  return { ...socket, visitor }
}

// the clock of the machine that made a license may run ahead
const skewS = 300

const readHeld = async (
  ctx: LoggingIn,
  socket: VisitorsSocket,
  { id, tokenFrom }: { id: string; tokenFrom: number | undefined },
): Promise<Held> => {
  const { license_id } = socket.visitor
  const another = socket.session !== undefined && userIdOf(socket.session) !== id
  if (another) throw new ProtocolError('auth')
  const [item, customer, live] = await Promise.all([
    ctx.read.get(keys.license(license_id), { strong: true }),
    readCustomer(ctx.read, license_id, id),
    readLive(ctx, { license_id, customer_id: id }),
  ])
  if (item === undefined) throw new ProtocolError('license_not_found')
  const license = LicenseItem.parse(item)
  // a token that is older than its license was made for another one of this id, which was erased
  if (tokenFrom !== undefined && tokenFrom < (license.created_at ?? 0) - skewS)
    throw new ProtocolError('auth')
  if (license.expires_at * 1000 <= ctx.now()) throw new ProtocolError('license_expired')
  const others = othersIn(live, ctx)
  if (others.length >= limits.customerConnections && !(await makeRoom(ctx, others))) {
    await ctx.enqueue({ job: 'end_session', connection: ctx.connection, reason: 'too_many_connections' }, 1)
    throw new ProtocolError('too_many_connections')
  }
  return { license, customer }
}

/**
 * Forgets those connections that are gone: of a browser that died, or a network that went, not each
 * `$disconnect` comes. Resolves to whether the customer may have another one then.
 */
const makeRoom = async (ctx: LoggingIn, rows: readonly CustomerSocketItem[]): Promise<boolean> => {
  const there = await Promise.all(rows.map(async (row) => isStarting(row, ctx.now()) || ctx.isConnected(row)))
  const gone = rows.filter((_, index) => there[index] === false)
  await Promise.all(gone.flatMap(removeConnection).map((op) => ctx.write.write(op)))
  return rows.length - gone.length < limits.customerConnections
}

const readLive = async (
  { read, now }: LoggingIn,
  { license_id, customer_id }: Pick<CustomerSession, 'license_id' | 'customer_id'>,
): Promise<CustomerSocketItem[]> => {
  const rows = await readCustomerSockets(read, license_id, customer_id)
  return rows.filter((row) => isLive(row, now()))
}

const othersIn = (live: readonly CustomerSocketItem[], { connection }: LoggingIn): CustomerSocketItem[] =>
  live.filter((row) => row.connection !== connection)

/**
 * Looks once more how many connections the customer has, now that this one counts: of several that logged in
 * at once, those who find too many give way. Throws `too_many_connections`.
 */
export const expectRoom = async (ctx: LoggingIn, session: CustomerSession): Promise<void> => {
  const live = await readLive(ctx, session)
  const others = othersIn(live, ctx)
  if (others.length < limits.customerConnections || (await makeRoom(ctx, others))) return
  const reason = 'too_many_connections'
  const mine = live.filter((row) => !others.includes(row))
  await Promise.all(mine.flatMap((row) => endSession(row, reason)).map((op) => ctx.write.write(op)))
  await ctx.enqueue({ job: 'end_session', connection: ctx.connection, reason }, 1)
  throw new ProtocolError(reason)
}
