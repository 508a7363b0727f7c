import { everyAgent, watching } from '../../shared/access/audience.ts'
import { endSessions } from '../../shared/account/disconnect.ts'
import { pushClosing } from '../../shared/chat/announce/entries.ts'
import { banCustomer as ban } from '../../shared/chat/bans.ts'
import { enqueueRoutingAfterClosing } from '../../shared/chat/enqueue-routing.ts'
import { banCustomer } from '../../shared/protocol/agent/ban_customer.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'
import { readCustomerSockets } from '../../shared/table/socket-lists.ts'

export const handler = serveBoth(banCustomer, async (ctx, { customer_id, ban: { days } }) => {
  const { closing } = await ban(ctx, customer_id, days)
  const { license_id: license } = ctx.me
  if (closing !== undefined) {
    pushClosing(ctx, closing)
  }
  const [rows] = await Promise.all([
    readCustomerSockets(ctx.read, license, customer_id),
    // its tabs are still to hear of the closing
    closing && ctx.awaitAudience(watching(closing.chat), 'thread_closed'),
  ])
  await endSessions(ctx, rows, 'customer_banned')
  if (closing !== undefined) await enqueueRoutingAfterClosing(ctx, closing.chat)
  ctx.push(everyAgent(license), 'customer_banned', { customer_id, ban: { days } })
})
