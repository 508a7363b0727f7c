import {
  addressPk,
  agentCounterPk,
  chatCounterPk,
  customerChatId,
  keys,
  licenseCounterPk,
  type Pk,
} from './keys.ts'
import { type Identified, isCustomers } from './sockets.ts'
import type { Writer } from './ops.ts'

// counts of a minute are of no use after it, refusals after the next
const keptForS = 300

/** The families of counters. */
export type CounterFamily = 'address' | 'count'
/** Who is counted, by the partition key of the counters. */
export type Counted = Pk<CounterFamily>

export const countedAddress = (ip: string): Pk<'address'> => addressPk(ip)
export const countedLicense = (license: string): Counted => licenseCounterPk(license)
/** A customer is counted by its chat, which a request names before its session is read. */
export const countedChat = (chat: string): Counted => chatCounterPk(chat)
/** A user over all its connections. */
export const countedUser = (of: Identified): Counted =>
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
  by = 1,
): Promise<Counts> => {
  const outcome = await write.write(
    {
      Update: {
        Key: keys.minute(who, minuteOf(nowMs)),
        UpdateExpression: 'SET #ttl = :ttl ADD #what :by',
        ExpressionAttributeNames: { '#ttl': 'ttl', '#what': what },
        ExpressionAttributeValues: { ':ttl': Math.floor(nowMs / 1000) + keptForS, ':by': by },
      },
    },
    { returns: 'new' },
  )
  const { [what]: times, refused_until } = (outcome.done ? outcome.attributes : undefined) ?? {}
  return { count: Number(times ?? 0), refusedUntil: Number(refused_until ?? 0) }
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
  const refused = (minute: number) => ({
    Update: {
      Key: keys.minute(who, minute),
      UpdateExpression: 'SET #ttl = :ttl, refused_until = :until',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: { ':ttl': Math.floor(nowMs / 1000) + keptForS, ':until': untilMs },
    },
  })
  const minutes = new Set([minuteOf(nowMs), minuteOf(untilMs)])
  await Promise.all([...minutes].map((minute) => write.write(refused(minute))))
}
