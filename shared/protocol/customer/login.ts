import * as z from 'zod/mini'
import { action } from '../action.ts'
import { CustomerDetails } from '../customer-fields.ts'
import { CustomerChatSummary } from '../customer-objects.ts'
import { opt } from '../fields.ts'
import { limits } from '../limits.ts'

export const login = action({
  name: 'login',
  summary: 'Logs a customer in on this connection, a new one where it shows no token.',
  by: 'customer',
  request: z.object({
    // protocol §5: what is not a string is `auth`, which only the handler can answer
    token: z.optional(
      z.unknown().register(z.globalRegistry, {
        description: 'From an earlier login; absent or null: a new customer.',
      }),
    ),
    customer: opt(CustomerDetails),
    last_threads_limit: opt(z.int().check(z.minimum(1), z.maximum(limits.lastThreadsMax))),
  }),
  response: z.strictObject({
    customer_id: z.string(),
    token: z.string(),
    last_chats_summary: z.array(CustomerChatSummary),
    total_chats: z.int(),
  }),
  needs: ['read', 'push', 'fan_out', 'connection_status'],
  writes: ['customer', 'customerSockets', 'socket'],
  pushes: ['customer_updated'],
  session: 'login',
  reads: [],
})
