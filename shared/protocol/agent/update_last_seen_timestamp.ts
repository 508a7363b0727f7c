import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt, Timestamp } from '../fields.ts'

export const updateLastSeenTimestamp = action({
  name: 'update_last_seen_timestamp',
  summary: 'Tells up to when the requester has seen a chat, now by default; it never moves back.',
  request: z.object({ chat_id: Id, timestamp: opt(Timestamp) }),
  response: z.strictObject({ timestamp: Timestamp }),
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'changedChats'],
  pushes: ['last_seen_timestamp_updated'],
  session: 'required',
  reads: ['chat'],
  may: 'member',
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
})
