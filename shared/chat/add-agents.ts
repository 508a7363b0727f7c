import type { Enqueues } from '../jobs/job-queue.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { AgentItem } from '../table/accounts.ts'
import type { Reader } from '../table/ops.ts'
import type { RequestSnapshot } from '../table/optimistic-write.ts'
import type { Session } from '../table/sockets.ts'
import { announceUsersChanged, type UsersAnnouncement } from './announce/users-changed.ts'
import { changeUsers, type UsersChange } from './change-users.ts'
import { enqueueRouting } from './enqueue-routing.ts'
import type { Names } from './membership.ts'
import type { ThreadWrites, UsersFamily } from './thread-writes.ts'
import { readAgents } from './view/profiles.ts'

type Agents = ReadonlyMap<string, AgentItem>

interface AgentView extends RequestSnapshot {
  me: Session
}

type Adding = ThreadWrites<UsersFamily | 'account', AgentView> & UsersAnnouncement & Enqueues

/**
 * Puts agents into a chat as `decide` says, and tells: first those whom it gives access the chat, then
 * everyone of the messages and of the change. Throws `not_found` for agents that do not exist or may not
 * work.
 */
export const addAgents = async (
  ctx: Adding,
  ids: readonly string[],
  decide: (view: RequestSnapshot, names: Names) => UsersChange<'account'> | undefined,
): Promise<void> => {
  const known = await othersOf(ctx, ids)
  const names = namesOf(ctx.me, ids, known)
  const changed = await changeUsers(ctx, (view) => decide(view, names))
  if (changed.chat === changed.before) return
  await announceUsersChanged(ctx, changed, { agents: known, customers: new Map() })
  // the others come nearer
  const { before, chat } = changed
  if (before.waiting_since !== undefined && chat.waiting_since === undefined)
    await enqueueRouting(ctx, chat.license_id, chat.id)
}

/**
 * An agent that a read which may lag behind would refuse is read again: the transaction checks the others.
 */
const othersOf = async (
  { me, read }: { me: Session; read: Reader },
  ids: readonly string[],
): Promise<Agents> => {
  const others = ids.filter((id) => id !== me.agent_id)
  const found = await readAgents(read, me.license_id, others)
  const refused = [...found.values()].filter((agent) => !mayJoin(agent)).map(({ id }) => id)
  return new Map([...found, ...(await readAgents(read, me.license_id, refused, { strong: true }))])
}

const mayJoin = ({ deleted, suspended }: AgentItem): boolean => !deleted && !suspended

/** The names of agents who may join: the requester's own is in its session. */
const namesOf = (me: Session, ids: readonly string[], others: Agents) =>
  new Map(
    ids.map((id) => {
      if (id === me.agent_id) return [id, me.name]
      const agent = others.get(id)
      if (agent === undefined || !mayJoin(agent)) throw new ProtocolError('not_found')
      return [id, agent.name]
    }),
  )
