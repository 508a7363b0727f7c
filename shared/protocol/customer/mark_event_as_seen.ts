import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'

export const markEventAsSeen = action({
  name: 'mark_event_as_seen',
  summary: 'Tells that the customer has seen the chat up to an event.',
  by: 'customer',
  request: z.object({ chat_id: Id, event_id: Id }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'changedChats'],
  pushes: ['event_marked_as_seen', 'last_seen_timestamp_updated'],
  session: 'required',
  reads: ['chat', 'event'],
  paced: true,
  may: 'member',
  denied: 'You cannot mark this message as seen.',
})
