import { banCustomer as ban } from '../../shared/chat/bans.ts'
import { banCustomer } from '../../shared/protocol/agent/ban_customer.ts'
import { everyAgent } from '../../shared/push/audience.ts'
import { pushClosing } from '../../shared/push/entries.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(banCustomer, async (ctx, { customer_id, ban: { days } }) => {
  const { closing } = await ban(ctx, customer_id, days)
  if (closing !== undefined) pushClosing(ctx, closing, ctx.me.agent_id)
  ctx.push(everyAgent(ctx.me.license_id), 'customer_banned', { customer_id, ban: { days } })
})
