import { addAgents } from '../../shared/chat/add-agents.ts'
import { planJoin } from '../../shared/chat/membership.ts'
import { joinChat } from '../../shared/protocol/agent/join_chat.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(joinChat, (ctx, { agent_ids }) => addAgents(ctx, agent_ids, planJoin))
