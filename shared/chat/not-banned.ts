import { requireNotBanned } from '../table/customers.ts'
import type { ConditionalWrite } from '../table/optimistic-write.ts'
import type { CustomerSession } from '../table/sockets.ts'

/**
 * What a customer's change holds by: where no thread is active, a ban leaves its chat as it is. `denied`:
 * what it is told.
 */
export const whileNotBanned =
  ({ me, now }: { me: CustomerSession; now: () => number }, denied: string) =>
  (): ConditionalWrite<'customer'> => ({
    op: requireNotBanned(me.license_id, me.customer_id, now()),
    onConditionFailed: 'authorization',
    message: denied,
  })
