import { customerFree } from '../table/customers.ts'
import type { CustomerSession } from '../table/sockets.ts'
import type { Guarded } from '../table/optimistic-write.ts'

/**
 * What a customer's change holds by: where no thread is active, a ban leaves its chat as it is. `denied`:
 * what it is told.
 */
export const whileNotBanned =
  ({ me, now }: { me: CustomerSession; now: () => number }, denied: string) =>
  (): Guarded<'customer'> => ({
    op: customerFree(me.license_id, me.customer_id, now()),
    otherwise: 'authorization',
    message: denied,
  })
