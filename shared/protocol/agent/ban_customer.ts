import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'
import { limits } from '../limits.ts'

const days = `A ban lasts 1-${limits.banDays} days`

export const banCustomer = action({
  name: 'ban_customer',
  summary: 'Bans a customer for some days, from now, and closes the active thread.',
  request: z.object({
    customer_id: Id,
    ban: z.object({ days: z.int().check(z.minimum(1, days), z.maximum(limits.banDays, days)) }),
  }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['customer', 'customerSockets', 'socket', 'chat', 'activeChats', 'loads', 'changedChats'],
  pushes: ['incoming_event', 'thread_closed', 'customer_banned'],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['customers.ban:write'] },
  denied: 'You are not allowed to ban this customer.',
})
