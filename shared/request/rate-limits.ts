import type { Enqueues } from '../jobs/job-queue.ts'
import { config } from '../platform/config.ts'
import { log } from '../platform/log.ts'
import type { ActionSpec } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { Writes } from '../table/capabilities.ts'
import {
  count,
  type Counted,
  countedAddress,
  countedLicense,
  type CounterFamily,
  type Counts,
  refuseUntil,
} from '../table/counters.ts'
import type { Writer } from '../table/ops.ts'

// Limits of what strangers may ask for in a minute (protocol §2, `too_many_requests`). Requests are counted
// for the customer, whatever its connections; what is of no customer yet for the address that it comes from;
// threads begun for the license as well. Agents are limited where a deployment says so.

/** A kind of request that is counted by itself. `frame`: pings, and frames that are no request. */
export type Kind = 'start_chat' | 'send_event' | 'other' | 'frame'

/** The endpoint that somebody is connected to. */
type Endpoint = 'agent' | 'customer'

export interface Limiting extends Writes<CounterFamily>, Enqueues {
  /** Undefined: over HTTP, where there is none to close. */
  connection: string | undefined
  endpoint: Endpoint
}

const minuteMs = 60_000

// so many times its limit is no mistake of an app
const floodFactor = 5

const closeAfterS = 1

// fewer requests of a customer than these are not counted for its address: one write less for most of them
const firstForAddress = 4

export const requestKindOf = ({ name }: Pick<ActionSpec, 'name'>): Kind =>
  name === 'start_chat' || name === 'send_event' ? name : 'other'

export const mostOf = (endpoint: Endpoint, kind: Kind): number => {
  const rates = endpoint === 'customer' ? config.rates() : config.agentRates()
  return rates[kind === 'frame' ? 'other' : kind]
}

const tooMany = (nowMs: number, untilMs?: number): ProtocolError => {
  const seconds =
    untilMs === undefined ? 60 - (Math.floor(nowMs / 1000) % 60) : Math.ceil((untilMs - nowMs) / 1000)
  return new ProtocolError('too_many_requests', {
    retryAfterS: seconds,
    details: [{ path: '', message: `Try again in ${seconds} s` }],
  })
}

/**
 * Judges a count. Throws `too_many_requests` over the limit, which says when to try again. Who goes five
 * times over it is closed as well, and its address cannot connect for a minute.
 */
export const enforce = async (
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
  log.warn('Somebody asked for five times the limit, and is closed', { limit: most })
  await Promise.all([
    connection === undefined ? undefined : ctx.enqueue({ job: 'close', connection, reason }, closeAfterS),
    address === undefined ? undefined : refuseUntil(write, countedAddress(address), nowMs, untilMs),
  ]).catch((error: unknown) => log.error('A flood could not be ended', { cause: error }))
  throw tooMany(nowMs, untilMs)
}

/**
 * Counts what a user asks for, over all its connections. Resolves to when (ms) it was counted before under
 * the same `stamp`; 0: not in this minute.
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
  await enforce(ctx, counts, most, { address, by })
  return counts.previousAt
}

/**
 * Counts a customer's requests for its address as well, in steps: the fourth one in a minute, then each time
 * that their number has doubled, so that most requests cost no write for it. Over the limit, the customer is
 * refused for the rest of the minute.
 */
export const limitUsersAddress = async (
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
 * The counters of an address: connections, new customers, threads begun; logins that fail, and what comes
 * before a login.
 */
type OfAddress = 'connect' | 'new_customer' | 'start_chat' | 'failed_login' | 'not_logged_in'

const mostOfAddress = (what: OfAddress): number => {
  const { start_chat, other, addressFactor } = config.rates()
  return (what === 'start_chat' ? start_chat : other) * addressFactor
}

/** Counts what comes from an address; throws as `enforce` does. */
export const limitAddress = async (
  ctx: Limiting,
  address: string | undefined,
  what: OfAddress,
): Promise<void> => {
  const most = mostOfAddress(what)
  if (most === 0 || address === undefined) return
  await enforce(ctx, await count(ctx.write, countedAddress(address), what, Date.now()), most, { address })
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
export const limitLicense = async (ctx: Limiting, license: string): Promise<void> => {
  const most = config.rates().licenseStarts
  if (most === 0) return
  const nowMs = Date.now()
  // nobody is closed for what others of its license do
  if ((await count(ctx.write, countedLicense(license), 'start_chat', nowMs)).count > most)
    throw tooMany(nowMs)
}
