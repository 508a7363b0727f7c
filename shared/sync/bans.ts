import type { Clock, Reads } from '../table/capabilities.ts'
import { CustomerItem, isBanned } from '../table/customers.ts'
import { keys } from '../table/keys.ts'
import type { Session } from '../table/sockets.ts'

/** Customers whose ban may have changed, with the ban that is in force. Strongly consistent. */
export const readBans = async (
  { read, me, now }: Reads & Clock & { me: Session },
  customers: readonly string[],
): Promise<{ customer_id: string; ban?: { days: number } }[]> => {
  const items = await read.batchGet(
    customers.map((id) => keys.customer(me.license_id, id)),
    { strong: true },
  )
  return items
    .map((item) => CustomerItem.parse(item))
    .map(({ id, ban }) => ({
      customer_id: id,
      ...(ban !== undefined && isBanned({ ban }, now()) ? { ban: { days: ban.days } } : {}),
    }))
}
