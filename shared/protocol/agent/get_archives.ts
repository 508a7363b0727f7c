import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Day, Groups, Id, opt, unique, wellFormed } from '../fields.ts'
import { atMostValues, PropertyFilters, TagFilters } from '../filters.ts'
import { limits } from '../limits.ts'
import { ChatWithThread } from '../objects.ts'
import { Page, Pagination } from '../pagination.ts'

const AgentIds = opt(unique(Id, limits.ids))

export const getArchives = action({
  name: 'get_archives',
  summary:
    'Finds threads by words, agents, customers, teams, dates, properties and tags, active ones too, the newest first.',
  request: z.object({
    filters: opt(
      z
        .object({
          query: opt(wellFormed),
          date_from: opt(Day),
          date_to: opt(Day),
          agent_ids: AgentIds,
          agents: AgentIds,
          customer_ids: opt(unique(Id, limits.ids)),
          team_ids: Groups,
          properties: opt(PropertyFilters),
          tags: opt(TagFilters),
        })
        .check(atMostValues),
    ),
    pagination: opt(Page),
  }),
  response: z.strictObject({
    chats: z.array(z.strictObject({ chat: ChatWithThread })),
    pagination: Pagination,
  }),
  needs: ['read'],
  alsoReads: ['postings', 'marks', 'keptCounts'],
  pushes: [],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
})
