import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id } from '../fields.ts'
import { trueOrAbsent, RoutingStatus } from '../objects.ts'

export const listAgentsForTransfer = action({
  name: 'list_agents_for_transfer',
  summary:
    'Returns the agents who are logged in and can see a chat, those with the fewest active chats first.',
  request: z.object({ chat_id: Id }),
  response: z.strictObject({
    agents: z.array(
      z.strictObject({
        agent_id: z.string(),
        active_chats: z.int(),
        routing_status: RoutingStatus,
        is_bot: trueOrAbsent,
      }),
    ),
  }),
  needs: ['read'],
  alsoReads: ['loads'],
  pushes: [],
  session: 'required',
  reads: ['chat'],
  may: 'access',
  tokenScopes: { any: ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'] },
})
