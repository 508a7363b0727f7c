import * as z from 'zod/mini'
import { keys } from './keys.ts'
import type { Op, Reader } from './ops.ts'
import { absent, and, atVersion, check, compare, exists, is, or, update } from './update.ts'

/** A ban, over by time alone once `until` (Unix seconds) has come. */
const Ban = z.object({ days: z.int(), until: z.int(), by: z.string() })
export type Ban = z.output<typeof Ban>

const Visit = z.object({
  /** Unix seconds, here and below. */
  started_timestamp: z.int(),
  /** The newest last. */
  pages: z._default(
    z.array(z.object({ url: z.string(), title: z.optional(z.string()), opened_timestamp: z.int() })),
    [],
  ),
  referrer: z.optional(z.string()),
  ip: z.optional(z.string()),
  user_agent: z.optional(z.string()),
  timezone: z.optional(z.string()),
})
/** A customer's time on the pages, from the first tab that it opens until none is left. */
export type Visit = z.output<typeof Visit>

/** What customers say of themselves, and of their visits. Every change raises `version`. */
const details = {
  name: z.optional(z.string()),
  email: z.optional(z.string()),
  properties: z._default(z.record(z.string(), z.string()), {}),
  visit: z.optional(Visit),
  visits: z._default(z.int(), 0),
  /** How many pages it has opened; absent: they were not counted yet. */
  page_views: z.optional(z.int()),
  /** When the visit before `visit` began. */
  last_visit: z.optional(z.int()),
}
const Details = z.object(details)
export type CustomerDetails = z.output<typeof Details>

/** How many pages a customer has opened, or how many of them are known where they were not counted yet. */
export const pageViewsOf = ({ page_views, visit }: Pick<CustomerDetails, 'page_views' | 'visit'>): number =>
  page_views ?? visit?.pages.length ?? 0

/**
 * `CUSTOMER#<l>#<c>` / `CUSTOMER`: one that has chatted, or told something of itself; without a chat it
 * expires. `seq` is raised by every login.
 */
export const CustomerItem = z.object({
  id: z.string(),
  license_id: z.string(),
  ...details,
  /** How many threads it has started or had started with it. */
  threads: z._default(z.int(), 0),
  version: z._default(z.int(), 0),
  /** When (ms) anything that is shown of it changed last. */
  changed_at: z._default(z.int(), 0),
  /** Which request changed its details last. */
  nonce: z.optional(z.string()),
  online: z._default(z.boolean(), false),
  seq: z._default(z.int(), 0),
  /** The check that found it gone. */
  offline_by: z.optional(z.string()),
  ban: z.optional(Ban),
  /** Which request banned it last, or lifted its ban. */
  ban_nonce: z.optional(z.string()),
  /** When (ms) its data were erased: nothing but this is left of it, and nobody can be it any more. */
  erased_at: z.optional(z.int()),
})
export type CustomerItem = z.output<typeof CustomerItem>

export const isBanned = ({ ban }: Pick<CustomerItem, 'ban'>, nowMs: number): boolean =>
  ban !== undefined && ban.until * 1000 > nowMs

export const isErased = (customer: { erased_at?: unknown } | undefined): boolean =>
  customer?.erased_at !== undefined

export const readCustomer = async (
  read: Reader,
  license: string,
  customer: string,
): Promise<CustomerItem | undefined> => {
  const item = await read.get(keys.customer(license, customer), { strong: true })
  return item === undefined ? undefined : CustomerItem.parse(item)
}

const seconds = (ms: number): number => Math.floor(ms / 1000)
const notBanned = (nowMs: number) => or(absent('ban'), compare('ban.until', '<=', seconds(nowMs)))
const storedNotErased = and(exists(), absent('erased_at'))
// one that never chatted
const keptForS = 30 * 24 * 3600

/** The customer is not banned just now; one that is not stored is not. */
export const requireNotBanned = (license: string, customer: string, nowMs: number): Op<'customer'> =>
  check(keys.customer(license, customer), notBanned(nowMs))

/**
 * Replaces what is known of a customer as it was read (`version` 0: not stored yet), unless it is banned.
 * `login`: it is online with one login more.
 */
export const setCustomerDetails = (
  who: Pick<CustomerItem, 'license_id' | 'id' | 'version' | 'threads'>,
  { name, email, properties, visit, visits, page_views, last_visit }: CustomerDetails,
  { nonce, nowMs, login }: { nonce: string; nowMs: number; login: boolean },
): Op<'customer'> =>
  update(keys.customer(who.license_id, who.id), {
    set: {
      id: who.id,
      license_id: who.license_id,
      name,
      email,
      properties,
      visit,
      visits,
      version: who.version + 1,
      changed_at: nowMs,
      nonce,
      ...(page_views === undefined ? {} : { page_views }),
      ...(last_visit === undefined ? {} : { last_visit }),
      ...(login ? { online: true } : {}),
      ...(who.threads > 0 ? {} : { ttl: seconds(nowMs) + keptForS }),
    },
    add: login ? { seq: 1 } : {},
    when: and(atVersion(who.version), notBanned(nowMs)),
  })

/**
 * Replaces what may be mended of a stored customer as it was read, also of one that is banned; not of one
 * that was erased.
 */
export const setCard = (
  { license_id, id, version, threads, ban }: CustomerItem,
  { name, email, properties }: Pick<CustomerDetails, 'name' | 'email' | 'properties'>,
  { nonce, nowMs }: { nonce: string; nowMs: number },
): Op<'customer'> =>
  update(keys.customer(license_id, id), {
    set: {
      name,
      email,
      properties,
      version: version + 1,
      changed_at: nowMs,
      nonce,
      // a ban is kept, whoever it is of
      ...(threads > 0 || ban !== undefined ? {} : { ttl: seconds(nowMs) + keptForS }),
    },
    when: and(storedNotErased, atVersion(version)),
  })

/**
 * A thread starts with or by the customer, unless it is banned: one more, and it is kept for good. `visit`:
 * of one that is not stored yet, and still must not be.
 */
export const setThreadOfCustomer = (
  license: string,
  id: string,
  { nowMs, visit }: { nowMs: number; visit?: Visit | undefined },
): Op<'customer'> =>
  update(keys.customer(license, id), {
    set: { id, license_id: license, ...(visit && { visit, visits: 1, online: true, seq: 1 }) },
    remove: ['ttl'],
    add: { threads: 1, version: 1 },
    when: visit === undefined ? notBanned(nowMs) : absent(),
  })

/**
 * The customer has no open tab any more, unless it has logged in since it was read. The same check holds
 * again for itself, since it may have died before it told anybody.
 */
export const setCustomerOffline = (
  { license_id, id, seq }: CustomerItem,
  by: string,
  nowMs: number,
): Op<'customer'> =>
  update(keys.customer(license_id, id), {
    set: { online: false, offline_by: by, changed_at: nowMs },
    when: and(is({ seq }), or(is({ online: true }), is({ offline_by: by }))),
  })

/** Bans a customer, in place of any ban before; it is kept from then on. */
export const setBan = ({ license_id, id }: CustomerItem, ban: Ban, nonce: string): Op<'customer'> =>
  update(keys.customer(license_id, id), {
    set: { ban, ban_nonce: nonce },
    remove: ['ttl'],
    when: storedNotErased,
  })

/**
 * Lifts a ban that is not over; the same write holds again for itself, since its first answer may have been
 * lost.
 */
export const removeBan = (license: string, customer: string, nowMs: number, nonce: string): Op<'customer'> =>
  update(keys.customer(license, customer), {
    set: { ban_nonce: nonce },
    remove: ['ban'],
    when: and(storedNotErased, or(compare('ban.until', '>', seconds(nowMs)), is({ ban_nonce: nonce }))),
  })
