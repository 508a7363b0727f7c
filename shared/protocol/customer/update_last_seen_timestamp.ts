import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt, Timestamp } from '../fields.ts'

export const updateLastSeenTimestamp = action({
  name: 'update_last_seen_timestamp',
  summary: 'Tells up to when the customer has seen its chat, now by default; it never moves back.',
  by: 'customer',
  request: z.object({ chat_id: opt(Id), timestamp: opt(Timestamp) }),
  response: z.strictObject({ timestamp: Timestamp }),
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'changedChats'],
  pushes: ['last_seen_timestamp_updated'],
  session: 'required',
  // without its id the customer's own
  reads: ['chat'],
  paced: true,
  may: 'member',
  denied: 'You cannot set last seen timestamp',
})
