import { isAdministrator } from '../../shared/access/permissions.ts'
import { changeStatus } from '../../shared/account/change-status.ts'
import { announceStatus } from '../../shared/chat/announce/status.ts'
import { enqueueRoutingBy } from '../../shared/chat/enqueue-routing.ts'
import { updateAgent } from '../../shared/protocol/agent/update_agent.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(updateAgent, async (ctx, { agent_id, routing_status }) => {
  const { me } = ctx
  const id = agent_id ?? me.agent_id
  if (id !== me.agent_id && !isAdministrator(me))
    throw new ProtocolError('authorization', { message: updateAgent.denied })
  if (routing_status === undefined) return
  if (!(await changeStatus(ctx, me.license_id, id, routing_status))) return
  await enqueueRoutingBy(ctx, me.license_id, id, routing_status)
  await announceStatus(ctx, me.license_id, id)
})
