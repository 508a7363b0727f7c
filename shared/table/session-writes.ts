import { keys } from './keys.ts'
import type { Op } from './ops.ts'
import type { CustomerSocketItem, SocketItem } from './sockets.ts'
import {
  type AnySession,
  type Connected,
  isCustomers,
  maxAgeS,
  type RowFamily,
  rowKey,
  sameUser,
  type Session,
  type SocketFamily,
  type SocketRow,
} from './sockets.ts'

export const putSocket = (
  connection: string,
  nowMs: number,
  from: Pick<SocketItem, 'ip' | 'visitor'> = {},
): Op<'socket'> => ({
  Put: {
    Item: {
      ...keys.socket(connection),
      connection,
      ...from,
      connected_at: nowMs,
      ttl: Math.floor(nowMs / 1000) + maxAgeS,
    },
  },
})

// whoever set this mark closes the connection; left behind by a worker that died, it holds no longer than
// this
export const closingMs = 10_000

/** Whether a worker is closing this connection just now. */
export const isClosing = ({ closing_at }: SocketItem, nowMs: number): boolean =>
  closing_at !== undefined && closing_at >= nowMs - closingMs

export const notClosing = '(attribute_not_exists(closing_at) OR closing_at < :stale)'

/**
 * The two writes of a login: the session on its socket, which must still be there, not being closed and
 * nobody else's; and its row in the license's list.
 */
export const putSession = <S extends AnySession>(
  socket: SocketItem,
  session: S,
  nowMs: number,
): Op<SocketFamily<S>>[] => {
  const same = sameUser(session)
  return [
    {
      Update: {
        Key: keys.socket(socket.connection),
        UpdateExpression: 'SET #session = :session REMOVE closing_at, closing_by',
        ConditionExpression: `attribute_exists(pk) AND ${notClosing} AND (attribute_not_exists(#session) OR (#session.license_id = :license AND ${same.condition}))`,
        ExpressionAttributeNames: { '#session': 'session' },
        ExpressionAttributeValues: {
          ':session': session,
          ':license': session.license_id,
          ':user': same.value,
          ':stale': nowMs - closingMs,
        },
      },
    },
    { Put: { Item: { ...rowKey(session, socket.connection), ...rowOf(session, socket) } } },
  ]
}

const rowOf = (session: AnySession, { connection, ttl }: SocketItem): SocketRow => {
  if (isCustomers(session)) {
    const { license_id, customer_id, token_expires_at, license_expires_at } = session
    return { license_id, customer_id, token_expires_at, license_expires_at, connection, ttl }
  }
  const { name: _, application: __, ended: ___, nonce: ____, license_created_at: _____, ...shared } = session
  return { ...shared, connection, ttl }
}

/** Brings the name in a customer's session up to date, where it is still its session. */
export const setCustomerName = (row: CustomerSocketItem, name: string): Op<'socket'> => ({
  Update: {
    Key: keys.socket(row.connection),
    UpdateExpression: 'SET #session.#name = :name',
    ConditionExpression: sameUser(row).condition,
    ExpressionAttributeNames: { '#session': 'session', '#name': 'name' },
    ExpressionAttributeValues: { ':name': name, ':user': row.customer_id },
  },
})

/**
 * Brings the end of its license in a customer's session and its row up to date; each only where it still
 * exists.
 */
export const extendSession = (
  row: CustomerSocketItem,
  expiresAt: number,
): Op<SocketFamily<CustomerSocketItem>>[] => [
  {
    Update: {
      Key: keys.socket(row.connection),
      UpdateExpression: 'SET #session.license_expires_at = :expires',
      ConditionExpression: sameUser(row).condition,
      ExpressionAttributeNames: { '#session': 'session' },
      ExpressionAttributeValues: { ':expires': expiresAt, ':user': row.customer_id },
    },
  },
  {
    Update: {
      Key: rowKey(row, row.connection),
      UpdateExpression: 'SET license_expires_at = :expires',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':expires': expiresAt },
    },
  },
]

/** What of an account is copied into its sessions. */
export type AccountCopy = Pick<Session, 'name' | 'permission' | 'groups' | 'license_expires_at'>

/** Brings a session and its row up to date with its account; each only where it still exists. */
export const refreshSession = (
  connection: string,
  session: Session,
  account: AccountCopy,
): Op<'socket' | 'agentSockets'>[] => {
  const { name, permission, groups, license_expires_at } = account
  const values = { ':permission': permission, ':groups': groups, ':expires': license_expires_at }
  return [
    {
      Update: {
        Key: keys.socket(connection),
        UpdateExpression:
          'SET #session.#name = :name, #session.#permission = :permission, #session.#groups = :groups, #session.license_expires_at = :expires',
        ConditionExpression: '#session.agent_id = :agent',
        ExpressionAttributeNames: {
          '#session': 'session',
          '#name': 'name',
          '#permission': 'permission',
          '#groups': 'groups',
        },
        ExpressionAttributeValues: { ...values, ':name': name, ':agent': session.agent_id },
      },
    },
    {
      Update: {
        Key: keys.agentSocket(session.license_id, session.agent_id, connection),
        UpdateExpression: 'SET #permission = :permission, #groups = :groups, license_expires_at = :expires',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeNames: { '#permission': 'permission', '#groups': 'groups' },
        ExpressionAttributeValues: values,
      },
    },
  ]
}

export const markSlow = (row: Connected, untilMs: number): Op<RowFamily> => ({
  Update: {
    Key: rowKey(row, row.connection),
    UpdateExpression: 'SET slow_until = :until',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':until': untilMs },
  },
})
