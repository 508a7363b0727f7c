import { changeDetails } from '../../shared/account/customer-change.ts'
import { myself } from '../../shared/account/customer-details.ts'
import { announceCustomerUpdated } from '../../shared/chat/announce/customer-updated.ts'
import { updateCustomer } from '../../shared/protocol/customer/update_customer.ts'
import { serve } from '../../shared/request/serve.ts'
import { keys } from '../../shared/table/keys.ts'

export const handler = serve(updateCustomer, async (ctx, { customer: details }) => {
  const { customer, changed, shown } = await changeDetails(ctx, details, updateCustomer.denied)
  const { license_id, customer_id } = ctx.me
  if (changed && (await ctx.pace({ keys: [keys.customer(license_id, customer_id)] })))
    await announceCustomerUpdated(ctx, customer, { tabs: shown ? {} : undefined })
  return { customer: myself(customer) }
})
