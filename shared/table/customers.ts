import * as z from 'zod/mini'
import { keys } from './keys.ts'
import type { Op, Reader } from './ops.ts'

/** A ban, over by time alone once `until` (Unix seconds) has come. */
const Ban = z.object({ days: z.int(), until: z.int(), by: z.string() })
export type Ban = z.output<typeof Ban>

/** `CUSTOMER#<l>#<c>` / `CUSTOMER` */
export const CustomerItem = z.object({
  id: z.string(),
  license_id: z.string(),
  name: z.optional(z.string()),
  ban: z.optional(Ban),
  /** Which request banned it last, or lifted its ban. */
  ban_nonce: z.optional(z.string()),
})
export type CustomerItem = z.output<typeof CustomerItem>

export const isBanned = ({ ban }: Pick<CustomerItem, 'ban'>, nowMs: number): boolean =>
  ban !== undefined && ban.until * 1000 > nowMs

export const readCustomer = async (
  read: Reader,
  license: string,
  customer: string,
): Promise<CustomerItem | undefined> => {
  const item = await read.get(keys.customer(license, customer), { strong: true })
  return item === undefined ? undefined : CustomerItem.parse(item)
}

/** Bans a customer, in place of any ban before. */
export const customerBanned = ({ license_id, id }: CustomerItem, ban: Ban, nonce: string): Op => ({
  Update: {
    Key: keys.customer(license_id, id),
    UpdateExpression: 'SET ban = :ban, ban_nonce = :nonce',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':ban': ban, ':nonce': nonce },
  },
})

/** Lifts a ban that is not over; the same write holds again for itself, since its first answer may have been lost. */
export const banLifted = (license: string, customer: string, nowMs: number, nonce: string): Op => ({
  Update: {
    Key: keys.customer(license, customer),
    UpdateExpression: 'SET ban_nonce = :nonce REMOVE ban',
    ConditionExpression: 'attribute_exists(pk) AND (ban.#until > :now OR ban_nonce = :nonce)',
    ExpressionAttributeNames: { '#until': 'until' },
    ExpressionAttributeValues: { ':now': Math.floor(nowMs / 1000), ':nonce': nonce },
  },
})
