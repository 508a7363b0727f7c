import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'
import { CustomerCard } from '../objects.ts'

export const getCustomer = action({
  name: 'get_customer',
  summary: 'Returns what is known of a customer, with the id of its chat while that is active.',
  request: z.object({ customer_id: Id }),
  response: z.strictObject({ customer: CustomerCard }),
  needs: ['read'],
  pushes: [],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['customers:read'] },
  denied: 'You are not allowed to see this customer.',
})
