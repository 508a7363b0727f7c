import * as z from 'zod/mini'
import { action } from '../action.ts'
import { CustomerDetails } from '../customer-fields.ts'
import { Myself } from '../customer-objects.ts'

export const updateCustomer = action({
  name: 'update_customer',
  summary: "Merges details into the customer's; null removes a property.",
  by: 'customer',
  request: z.object({ customer: CustomerDetails }),
  response: z.strictObject({ customer: Myself }),
  needs: ['read', 'push', 'fan_out'],
  writes: ['customer', 'socket'],
  pushes: ['customer_updated'],
  session: 'required',
  reads: [],
  paced: true,
  denied: 'You are not allowed to update this customer.',
})
