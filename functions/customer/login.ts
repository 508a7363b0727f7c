import { renameSessions } from '../../shared/account/customer-change.ts'
import { expectRoom, startCustomerSession } from '../../shared/account/customer-login.ts'
import { signCustomerToken } from '../../shared/account/customer-tokens.ts'
import { beginCatchUp } from '../../shared/chat/enqueue-catch-up.ts'
import { announceCustomerUpdated } from '../../shared/chat/announce/customer-updated.ts'
import { summarizeOwn } from '../../shared/chat/view/customer-summary.ts'
import { login } from '../../shared/protocol/customer/login.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { pace } from '../../shared/request/pace.ts'
import { limitAddress, limitUser } from '../../shared/request/rate-limits.ts'
import { serve } from '../../shared/request/serve.ts'
import { countedUser } from '../../shared/table/counters.ts'
import { keys } from '../../shared/table/keys.ts'

// details that a login brings keep the pace of those that it changes
const tells = { name: 'update_customer' }

export const handler = serve(login, async (ctx, { token, customer: details, last_threads_limit }) => {
  const catchUp = beginCatchUp(ctx)
  const arrived = await ctx.arrive()
  let previousAt = 0
  const { session, customer, changed, shown, renamed } = await startCustomerSession(ctx, arrived, {
    token,
    details,
    admit: async ({ ip }, known) => {
      if (known === undefined) await limitAddress(ctx.limiting, ip, 'new_customer')
      else
        previousAt = await limitUser(ctx.limiting, countedUser(known), 'other', {
          address: ip,
          stamp: tells.name,
        })
    },
  })

  // read after the session was written: whatever happens from now on is pushed to it
  const [own, renewed] = await Promise.all([
    summarizeOwn(ctx.read, session, { threads: last_threads_limit ?? limits.lastThreads }),
    signCustomerToken(session),
    expectRoom(ctx, session),
    // of other tabs
    renamed ? renameSessions(ctx, session, session.name) : undefined,
  ])
  const written = { keys: [keys.customer(session.license_id, session.customer_id)] }
  if (customer !== undefined && changed && (await pace(tells, ctx.limiting, previousAt, session, written)))
    await announceCustomerUpdated(ctx, customer, {
      known: { chat: own?.chat, last: own?.last },
      // the answer is for this one
      tabs: shown ? { but: ctx.connection } : undefined,
    })
  await catchUp(
    ctx.connection,
    own === undefined ? [] : [{ ...own, id: own.chat.id, version: own.chat.version }],
  )

  const chats = own === undefined ? [] : [own.summary]
  return {
    customer_id: session.customer_id,
    token: renewed,
    last_chats_summary: chats,
    total_chats: chats.length,
  }
})
