import * as z from 'zod/mini'
import { Permission, trueOrAbsent } from '../protocol/objects.ts'
import { CustomerDisconnectReason, DisconnectReason } from '../protocol/disconnect-reasons.ts'
import { type Key, keys } from './keys.ts'
import type { Reader } from './ops.ts'
import { type Condition, is } from './update.ts'

/** Why an agent's session is over before its socket is. One that logged out is told nothing more. */
export const SessionEnd = z.enum([...DisconnectReason.options, 'logged_out'])

/** Until when a session counts, in Unix seconds. */
const lasting = { token_expires_at: z.int(), license_expires_at: z.int() }

/**
 * Which agent is at the other end: what `serve` and the audience decide by, copied from agent and license at
 * login.
 */
const agentIdentity = {
  license_id: z.string(),
  agent_id: z.string(),
  permission: Permission,
  groups: z.array(z.int()),
  /** No person: whether it is there, its connection does not say. */
  bot: trueOrAbsent,
  /** The known scopes of a restricted token; absent: unrestricted. */
  token_scopes: z.optional(z.array(z.string())),
  ...lasting,
  /** The hash of the mobile device's token that counts as one instance with this socket. */
  device: z.optional(z.string()),
  /** The pushes that the connection wants; absent: all. */
  pushes: z.optional(z.array(z.string())),
  /** Content pushes come only of chats that the agent is in or follows. */
  chats: z.optional(z.literal('my')),
  /** Its places in the lists of audiences. */
  places: z.optional(z.array(z.string())),
}

const customerIdentity = { license_id: z.string(), customer_id: z.string(), ...lasting }

const AgentSession = z.object({
  ...agentIdentity,
  name: z.string(),
  /** When its license was made (Unix seconds): how far back archives can reach. */
  license_created_at: z.optional(z.int()),
  /** Which login made it so: one whose answer was lost knows its own work by it. */
  nonce: z.optional(z.string()),
  application: z.optional(z.object({ name: z.optional(z.string()), version: z.optional(z.string()) })),
  /** Set once the session is over before its socket is: a suspended or deleted agent's, or by `logout`. */
  ended: z.optional(SessionEnd),
})

const CustomerSession = z.object({
  ...customerIdentity,
  /** As system messages name the customer. */
  name: z.string(),
  nonce: z.optional(z.string()),
  /** Set once the session is over before its socket is: a banned customer's. */
  ended: z.optional(CustomerDisconnectReason),
})

/** A customer's connection as its handshake shows it. */
const Visitor = z.object({
  license_id: z.string(),
  ip: z.string(),
  user_agent: z.optional(z.string()),
})

export type Visitor = z.output<typeof Visitor>

/** `SOCKET#<connection>`: a connection and, after login, its session. `ttl` in Unix seconds. */
export const SocketItem = z.object({
  connection: z.string(),
  connected_at: z.int(),
  ttl: z.int(),
  /** Since when a worker is closing it, in ms. */
  closing_at: z.optional(z.int()),
  /** Where it comes from; a visitor says so itself. */
  ip: z.optional(z.string()),
  /** Of connections of the customers' endpoint alone. */
  visitor: z.optional(Visitor),
  session: z.optional(z.union([AgentSession, CustomerSession])),
})

export type SocketItem = z.output<typeof SocketItem>

/** An agent's session. */
export type Session = z.output<typeof AgentSession>

export type CustomerSession = z.output<typeof CustomerSession>

/** A session of either kind of user. */
export type AnySession = Session | CustomerSession

/** What each row of a live socket has; audiences are chosen from these. */
const row = {
  connection: z.string(),
  ttl: z.int(),
  /** Milliseconds: until then a connection that timed out is pushed to by the `later` worker only. */
  slow_until: z.optional(z.int()),
}

/** `LICENSE#<l>#SOCKETS` and `AUDIENCE#<l>#<list>`: a live socket of an agent. */
export const AgentSocketItem = z.object({
  ...agentIdentity,
  ...row,
  /** As its session's. */
  ended: z.optional(SessionEnd),
})

export type AgentSocketItem = z.output<typeof AgentSocketItem>

/** `CUSTOMER#<l>#<c>#SOCKETS`: a live socket of a customer. */
export const CustomerSocketItem = z.object({
  ...customerIdentity,
  ...row,
  ended: z.optional(CustomerDisconnectReason),
})

export type CustomerSocketItem = z.output<typeof CustomerSocketItem>

/** A live socket in its list, whoever's it is. */
export type SocketRow = AgentSocketItem | CustomerSocketItem

/** A user, as sessions and rows name it. */
export type Identified =
  Pick<AgentSocketItem, 'license_id' | 'agent_id'> | Pick<CustomerSocketItem, 'license_id' | 'customer_id'>

/** Whose rows a connection has, and where. */
export type Listed = Identified & Pick<AgentSocketItem, 'places'>

/** A user's connection. */
export type Connected = Identified & { connection: string }

export const isCustomers = <I extends Identified>(of: I): of is Extract<I, { customer_id: string }> =>
  'customer_id' in of

// no deployment is older; of a license that does not say when it was made
const earliestS = Date.UTC(2026, 0) / 1000

/** Since when (ms) there can be anything in the archives of an agent's license. */
export const archivesSince = ({ license_created_at = earliestS }: Session): number =>
  license_created_at * 1000

/** A session where it is an agent's. */
export const agentsSession = (session: AnySession | undefined): Session | undefined =>
  session === undefined || isCustomers(session) ? undefined : session

/** Whose session, row or request it is. */
export const userIdOf = (of: Identified): string => ('customer_id' in of ? of.customer_id : of.agent_id)

/** Where a live socket of such a user stands, and the list that it is in. */
export type SocketFamily<I extends Identified = Identified> = 'socket' | RowFamily<I>

export type RowFamily<I extends Identified = Identified> = I extends { customer_id: string }
  ? 'customerSockets'
  : 'agentSockets' | 'audience'

/** The key of a connection's row in the list of all that its customer has, or its agent's license. */
export const rowKey = (of: Identified, connection: string): Key<'agentSockets' | 'customerSockets'> =>
  'customer_id' in of
    ? keys.customerSocket(of.license_id, of.customer_id, connection)
    : keys.agentSocket(of.license_id, of.agent_id, connection)

/** The keys of all rows of a connection: that one, and those in the lists of audiences. */
export const rowKeys = <I extends Listed>(of: I, connection: string): Key<RowFamily<I>>[] => {
  const user: Listed = of
  const { license_id: license, places = [] } = user
  const heard =
    'customer_id' in user
      ? []
      : places.map((place) => keys.audienceRow(license, place, user.agent_id, connection))
  // the same condition twice, of the value and of its type
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
  return [rowKey(user, connection), ...heard] as Key<RowFamily<I>>[]
}

/** That a session is still the same user's. */
export const sameUser = (of: Identified): Condition =>
  is('customer_id' in of ? { 'session.customer_id': of.customer_id } : { 'session.agent_id': of.agent_id })

/** The gateway closes a connection after two hours; what is left behind goes with the TTL, in seconds. */
export const maxAgeS = 2 * 3600 + 300

/** The IP address that a connection comes from. */
export const addressOf = ({ visitor, ip }: SocketItem): string | undefined => visitor?.ip ?? ip

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

/**
 * Why a session counts no more, by time alone; undefined while it does. Token before license, as `login`
 * checks them.
 */
export const expiryOf = (
  session: Pick<AnySession, 'token_expires_at' | 'license_expires_at'>,
  nowMs: number,
): 'access_token_expired' | 'license_expired' | undefined => {
  if (session.token_expires_at * 1000 <= nowMs) return 'access_token_expired'
  return session.license_expires_at * 1000 <= nowMs ? 'license_expired' : undefined
}

// more than how far apart the clocks of functions are, and that `ttl` counts in seconds
const startingMs = 2000 + 1000

/**
 * Whether a connection is so new that its gateway may not know it yet, and answers 410 as for one that is
 * gone.
 */
export const isStarting = ({ ttl }: Pick<SocketRow, 'ttl'>, nowMs: number): boolean =>
  nowMs < (ttl - maxAgeS) * 1000 + startingMs

/** Whether a row stands for a connection that pushes may go to. */
export const isLive = (row: SocketRow, nowMs: number): boolean =>
  row.ended === undefined && row.ttl * 1000 > nowMs && expiryOf(row, nowMs) === undefined
