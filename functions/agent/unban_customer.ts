import { everyAgent } from '../../shared/access/audience.ts'
import { unbanCustomer } from '../../shared/protocol/agent/unban_customer.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'
import { putChangedBan } from '../../shared/table/chat/changed-chats.ts'
import { isErased, removeBan } from '../../shared/table/customers.ts'

export const handler = serveBoth(unbanCustomer, async (ctx, { customer_id }) => {
  const { license_id } = ctx.me
  const now = ctx.now()
  const lifting = removeBan(license_id, customer_id, now, ctx.nonce)
  const lift = () => ctx.write.transact([lifting, putChangedBan(license_id, customer_id, now)])
  let [refusal] = await lift()
  for (let tries = 1; refusal?.reason === 'conflict'; tries += 1) {
    await ctx.pause(tries)
    ;[refusal] = await lift()
  }
  if (refusal === undefined) ctx.push(everyAgent(license_id), 'customer_unbanned', { customer_id })
  else if (refusal.found === undefined || isErased(refusal.found)) throw new ProtocolError('not_found')
})
