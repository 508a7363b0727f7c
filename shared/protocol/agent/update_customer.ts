import * as z from 'zod/mini'
import { action } from '../action.ts'
import { CardDetails } from '../customer-fields.ts'
import { Id } from '../fields.ts'
import { CustomerUser } from '../objects.ts'

export const updateCustomer = action({
  name: 'update_customer',
  summary: "Merges details into a customer's; null removes a property, an empty name or e-mail is none.",
  request: z.object({ customer_id: Id, customer: CardDetails }),
  response: z.strictObject({ customer: CustomerUser }),
  needs: ['read', 'push', 'fan_out'],
  writes: ['customer', 'socket'],
  pushes: ['customer_updated'],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['customers:write'] },
  denied: 'You are not allowed to update this customer.',
})
