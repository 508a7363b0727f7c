import { randomUUID } from 'node:crypto'
import { announceCustomerUpdated } from '../chat/announce/customer-updated.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { Clock, Reads } from '../table/capabilities.ts'
import { type CustomerItem, readCustomer, setCustomerOffline } from '../table/customers.ts'
import type { Writer } from '../table/ops.ts'
import { readCustomerSockets } from '../table/socket-lists.ts'
import { isLive } from '../table/sockets.ts'

type Checking = Reads & Clock

/** The customer, where it counts as online (or this check found it gone) and has no open tab. */
const withoutTab = async (
  { read, now }: Checking,
  license: string,
  id: string,
  check?: string,
): Promise<CustomerItem | undefined> => {
  // `seq` is read before the sockets: a login raises it
  const customer = await readCustomer(read, license, id)
  if (customer === undefined) return undefined
  if (!customer.online && (check === undefined || customer.offline_by !== check)) return undefined
  const rows = await readCustomerSockets(read, license, id)
  return rows.some((row) => isLive(row, now())) ? undefined : customer
}

/**
 * A tab was closed: where it was the customer's last, one check follows once it may no longer come back
 * unnoticed.
 */
export const tabGone = async (
  ctx: Checking & Enqueues,
  license: string,
  id: string,
  graceS: number,
): Promise<void> => {
  const left = await withoutTab(ctx, license, id)
  if (left === undefined) return
  await ctx.enqueue(
    { job: 'expect_customer', license_id: license, customer_id: id, seq: left.seq, check: randomUUID() },
    graceS,
  )
}

/**
 * Takes a customer offline that has not come back, and tells the agents of its chat. May run twice, and
 * beside a login.
 */
export const expectCustomer = async (
  ctx: Checking & { write: Writer<'customer'> } & Outbox,
  license: string,
  id: string,
  { seq, check }: { seq: number; check: string },
): Promise<void> => {
  const customer = await withoutTab(ctx, license, id, check)
  if (customer === undefined || customer.seq !== seq) return
  const outcome = await ctx.write.write(setCustomerOffline(customer, check, ctx.now()))
  if (!outcome.done) return
  // as it is by now: a login since that write may have been told of first
  const now = await readCustomer(ctx.read, license, id)
  if (now !== undefined) await announceCustomerUpdated(ctx, now, {})
}
