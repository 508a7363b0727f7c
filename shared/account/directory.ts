import type * as z from 'zod/mini'
import type { Colleague, Group, MyProfile } from '../protocol/objects.ts'
import type { RoutingStatus } from '../protocol/objects.ts'
import { limits } from '../protocol/limits.ts'
import { AgentItem, GroupItem } from '../table/accounts.ts'
import { agentPrefix, groupPrefix, licensePk } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import { fitting, jsonBytes } from '../chat/room.ts'

/** Everyone of a licence, deleted agents included, and its groups: as many as a login shows. */
export const readDirectory = async (
  read: Reader,
  license: string,
): Promise<{ agents: AgentItem[]; groups: GroupItem[] }> => {
  const list = (prefix: string) =>
    read.query({ pk: licensePk(license), prefix, limit: limits.directory, strong: true })
  const [agents, groups] = await Promise.all([list(agentPrefix), list(groupPrefix)])
  return {
    agents: agents.map((agent) => AgentItem.parse(agent)),
    groups: groups.map((group) => GroupItem.parse(group)),
  }
}

type Colleague = z.output<typeof Colleague>
type Group = z.output<typeof Group>

/** The directory as a login shows it, within `room` bytes: avatars go first where it is too large, then the last names. */
export const showDirectory = (
  { agents, groups }: { agents: readonly AgentItem[]; groups: readonly GroupItem[] },
  room: number,
): { agents: Colleague[]; groups: Group[] } => {
  const colleagues = agents
    .filter(({ deleted }) => !deleted)
    .map((agent): Colleague => ({
      id: agent.id,
      name: agent.name,
      avatar: agent.avatar,
      permission: agent.permission,
      routing_status: agent.online ? agent.routing_status : undefined,
    }))
  const shownGroups = groups.slice(0, fitting(groups, room / 3))
  const left = room - jsonBytes(shownGroups)
  const slim = jsonBytes(colleagues) <= left ? colleagues : colleagues.map(({ avatar: _, ...agent }) => agent)
  return { agents: slim.slice(0, fitting(slim, left)), groups: shownGroups }
}

export const myProfile = (agent: AgentItem, status: RoutingStatus): z.output<typeof MyProfile> => ({
  id: agent.id,
  type: 'agent',
  name: agent.name,
  email: agent.email,
  avatar: agent.avatar,
  routing_status: status,
  permission: agent.permission,
  group_ids: agent.groups,
})
