import * as z from 'zod/mini'
import { action } from '../action.ts'
import { opt } from '../fields.ts'
import { limits } from '../limits.ts'
import { Colleague, Group } from '../objects.ts'

const pageLimit = `A page has 1-${limits.syncPage} chats`

export const sync = action({
  name: 'sync',
  summary: 'Returns which chats changed since a cursor, so that an app reads what it missed.',
  request: z.object({
    cursor: z.string(),
    limit: opt(z.int().check(z.minimum(1, pageLimit), z.maximum(limits.syncPage, pageLimit))),
  }),
  response: z.strictObject({
    recovered: z.boolean(),
    cursor: z.string(),
    has_more: z.boolean(),
    chats: z.array(
      z.union([
        z.strictObject({
          id: z.string(),
          version: z.int(),
          properties_version: z.int(),
          thread_id: z.string(),
          last_order: z.int(),
          active: z.boolean(),
        }),
        z.strictObject({ id: z.string(), lost: z.literal(true) }),
      ]),
    ),
    banned_customers: z.optional(
      z.array(
        z.strictObject({ customer_id: z.string(), ban: z.optional(z.strictObject({ days: z.int() })) }),
      ),
    ),
    agents: z.optional(z.array(Colleague)),
    groups: z.optional(z.array(Group)),
  }),
  needs: ['read'],
  alsoReads: ['activeChats', 'changedChats'],
  pushes: [],
  session: 'required',
  socketOnly: true,
  reads: [],
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
})
