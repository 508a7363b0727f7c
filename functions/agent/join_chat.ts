import { addAgents } from '../../shared/chat/add-agents.ts'
import { planJoin } from '../../shared/chat/membership.ts'
import { joinChat } from '../../shared/protocol/agent/join_chat.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(joinChat, (ctx, { agent_ids }) => addAgents(ctx, agent_ids, planJoin))
