import { customerChatId } from './ids.ts'
import { addressPk, agentCounterPk, chatCounterPk, keys, licenseCounterPk, type Pk } from './keys.ts'
import type { Reader, Writer } from './ops.ts'
import { type Identified, isCustomers } from './sockets.ts'
import { update } from './update.ts'

// counts of a minute are of no use after it, refusals after the next
const keptForS = 300
const ttlAt = (nowMs: number): number => Math.floor(nowMs / 1000) + keptForS

/** The families of counters. */
export type CounterFamily = 'address' | 'count'
/** Who is counted, by the partition key of the counters. */
export type Counted = Pk<CounterFamily>

export const countedAddress = (ip: string): Pk<'address'> => addressPk(ip)
export const countedLicense = (license: string): Pk<'count'> => licenseCounterPk(license)
/** A customer is counted by its chat, which a request names before its session is read. */
export const countedChat = (chat: string): Pk<'count'> => chatCounterPk(chat)
/** A user over all its connections. */
export const countedUser = (of: Identified): Pk<'count'> =>
  isCustomers(of)
    ? countedChat(customerChatId(of.license_id, of.customer_id))
    : agentCounterPk(of.license_id, of.agent_id)

const minuteOf = (nowMs: number) => Math.floor(nowMs / 60_000)

/** What has been counted of somebody in a minute. */
export interface Counts {
  /** How often, this time included. */
  count: number
  /** Until when all that it asks for is refused (ms). */
  refusedUntil: number
  /** When it did the same the last time (ms), of what is stamped; 0: not in this minute. */
  previousAt: number
}

/**
 * Counts something that somebody did `by` times; resolves to how often it has been done in this minute. One
 * write.
 */
export const count = async <F extends CounterFamily>(
  write: Writer<F>,
  who: Pk<F>,
  what: string,
  nowMs: number,
  { by = 1, stamp }: { by?: number; stamp?: string | undefined } = {},
): Promise<Counts> => {
  const outcome = await write.write(
    update(keys.minute(who, minuteOf(nowMs)), {
      set: { ttl: ttlAt(nowMs), ...(stamp === undefined ? {} : { [`at_${stamp}`]: nowMs }) },
      add: { [what]: by },
    }),
    { returns: 'old' },
  )
  const before = (outcome.done ? outcome.attributes : undefined) ?? {}
  return {
    count: Number(before[what] ?? 0) + by,
    refusedUntil: Number(before['refused_until'] ?? 0),
    previousAt: Number(before[`at_${stamp}`] ?? 0),
  }
}

/**
 * Refuses all that somebody asks for until a time that is at most a minute away. Two writes: that time may be
 * in the next minute.
 */
export const refuseUntil = async <F extends CounterFamily>(
  write: Writer<F>,
  who: Pk<F>,
  nowMs: number,
  untilMs: number,
): Promise<void> => {
  const refused = { set: { ttl: ttlAt(nowMs), refused_until: untilMs } }
  const minutes = new Set([minuteOf(nowMs), minuteOf(untilMs)])
  await Promise.all([...minutes].map((minute) => write.write(update(keys.minute(who, minute), refused))))
}

/**
 * Keeps the last that somebody has shown of itself by an action, to be told at `dueMs`; resolves to whether
 * that is still to be seen to: not where it was put off before, and is not due yet.
 */
export const putOff = async (
  write: Writer<'count'>,
  who: Pk<'count'>,
  action: string,
  { payload, nowMs, dueMs }: { payload: unknown; nowMs: number; dueMs: number },
): Promise<boolean> => {
  const outcome = await write.write(
    update(keys.pending(who, action), { set: { ttl: ttlAt(nowMs), due: dueMs, payload } }),
    { returns: 'old' },
  )
  return outcome.done && Number(outcome.attributes?.['due'] ?? 0) <= nowMs
}

/** What was put off last; undefined: nothing. */
export const readPending = async (
  read: Reader<'count'>,
  who: Pk<'count'>,
  action: string,
): Promise<unknown> => (await read.get(keys.pending(who, action), { strong: true }))?.['payload']
