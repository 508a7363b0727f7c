import { everyAgent } from '../access/audience.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import type { PushPayload } from '../protocol/pushes.ts'
import { AgentItem, GroupItem } from '../table/accounts.ts'
import { keys } from '../table/keys.ts'
import type { Attributes } from '../table/ops.ts'

// What every agent of a license is told of a change of an agent's account or of a group. What changed is what
// the stream says, what it is by now is read: told twice or late, the last is right.

/** An item before a change and after it; undefined: there was none, or is none any more. */
export interface ItemChange {
  before: Attributes | undefined
  after: Attributes | undefined
}

const told = ['name', 'avatar', 'permission', 'groups'] as const

/** Tells that an agent was created, changed, suspended or deleted; its license's own erasing tells nobody. */
export const announceAgent = async (
  ctx: WorkCtx,
  license: string,
  { before, after }: ItemChange,
): Promise<void> => {
  if (after === undefined) return
  const [was, is] = [before && AgentItem.parse(before), AgentItem.parse(after)]
  const { id: agent_id, name } = is
  const to = everyAgent(license)
  if (was === undefined) {
    const { avatar, permission, groups, bot } = is
    ctx.push(to, 'agent_created', { agent_id, name, avatar, permission, group_ids: groups, is_bot: bot })
    return
  }
  // of a person the end of its last connection tells
  if (was.bot && was.online && !is.online)
    ctx.push(to, 'agent_updated', { agent_id, routing_status: 'offline' })
  if (is.deleted) {
    if (!was.deleted) ctx.push(to, 'agent_deleted', { agent_id, name })
    return
  }
  if (is.suspended !== was.suspended)
    ctx.push(to, is.suspended ? 'agent_suspended' : 'agent_unsuspended', { agent_id, name })
  const changed = told.filter((field) => JSON.stringify(was[field]) !== JSON.stringify(is[field]))
  if (changed.length > 0) await announceChanges(ctx, license, agent_id, changed)
}

/** Tells these fields as they are now. */
const announceChanges = async (
  ctx: WorkCtx,
  license: string,
  id: string,
  changed: readonly (typeof told)[number][],
): Promise<void> => {
  const now = async (): Promise<AgentItem | undefined> => {
    const item = await ctx.read.get(keys.agent(license, id), { strong: true })
    const agent = item === undefined ? undefined : AgentItem.parse(item)
    return agent?.deleted === false ? agent : undefined
  }
  const agent = await now()
  if (agent === undefined) return
  const { name, avatar = '', permission, groups } = agent
  const has = (field: (typeof told)[number]) => changed.includes(field)
  const push = (payload: PushPayload<'agent_updated'>) =>
    ctx.push(everyAgent(license), 'agent_updated', payload)
  push({
    agent_id: id,
    routing_status: statusOf(agent),
    ...(has('name') && { name }),
    ...(has('avatar') && { avatar }),
    ...(has('permission') && { permission }),
    ...(has('groups') && { group_ids: groups }),
  })
  await ctx.flush()
  // one that came, went or changed its status meanwhile may have been told of first
  const after = await now()
  if (after !== undefined && statusOf(after) !== statusOf(agent))
    push({ agent_id: id, routing_status: statusOf(after) })
}

const statusOf = ({ online, routing_status, default_status }: AgentItem) =>
  online ? (routing_status ?? default_status) : 'offline'

/** Tells that a group was created, renamed or deleted. */
export const announceGroup = (ctx: WorkCtx, license: string, { before, after }: ItemChange): void => {
  const [was, is] = [before && GroupItem.parse(before), after && GroupItem.parse(after)]
  const group = is ?? was
  // an agent that joins it raises its version
  if (group === undefined || was?.name === is?.name) return
  const name = was === undefined ? 'group_created' : is === undefined ? 'group_deleted' : 'group_updated'
  ctx.push(everyAgent(license), name, { group_id: group.id, name: group.name })
}
