import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Flag, opt } from '../fields.ts'
import { PropertyFilters } from '../filters.ts'
import { ChatSummary } from '../objects.ts'
import { Page, Pagination } from '../pagination.ts'

export const getFilteredChats = action({
  name: 'get_filtered_chats',
  summary: 'Returns chats by their properties, those with the newest thread first.',
  request: z.object({
    filters: opt(z.object({ include_active: opt(Flag), properties: opt(PropertyFilters) })),
    pagination: opt(Page),
  }),
  response: z.strictObject({ chats_summary: z.array(ChatSummary), pagination: Pagination }),
  needs: ['read'],
  alsoReads: ['activeChats', 'postings', 'marks', 'keptCounts'],
  pushes: [],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
})
