import type { ActionSpec, Family } from '../protocol/action.ts'
import { type ErrorType, ProtocolError } from '../protocol/errors.ts'
import {
  count,
  type Counted,
  countedAddress,
  countedChat,
  countedLicense,
  countedUser,
  type CounterFamily,
  type Counts,
  putOff,
  refuseUntil,
} from '../table/counters.ts'
import type { Chat } from '../table/chats.ts'
import type { Writer } from '../table/ops.ts'
import type { Key } from '../table/keys.ts'
import { addressOf, type CustomerSession, isCustomers, type SocketItem } from '../table/sockets.ts'
import { config } from '../platform/config.ts'
import { type Job, Momentary } from '../jobs/job-queue.ts'
import { log } from '../platform/log.ts'

// Limits of what strangers may ask for in a minute (protocol §2, `too_many_requests`). Requests are counted
// for the customer, whatever its connections; what is of no customer yet for the address that it comes from;
// threads begun for the license as well. Agents are limited where a deployment says so.

/** What is counted by itself. `frame`: pings, and frames that are no request. */
export type Kind = 'start_chat' | 'send_event' | 'other' | 'frame'

/** The endpoint that somebody is connected to. */
type Endpoint = 'agent' | 'customer'

export interface Limiting {
  connection: string
  endpoint: Endpoint
  write: Writer<CounterFamily>
  enqueue: (job: Job, delayS: number) => Promise<void>
}

const minuteMs = 60_000
// so many times its limit is no mistake of an app
const floodFactor = 5
const closeAfterS = 1
// fewer requests of a customer than these are not counted for its address: one write less for most of them
const firstForAddress = 4

const kindOf = ({ name }: Pick<ActionSpec, 'name'>): Kind =>
  name === 'start_chat' || name === 'send_event' ? name : 'other'

const mostOf = (endpoint: Endpoint, kind: Kind): number => {
  const rates = endpoint === 'customer' ? config.rates() : config.agentRates()
  return rates[kind === 'frame' ? 'other' : kind]
}

const tooMany = (nowMs: number, untilMs?: number): ProtocolError => {
  const seconds =
    untilMs === undefined ? 60 - (Math.floor(nowMs / 1000) % 60) : Math.ceil((untilMs - nowMs) / 1000)
  return new ProtocolError('too_many_requests', {
    details: [{ path: '', message: `Try again in ${seconds} s` }],
  })
}

/**
 * Judges a count. Throws `too_many_requests` over the limit, which says when to try again. Who goes five
 * times over it is closed as well, and its address cannot connect for a minute.
 */
const judge = async (
  ctx: Limiting,
  { count: times, refusedUntil }: Counts,
  most: number,
  { address, by = 1 }: { address: string | undefined; by?: number },
): Promise<void> => {
  const nowMs = Date.now()
  const multiple = (of: number) => Math.floor((of - 1) / most)
  // once per multiple: ending it is work of its own
  const isFlood = times > most * floodFactor && multiple(times) > multiple(times - by)
  if (!isFlood && refusedUntil > nowMs) throw tooMany(nowMs, refusedUntil)
  if (times <= most) return
  if (!isFlood) throw tooMany(nowMs)
  const { connection, endpoint, write } = ctx
  const untilMs = nowMs + minuteMs
  const reason = endpoint === 'customer' ? 'too_many_connections' : 'agent_disconnected_by_server'
  log.warn('A connection is closed that asked for five times its limit', { limit: most })
  await Promise.all([
    ctx.enqueue({ job: 'close', connection, reason }, closeAfterS),
    address === undefined ? undefined : refuseUntil(write, countedAddress(address), nowMs, untilMs),
  ]).catch((error: unknown) => log.error('A flood could not be ended', { cause: error }))
  throw tooMany(nowMs, untilMs)
}

/**
 * Counts what a user asks for, over all its connections. Resolves to when (ms) it was counted before under the same
 * `stamp`; 0: not in this minute.
 */
export const limitUser = async (
  ctx: Limiting,
  who: Counted,
  kind: Kind,
  { address, by = 1, stamp }: { address?: string | undefined; by?: number; stamp?: string } = {},
): Promise<number> => {
  const most = mostOf(ctx.endpoint, kind)
  if (most === 0) return 0
  const counts = await count(ctx.write, who, kind, Date.now(), { by, stamp })
  await judge(ctx, counts, most, { address, by })
  return counts.previousAt
}

/**
 * Counts a customer's requests for its address as well, in steps: the fourth one in a minute, then each time
 * that their number has doubled, so that most requests cost no write for it. Over the limit, the customer is
 * refused for the rest of the minute.
 */
const limitUsersAddress = async (
  ctx: Limiting,
  { who, kind, times, address }: { who: Counted; kind: Kind; times: number; address: string },
): Promise<void> => {
  const rates = config.rates()
  const most = mostOf(ctx.endpoint, kind) * rates.addressFactor
  const isStep = times >= firstForAddress && Number.isInteger(Math.log2(times))
  // each thread that begins is counted for its address by itself
  if (most === 0 || kind === 'start_chat' || !isStep) return
  const nowMs = Date.now()
  const by = times === firstForAddress ? times : times / 2
  const { count: all } = await count(ctx.write, countedAddress(address), kind, nowMs, { by })
  if (all > most) await refuseUntil(ctx.write, who, nowMs, (Math.floor(nowMs / minuteMs) + 1) * minuteMs - 1)
}

/**
 * What is counted of an address: connections, new customers, threads begun; logins that fail, and what comes
 * before a login.
 */
type OfAddress = 'connect' | 'new_customer' | 'start_chat' | 'failed_login' | 'not_logged_in'

const mostOfAddress = (what: OfAddress): number => {
  const { start_chat, other, addressFactor } = config.rates()
  return (what === 'start_chat' ? start_chat : other) * addressFactor
}

/** Counts what comes from an address; throws as `judge` does. */
export const limitAddress = async (
  ctx: Limiting,
  address: string | undefined,
  what: OfAddress,
): Promise<void> => {
  const most = mostOfAddress(what)
  if (most === 0 || address === undefined) return
  await judge(ctx, await count(ctx.write, countedAddress(address), what, Date.now()), most, { address })
}

/** Whether an address may connect: counts it. */
export const mayConnect = async (write: Writer<'address'>, address: string): Promise<boolean> => {
  const most = mostOfAddress('connect')
  if (most === 0) return true
  const nowMs = Date.now()
  const { count: times, refusedUntil } = await count(write, countedAddress(address), 'connect', nowMs)
  return times <= most && refusedUntil <= nowMs
}

/** Counts a thread that a customer begins for its license: each is many writes, now and in the index. */
const limitLicense = async (ctx: Limiting, license: string): Promise<void> => {
  const most = config.rates().licenseStarts
  if (most === 0) return
  const nowMs = Date.now()
  // nobody is closed for what others of its license do
  if ((await count(ctx.write, countedLicense(license), 'start_chat', nowMs)).count > most)
    throw tooMany(nowMs)
}

/** A request that is counted while it is read. */
export interface Counting {
  socket: Promise<SocketItem | undefined>
  /** Resolves once the request is counted; rejects where it was one too many. Nothing is written before. */
  allowed: Promise<void>
  /** Once allowed: when its user asked for the same the last time (ms), of what is paced. */
  previousAt: () => number
  /** `allowed` comes only after the session was read: what the action reads need not wait for it. */
  isLate: boolean
  /** Resolves once nothing of the counting is under way; never rejects. */
  done: () => Promise<void>
}

/**
 * Counts a request of a session for its user. A customer's request that names its chat is counted while that
 * is read, by the chat: a customer has one. Any other is counted once its session is read, beside what the
 * action reads.
 */
export const countRequest = (
  spec: Pick<ActionSpec, 'name' | 'paced'>,
  ctx: Limiting,
  socket: Promise<SocketItem | undefined>,
  chat: string | undefined,
): Counting => {
  const kind = kindOf(spec)
  const most = mostOf(ctx.endpoint, kind)
  const stamp = spec.paced ? spec.name : undefined
  const named = ctx.endpoint === 'customer' && chat !== undefined ? countedChat(chat) : undefined
  const early =
    named === undefined || most === 0 ? undefined : count(ctx.write, named, kind, Date.now(), { stamp })
  let beside: Promise<void> | undefined
  let previousAt = 0
  const counted = async (): Promise<void> => {
    const [found, counts] = await Promise.all([socket, early])
    if (found === undefined) return
    const address = addressOf(found)
    if (found.session === undefined) return limitAddress(ctx, address, 'not_logged_in')
    if (most === 0) return
    const who = countedUser(found.session)
    const own =
      counts !== undefined && who === named
        ? counts
        : await count(ctx.write, who, kind, Date.now(), { stamp })
    if (ctx.endpoint === 'customer' && address !== undefined)
      beside = limitUsersAddress(ctx, { who, kind, times: own.count, address }).catch((error: unknown) =>
        log.error('An address was not counted', { cause: error }),
      )
    ;({ previousAt } = own)
    await judge(ctx, own, most, { address })
  }
  const allowed = counted()
  // whoever awaits it is told; it may reject before
  allowed.catch(() => undefined)
  return {
    socket,
    allowed,
    previousAt: () => previousAt,
    isLate: ctx.endpoint === 'customer' && named === undefined,
    done: async () => {
      await allowed.catch(() => undefined)
      await beside
    },
  }
}

/** A writer whose writes wait until their request is counted. */
export const writingAfter = <F extends Family>(
  allowed: Promise<void>,
  { write, batch, transact }: Writer<F>,
): Writer<F> => ({
  write: async (...given) => allowed.then(() => write(...given)),
  batch: async (...given) => allowed.then(() => batch(...given)),
  transact: async (...given) => allowed.then(() => transact(...given)),
})

/**
 * Counts a thread that a request begins: for its user, and a customer's for its address and license as well.
 */
export const countThread = async (
  { name }: Pick<ActionSpec, 'name'>,
  ctx: Limiting,
  socket: SocketItem | undefined,
  events: number,
): Promise<void> => {
  const { session } = socket ?? {}
  if (socket === undefined || session === undefined) return
  const address = addressOf(socket)
  const who = countedUser(session)
  await Promise.all([
    // counted already, as the request that it is
    name === 'start_chat' ? undefined : limitUser(ctx, who, 'start_chat', { address }),
    events === 0 ? undefined : limitUser(ctx, who, 'send_event', { address, by: events }),
    ...(isCustomers(session)
      ? [limitAddress(ctx, address, 'start_chat'), limitLicense(ctx, session.license_id)]
      : []),
  ])
}

// what went wrong on our side is nobody's doing
const notCounted = new Set<ErrorType>(['too_many_requests', 'request_timeout', 'internal'])

/** Counts a login that failed, for its address. */
export const countFailedLogin = async (
  ctx: Limiting,
  error: unknown,
  arrive: () => Promise<SocketItem | undefined>,
): Promise<void> => {
  if (!(error instanceof ProtocolError) || notCounted.has(error.type)) return
  const socket = await arrive()
  if (socket !== undefined) await limitAddress(ctx, addressOf(socket), 'failed_login')
}

/**
 * Counts a frame that asks for nothing: a ping, or one that is no request. For its user; before a login, for
 * its address: nobody there has anything else to send but that login.
 */
export const limitFrame = async (
  ctx: Omit<Limiting, 'endpoint'>,
  arrive: () => Promise<SocketItem | undefined>,
): Promise<void> => {
  if (config.rates().other === 0 && config.agentRates().other === 0) return
  const socket = await arrive()
  if (socket === undefined) return
  const address = addressOf(socket)
  const endpoint = socket.visitor === undefined ? 'agent' : 'customer'
  const limiting: Limiting = { ...ctx, endpoint }
  if (socket.session === undefined) await limitAddress(limiting, address, 'not_logged_in')
  else await limitUser(limiting, countedUser(socket.session), 'frame', { address })
}

/**
 * What a customer has done and others are to hear of: what is stored by its keys, what is not as it is.
 * `before`: the chat as it was.
 */
export type Paced = { keys: readonly Key[]; before?: Chat } | { payload: unknown }

const paceMs = 1000

/**
 * Whether others hear of it now: what a customer can repeat reaches them once a second. Else the last of it
 * is told by a job, a second later, of which there is one at a time.
 */
export const pace = async (
  { name: action }: Pick<ActionSpec, 'name'>,
  ctx: Limiting,
  previousAt: number,
  me: CustomerSession,
  paced: Paced,
): Promise<boolean> => {
  const nowMs = Date.now()
  if (nowMs - previousAt >= paceMs) return true
  const payload = 'keys' in paced ? true : paced.payload
  const isFirst = await putOff(ctx.write, countedUser(me), action, { payload, nowMs, dueMs: nowMs + paceMs })
  const { license_id, customer_id } = me
  const job: Job =
    'keys' in paced
      ? { job: 'tell_written', action, keys: paced.keys.map(({ pk, sk }) => [pk, sk]), before: paced.before }
      : { job: 'tell_pending', action: Momentary.parse(action), license_id, customer_id }
  if (isFirst) await ctx.enqueue(job, paceMs / 1000)
  return false
}
