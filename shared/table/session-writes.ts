import { type Key, keys } from './keys.ts'
import type { Op } from './ops.ts'
import type { CustomerSocketItem, SocketItem } from './sockets.ts'
import { absent, absentOr, and, type Condition, exists, is, or, put, remove, update } from './update.ts'
import {
  type AnySession,
  isCustomers,
  type Listed,
  maxAgeS,
  type RowFamily,
  rowKeys,
  sameUser,
  type Session,
  type SocketFamily,
  type SocketRow,
  userIdOf,
} from './sockets.ts'

export const putSocket = (
  connection: string,
  nowMs: number,
  from: Pick<SocketItem, 'ip' | 'visitor'> = {},
): Op<'socket'> =>
  put(keys.socket(connection), {
    connection,
    ...from,
    connected_at: nowMs,
    ttl: Math.floor(nowMs / 1000) + maxAgeS,
  })

// the worker that set this mark closes the connection; left behind by one that died, it holds no longer than
// this
export const closingMs = 10_000

/** Whether a worker is closing this connection just now. */
export const isClosing = ({ closing_at }: SocketItem, nowMs: number): boolean =>
  closing_at !== undefined && closing_at >= nowMs - closingMs

export const notClosing = (nowMs: number): Condition => absentOr('closing_at', '<', nowMs - closingMs)

/**
 * The writes of a login: the session on its socket, which must still be there, not being closed and nobody
 * else's; and its rows. Those that an earlier session of the connection had elsewhere go.
 */
export const putSession = <S extends AnySession>(
  socket: SocketItem,
  session: S,
  nowMs: number,
): Op<SocketFamily<S>>[] => [
  update(keys.socket(socket.connection), {
    set: { session },
    remove: ['closing_at', 'closing_by'],
    when: and(
      exists(),
      notClosing(nowMs),
      or(absent('session'), and(is({ 'session.license_id': session.license_id }), sameUser(session))),
    ),
  }),
  ...putRows(socket, session, socket.session),
]

/** A connection's rows as its session has them now; those of `before` that it has no more go. */
const putRows = <S extends AnySession>(
  socket: Pick<SocketItem, 'connection' | 'ttl'>,
  session: S,
  before: AnySession | undefined,
): Op<RowFamily<S>>[] => {
  const { connection } = socket
  const row = rowOf(session, socket)
  const wanted = rowKeys(session, connection)
  const had =
    before === undefined || userIdOf(before) !== userIdOf(session) ? [] : rowKeys(before, connection)
  const gone = had.filter(({ pk, sk }) => !wanted.some((key) => key.pk === pk && key.sk === sk))
  return [
    ...wanted.map((key) => put(key, row)),
    // of the same user, and so of the same family
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
    ...gone.map((key) => remove(key as Key<RowFamily<S>>)),
  ]
}

const rowOf = (
  session: AnySession,
  { connection, ttl }: Pick<SocketItem, 'connection' | 'ttl'>,
): SocketRow => {
  if (isCustomers(session)) {
    const { license_id, customer_id, token_expires_at, license_expires_at } = session
    return { license_id, customer_id, token_expires_at, license_expires_at, connection, ttl }
  }
  const { name: _, application: __, nonce: ___, license_created_at: ____, ...shared } = session
  return { ...shared, connection, ttl }
}

/** Brings the name in a customer's session up to date, where it is still its session. */
export const setCustomerName = (row: CustomerSocketItem, name: string): Op<'socket'> =>
  update(keys.socket(row.connection), { set: { 'session.name': name }, when: sameUser(row) })

/** Sets one field of each row of a connection that still exists. */
const setInRows = <I extends Listed & { connection: string }>(
  of: I,
  field: 'license_expires_at' | 'ended' | 'slow_until',
  value: string | number,
): Op<RowFamily<I>>[] =>
  rowKeys(of, of.connection).map((key) => update(key, { set: { [field]: value }, when: exists() }))

/** The same of its session, where it is still this user's, and of its rows. */
const setInSession = <R extends SocketRow>(
  row: R,
  field: 'license_expires_at' | 'ended',
  value: string | number,
): Op<SocketFamily<R>>[] => [
  update(keys.socket(row.connection), { set: { [`session.${field}`]: value }, when: sameUser(row) }),
  ...setInRows(row, field, value),
]

/** Brings the end of its license in a session and its rows up to date; each only where it still exists. */
export const extendSession = <R extends SocketRow>(row: R, expiresAt: number): Op<SocketFamily<R>>[] =>
  setInSession(row, 'license_expires_at', expiresAt)

/**
 * Ends a session while its socket is still open: whatever it asks from now on is refused, and nothing is
 * pushed to it.
 */
export const endSession = <R extends SocketRow>(
  row: R,
  reason: NonNullable<R['ended']>,
): Op<SocketFamily<R>>[] => setInSession(row, 'ended', reason)

/** What of an agent is copied into its sessions, and where they stand by it. */
export type AccountCopy = Pick<Session, 'name' | 'permission' | 'groups' | 'places'>

/**
 * An agent's session and its rows as the account is now, or as its logout leaves them, for a transaction: it
 * holds where the session is still the one that was read.
 */
export const refreshSession = (
  socket: Pick<SocketItem, 'connection' | 'ttl'>,
  before: Session,
  change: AccountCopy | { ended: 'logged_out' },
): Op<SocketFamily<Session>>[] => {
  const session = { ...before, ...change }
  const fields = ['agent_id', 'nonce', 'license_expires_at', 'ended', 'permission', 'groups'] as const
  const asRead = fields.map((field) => [`session.${field}`, before[field]])
  return [
    update(keys.socket(socket.connection), { set: { session }, when: is(Object.fromEntries(asRead)) }),
    ...putRows(socket, session, before),
  ]
}

/** Marks a connection as one that takes posts late, in all its rows. */
export const markSlow = <C extends Listed & { connection: string }>(
  row: C,
  untilMs: number,
): Op<RowFamily<C>>[] => setInRows(row, 'slow_until', untilMs)
