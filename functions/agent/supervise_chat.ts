import { addAgents } from '../../shared/chat/add-agents.ts'
import { planSupervise } from '../../shared/chat/membership.ts'
import { superviseChat } from '../../shared/protocol/agent/supervise_chat.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(superviseChat, (ctx, { agent_ids = [] }) =>
  addAgents(ctx, agent_ids.length === 0 ? [ctx.me.agent_id] : agent_ids, planSupervise),
)
