import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'

export const unbanCustomer = action({
  name: 'unban_customer',
  summary: "Lifts a customer's ban.",
  request: z.object({ customer_id: Id }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['customer', 'changedChats'],
  pushes: ['customer_unbanned'],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['customers.ban:write'] },
  denied: 'You are not allowed to unban this customer.',
})
