import * as z from 'zod/mini'
import { DisconnectReason } from '../protocol/pushes.ts'
import { Permission } from '../protocol/objects.ts'
import { log } from '../runtime/log.ts'
import { agentSocketsPrefix, keys, socketsPk } from './keys.ts'
import type { Attributes, Op, Reader, Writer } from './ops.ts'

/** Who is at the other end: what `serve` and the audience decide by, copied from agent and licence at login. */
const identity = {
  license_id: z.string(),
  agent_id: z.string(),
  permission: Permission,
  groups: z.array(z.int()),
  /** The known scopes of a restricted token; absent: unrestricted. */
  token_scopes: z.optional(z.array(z.string())),
  /** Unix seconds. */
  token_expires_at: z.int(),
  license_expires_at: z.int(),
  /** The hash of the mobile device's token that counts as one instance with this socket. */
  device: z.optional(z.string()),
}

/** `SOCKET#<connection>`: a connection and, after login, its session. `ttl` in Unix seconds. */
export const SocketItem = z.object({
  connection: z.string(),
  connected_at: z.int(),
  ttl: z.int(),
  /** Since when a worker is closing it, in ms. */
  closing_at: z.optional(z.int()),
  session: z.optional(
    z.object({
      ...identity,
      name: z.string(),
      /** Which login made it so: one whose answer was lost knows its own work by it. */
      nonce: z.optional(z.string()),
      application: z.optional(z.object({ name: z.optional(z.string()), version: z.optional(z.string()) })),
      /** Set once the session is over before its socket is: a suspended or deleted agent's. */
      ended: z.optional(DisconnectReason),
    }),
  ),
})
export type SocketItem = z.output<typeof SocketItem>
export type Session = NonNullable<SocketItem['session']>

/** `LICENSE#<l>#SOCKETS`: a live socket in its licence's list; the audience is chosen from these. */
export const AgentSocketItem = z.object({
  ...identity,
  connection: z.string(),
  ttl: z.int(),
  /** Milliseconds: until then a connection that timed out is pushed to by the `later` worker only. */
  slow_until: z.optional(z.int()),
  /** As its session's. */
  ended: z.optional(DisconnectReason),
})
export type AgentSocketItem = z.output<typeof AgentSocketItem>

// the gateway closes a connection after two hours; what is left behind goes with the TTL
const maxAgeS = 2 * 3600 + 300

export const connected = (connection: string, nowMs: number): Op => ({
  Put: {
    Item: {
      ...keys.socket(connection),
      connection,
      connected_at: nowMs,
      ttl: Math.floor(nowMs / 1000) + maxAgeS,
    },
  },
})

// whoever set this mark closes the connection; left behind by a worker that died, it holds no longer than this
export const closingMs = 10_000

/** Whether a worker is closing this connection just now. */
export const isClosing = ({ closing_at }: SocketItem, nowMs: number): boolean =>
  closing_at !== undefined && closing_at >= nowMs - closingMs

const notClosing = '(attribute_not_exists(closing_at) OR closing_at < :stale)'

/**
 * The two writes of a login: the session on its socket, which must still be there, not being closed and nobody else's;
 * and its row in the licence's list.
 */
export const sessionStarted = (socket: SocketItem, session: Session, nowMs: number): Op[] => {
  const { name: _, application: __, ended: ___, nonce: ____, ...shared } = session
  return [
    {
      Update: {
        Key: keys.socket(socket.connection),
        UpdateExpression: 'SET #session = :session REMOVE closing_at, closing_by',
        ConditionExpression: `attribute_exists(pk) AND ${notClosing} AND (attribute_not_exists(#session) OR (#session.license_id = :license AND #session.agent_id = :agent))`,
        ExpressionAttributeNames: { '#session': 'session' },
        ExpressionAttributeValues: {
          ':session': session,
          ':license': session.license_id,
          ':agent': session.agent_id,
          ':stale': nowMs - closingMs,
        },
      },
    },
    {
      Put: {
        Item: {
          ...keys.agentSocket(session.license_id, session.agent_id, socket.connection),
          ...shared,
          connection: socket.connection,
          ttl: socket.ttl,
        },
      },
    },
  ]
}

/** What of an account is copied into its sessions. */
export type AccountCopy = Pick<Session, 'name' | 'permission' | 'groups' | 'license_expires_at'>

/** Brings a session and its row up to date with its account; each only where it still exists. */
export const sessionRefreshed = (connection: string, session: Session, account: AccountCopy): Op[] => {
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

/**
 * Claims the closing of a connection, so that of several workers one tells it why; only with the session it was judged
 * by, so that one that was renewed, or logged in at the last moment, stays.
 */
export const closingClaimed = (
  connection: string,
  { session, nonce, nowMs }: { session: Session | undefined; nonce: string; nowMs: number },
): Op => {
  const judged =
    session === undefined
      ? 'attribute_not_exists(#session)'
      : session.ended === undefined
        ? '#session.token_expires_at = :token AND #session.license_expires_at = :license'
        : 'attribute_exists(#session.ended)'
  const expiries =
    session === undefined || session.ended !== undefined
      ? {}
      : { ':token': session.token_expires_at, ':license': session.license_expires_at }
  return {
    Update: {
      Key: keys.socket(connection),
      UpdateExpression: 'SET closing_at = :now, closing_by = :nonce',
      ConditionExpression: `attribute_exists(pk) AND (${notClosing} OR closing_by = :nonce) AND ${judged}`,
      ExpressionAttributeNames: { '#session': 'session' },
      ExpressionAttributeValues: {
        ':now': nowMs,
        ':stale': nowMs - closingMs,
        ':nonce': nonce,
        ...expiries,
      },
    },
  }
}

/** Ends a session while its socket is still open: whatever it asks from now on is `auth`, and nothing is pushed to it. */
export const sessionEnded = (row: AgentSocketItem, reason: DisconnectReason): Op[] => [
  {
    Update: {
      Key: keys.socket(row.connection),
      UpdateExpression: 'SET #session.ended = :reason',
      ConditionExpression: '#session.agent_id = :agent',
      ExpressionAttributeNames: { '#session': 'session' },
      ExpressionAttributeValues: { ':reason': reason, ':agent': row.agent_id },
    },
  },
  {
    Update: {
      Key: keys.agentSocket(row.license_id, row.agent_id, row.connection),
      UpdateExpression: 'SET ended = :reason',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':reason': reason },
    },
  },
]

export const socketRemoved = (connection: string): Op => ({ Delete: { Key: keys.socket(connection) } })

export const agentSocketRemoved = (license: string, agent: string, connection: string): Op => ({
  Delete: { Key: keys.agentSocket(license, agent, connection) },
})

/**
 * Forgets a connection: its socket, and the row of whoever is logged in on it by then; of `session`, where the socket
 * is gone already and may have left its row behind.
 */
export const forgetSocket = async (
  write: Writer,
  connection: string,
  session?: Pick<Session, 'license_id' | 'agent_id'>,
): Promise<void> => {
  const removed = await deleted(write, socketRemoved(connection))
  const last = (removed === undefined ? undefined : SocketItem.parse(removed).session) ?? session
  if (last !== undefined) await deleted(write, agentSocketRemoved(last.license_id, last.agent_id, connection))
}

// a delete without a condition is refused only while a login's transaction on the item is under way
const deleted = async (write: Writer, op: Op): Promise<Attributes | undefined> => {
  for (;;) {
    const outcome = await write.write(op, { returnOld: true })
    if (outcome.done) return outcome.attributes
  }
}

export const agentSocketSlow = (row: AgentSocketItem, untilMs: number): Op => ({
  Update: {
    Key: keys.agentSocket(row.license_id, row.agent_id, row.connection),
    UpdateExpression: 'SET slow_until = :until',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':until': untilMs },
  },
})

/** A socket as it is now; undefined where it is gone or past its TTL. */
export const readSocket = async (
  read: Reader,
  connection: string,
  nowMs: number,
): Promise<SocketItem | undefined> => {
  const item = await read.get(keys.socket(connection), { strong: true })
  if (item === undefined) return undefined
  const socket = SocketItem.parse(item)
  return socket.ttl * 1000 > nowMs ? socket : undefined
}

/** Every row of a licence's list, or of one agent in it; also those that no longer count as live. Skips what is none. */
export const readAgentSockets = async (
  read: Reader,
  license: string,
  agent?: string,
): Promise<AgentSocketItem[]> => {
  const rows = await read.query({
    pk: socketsPk(license),
    strong: true,
    ...(agent === undefined ? {} : { prefix: agentSocketsPrefix(agent) }),
  })
  return rows.flatMap((row) => {
    const parsed = AgentSocketItem.safeParse(row)
    if (parsed.success) return [parsed.data]
    // one bad row must not keep a whole licence from its pushes
    log.error('A row of a licence’s sockets is not as it should be', {
      license,
      row: row['sk'],
      fields: parsed.error.issues.map(({ path }) => path.join('.')),
    })
    return []
  })
}

/** Why a session counts no more, by time alone; undefined while it does. Token before licence, as `login` checks them. */
export const expiryOf = (
  session: Pick<Session, 'token_expires_at' | 'license_expires_at'>,
  nowMs: number,
): 'access_token_expired' | 'license_expired' | undefined => {
  if (session.token_expires_at * 1000 <= nowMs) return 'access_token_expired'
  return session.license_expires_at * 1000 <= nowMs ? 'license_expired' : undefined
}

/** Whether a row stands for a connection that pushes may go to. */
export const isLive = (row: AgentSocketItem, nowMs: number): boolean =>
  row.ended === undefined && row.ttl * 1000 > nowMs && expiryOf(row, nowMs) === undefined
