import { everyAgent } from '../../shared/access/audience.ts'
import { unbanCustomer } from '../../shared/protocol/agent/unban_customer.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { serve } from '../../shared/request/serve.ts'
import { putChangedBan } from '../../shared/table/chat/changed-chats.ts'
import { isErased, removeBan } from '../../shared/table/customers.ts'

export const handler = serve(unbanCustomer, async (ctx, { customer_id }) => {
  const { license_id } = ctx.me
  await ctx.write.write(putChangedBan(license_id, customer_id, ctx.now()))
  const outcome = await ctx.write.write(removeBan(license_id, customer_id, ctx.now(), ctx.nonce))
  if (outcome.done) ctx.push(everyAgent(license_id), 'customer_unbanned', { customer_id })
  else if (outcome.found === undefined || isErased(outcome.found)) throw new ProtocolError('not_found')
})
