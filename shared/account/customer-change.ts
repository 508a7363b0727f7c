import type { CardDetails, CustomerDetails as Asked } from '../protocol/customer-fields.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { Clock, Reads, Retries, Writes } from '../table/capabilities.ts'
import { CustomerItem, isBanned, readCustomer, setCard, setCustomerDetails } from '../table/customers.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { commitOne, retryUntilCommitted } from '../table/optimistic-write.ts'
import { setCustomerName } from '../table/session-writes.ts'
import { readCustomerSockets } from '../table/socket-lists.ts'
import type { CustomerSession, Visitor } from '../table/sockets.ts'
import { areSameDetails, isSameToItself, mendedDetails, mergedDetails } from './customer-details.ts'

interface Changing extends Reads, Writes<'customer' | 'socket'>, Retries, Clock {
  me: CustomerSession
  visitor: Visitor
}

interface Changed {
  customer: CustomerItem
  changed: boolean
  /** Whether it is another for itself too. */
  shown: boolean
}

/**
 * Merges what a customer says of itself into what is known of it; it is stored by then. Throws
 * `authorization` with the sentence `denied` where it is banned, `validation` for more than it may say.
 */
export const changeDetails = async (ctx: Changing, asked: Asked, denied: string): Promise<Changed> => {
  const { me, visitor, nonce } = ctx
  const refresh = () => readCustomer(ctx.read, me.license_id, me.customer_id)
  const result = await retryUntilCommitted<Changed, CustomerItem | undefined>(
    { ...ctx, refresh },
    await refresh(),
    {
      isOwn: (customer) => customer?.nonce === nonce,
      attempt: async (before) => {
        const nowMs = ctx.now()
        if (before !== undefined && isBanned(before, nowMs))
          throw new ProtocolError('authorization', { message: denied })
        const details = mergedDetails(before, asked, { visitor, nowMs, opens: before === undefined })
        if (before !== undefined && areSameDetails(details, before))
          return { result: { customer: before, changed: false, shown: false }, committed: true }
        const { version = 0, threads = 0 } = before ?? {}
        const who = { license_id: me.license_id, id: me.customer_id, version, threads }
        // one that is stored just now has this tab open
        const op = setCustomerDetails(who, details, { nonce, nowMs, login: before === undefined })
        const placed = commitOne(ctx.write, op, nonce)
        const kept = { online: true, ...before, ...who, ...details, version: version + 1 }
        const shown = before === undefined || !isSameToItself(details, before)
        return { result: { customer: CustomerItem.parse(kept), changed: true, shown }, committed: placed }
      },
    },
  )
  const { name } = result.customer
  if (name !== undefined && name !== me.name) await renameSessions(ctx, me, name)
  return result
}

/**
 * Merges what an agent knows better into a customer's details, also while it is banned: on what is read anew
 * where it, or another agent, was faster, so that of one detail the later change stands. Throws `validation`
 * for more properties than a customer may have, and what `refresh` throws. Its sessions keep their names.
 */
export const changeCard = async <C extends { customer: CustomerItem }>(
  ctx: Writes<'customer'> & Retries & Clock & { refresh: () => Promise<C> },
  first: C,
  asked: CardDetails,
): Promise<C & { changed: boolean }> => {
  const { nonce } = ctx
  return retryUntilCommitted<C & { changed: boolean }, C>(ctx, first, {
    isOwn: ({ customer }) => customer.nonce === nonce,
    attempt: async (card) => {
      const before = card.customer
      const details = mendedDetails(before, asked)
      if (isSameToItself(details, before)) return { result: { ...card, changed: false }, committed: true }
      const version = before.version + 1
      const { name: _, email: __, ...rest } = before
      const customer = CustomerItem.parse({ ...rest, ...details, version })
      const op = setCard(before, details, { nonce, nowMs: ctx.now() })
      return { result: { ...card, customer, changed: true }, committed: commitOne(ctx.write, op, nonce) }
    },
  })
}

/** The sessions of all tabs follow a customer's new name, since system messages name it by them. */
export const renameSessions = async (
  { read, write }: { read: Reader; write: Writer<'socket'> },
  { license_id, customer_id }: Pick<CustomerSession, 'license_id' | 'customer_id'>,
  name: string,
): Promise<void> => {
  const rows = await readCustomerSockets(read, license_id, customer_id)
  await Promise.all(rows.map((row) => write.write(setCustomerName(row, name))))
}
