import { hasAccess, type Viewer } from '../access/permissions.ts'
import type { GroupsStatus, GroupStatus } from '../protocol/objects.ts'
import { GroupItem } from '../table/accounts.ts'
import type { Common } from '../table/families.ts'
import type { StatusesItem } from '../table/group-statuses.ts'
import { groupPrefix, licensePk } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import { isReady, readRoutingState, type RoutingState } from './routing-state.ts'

/** The id that stands for chats which name no group, where a license has no group of this id. */
export const anyGroup = 0

/**
 * The status of a group, as routing judges it: by the agents who could be given a chat that names it, and
 * have room for one more.
 */
const statusOf = (group: number, ready: readonly Ready[], isGroup: boolean): GroupStatus => {
  const chat = { users: [], scopes: { groups: isGroup ? [group] : [], agents: [] } }
  const there = ready.filter((agent) => hasAccess(agent, chat))
  if (there.length === 0) return 'offline'
  return there.some(({ hasRoom }) => hasRoom) ? 'online' : 'online_for_queue'
}

/** An agent who is there for new chats, and whether it has room for one more. */
type Ready = Viewer & { hasRoom: boolean }

const readyAgents = ({ agents, loads }: RoutingState): Ready[] =>
  agents.filter(isReady).map(({ id, permission, groups, max_chats }) => ({
    agent_id: id,
    permission,
    groups,
    hasRoom: (loads.get(id)?.active ?? 0) < max_chats,
  }))

/**
 * The statuses of a license's groups by agents and loads as they are now; undefined: there is no license, or
 * it is over.
 */
export const computeStatuses = async (
  read: Reader<Common | 'loads'>,
  license: string,
  { strong, nowMs }: { strong: boolean; nowMs: number },
): Promise<Map<number, GroupStatus> | undefined> => {
  const [state, found] = await Promise.all([
    readRoutingState(read, license, { strong }),
    read.query({ pk: licensePk(license), prefix: groupPrefix, strong }),
  ])
  if (state === undefined || state.license.expires_at * 1000 <= nowMs) return undefined
  const groups = found.map((item) => GroupItem.parse(item).id)
  const ready = readyAgents(state)
  return new Map(
    [...new Set([anyGroup, ...groups])].map((id) => [id, statusOf(id, ready, groups.includes(id))]),
  )
}

/** The statuses as an item keeps them. */
export const keptStatuses = ({ online, online_for_queue, offline }: StatusesItem): Map<number, GroupStatus> =>
  new Map<number, GroupStatus>([
    ...online.map((id) => [id, 'online'] as const),
    ...online_for_queue.map((id) => [id, 'online_for_queue'] as const),
    ...offline.map((id) => [id, 'offline'] as const),
  ])

/** The groups whose status is another; one of which nothing was known was offline. */
export const changedGroups = (
  before: ReadonlyMap<number, GroupStatus>,
  now: ReadonlyMap<number, GroupStatus>,
): number[] => [...now].flatMap(([id, status]) => ((before.get(id) ?? 'offline') === status ? [] : [id]))

/** The statuses as the wire has them, of these groups alone; ids of which none is known are left out. */
export const showStatuses = (
  statuses: ReadonlyMap<number, GroupStatus>,
  ids: readonly number[],
): GroupsStatus =>
  Object.fromEntries(
    ids.flatMap((id) => {
      const status = statuses.get(id)
      return status === undefined ? [] : [[String(id), status]]
    }),
  )
