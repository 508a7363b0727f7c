import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, opt } from '../fields.ts'
import { AgentStatus } from '../agent-status.ts'

export const updateAgent = action({
  name: 'update_agent',
  summary: 'Changes the routing status of the requester, or as administrator of another agent.',
  request: z.object({ agent_id: opt(Id), routing_status: opt(AgentStatus) }).check(
    z.refine((change) => change.routing_status !== undefined, {
      error: 'Name at least one change: accepting_chats or not_accepting_chats, for a bot also offline',
      path: ['routing_status'],
    }),
  ),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['account'],
  pushes: ['agent_updated'],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['agents--all:write'], forSelf: ['agents--my:write'] },
  denied: 'You are not allowed to change routing status for this agent.',
})
