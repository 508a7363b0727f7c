import { readCard, showCustomer } from '../../shared/account/customer-card.ts'
import { changeCard, renameSessions } from '../../shared/account/customer-change.ts'
import { announceCustomerUpdated } from '../../shared/chat/announce/customer-updated.ts'
import { unnamed } from '../../shared/chat/view/wire-objects.ts'
import { updateCustomer } from '../../shared/protocol/agent/update_customer.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(updateCustomer, async (ctx, { customer_id, customer: details }) => {
  const refresh = async () => {
    const { me } = await ctx.refresh()
    return readCard(ctx.read, me, customer_id, updateCustomer.denied)
  }
  const card = await readCard(ctx.read, ctx.me, customer_id, updateCustomer.denied)
  const { changed, ...after } = await changeCard({ ...ctx, refresh }, card, details)
  const { license_id, name } = after.customer
  if (changed)
    await Promise.all([
      announceCustomerUpdated(ctx, after.customer, { known: after, tabs: {} }),
      name !== card.customer.name
        ? renameSessions(ctx, { license_id, customer_id }, name ?? unnamed)
        : undefined,
    ])
  return { customer: showCustomer(after) }
})
