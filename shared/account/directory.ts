import type * as z from 'zod/mini'
import { fullWhileFit, jsonBytes, takeThatFit } from '../protocol/budget.ts'
import { limits } from '../protocol/limits.ts'
import type { Colleague, Group, MyProfile, RoutingStatus } from '../protocol/objects.ts'
import { AgentItem, GroupItem } from '../table/accounts.ts'
import { agentPrefix, groupPrefix, keys, licensePk, type Pk } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'

/** The agents of a license and its groups, as many as a login shows; with the deleted agents between them. */
export const readDirectory = async (
  read: Reader,
  license: string,
): Promise<{ agents: AgentItem[]; groups: GroupItem[] }> => {
  const range = { pk: licensePk(license), limit: limits.directory, strong: true }
  const [agents, groups] = await Promise.all([
    readAgents(read, license, range),
    read.query({ ...range, prefix: groupPrefix }),
  ])
  return { agents, groups: groups.map((group) => GroupItem.parse(group)) }
}

// sorts behind every character that an agent's id may have
const lastIdEver = '~'

/** By id, until enough are found that are not deleted: who is deleted stays in the list for ever. */
const readAgents = async (
  read: Reader,
  license: string,
  range: { pk: Pk<'account'>; limit: number; strong: boolean },
): Promise<AgentItem[]> => {
  const first = await read.query({ ...range, prefix: agentPrefix })
  const agents = first.map((item) => AgentItem.parse(item))
  const to = keys.agent(license, lastIdEver).sk
  let found = first.length
  while (found >= range.limit && agents.filter(({ deleted }) => !deleted).length < limits.directory) {
    const last = agents.at(-1)?.id ?? ''
    const page = await read.query({ ...range, from: keys.agent(license, last).sk, to })
    // begins with the last one again
    agents.push(...page.slice(1).map((item) => AgentItem.parse(item)))
    found = page.length
  }
  return agents
}

type Colleague = z.output<typeof Colleague>
type Group = z.output<typeof Group>

// everyone by name comes before avatars and before chats in full, but for the newest of these
const mostBytes = 96 * 1024

/**
 * The directory as a login shows it, within `most` bytes: the last avatars go first where it is too large,
 * then the last names. Groups have a third of the room, and what agents without avatars leave of the rest.
 */
export const showDirectory = (
  { agents, groups }: { agents: readonly AgentItem[]; groups: readonly GroupItem[] },
  most: number,
): { agents: Colleague[]; groups: Group[] } => {
  const room = Math.min(most, mostBytes)
  const colleagues = agents
    .filter(({ deleted }) => !deleted)
    .slice(0, limits.directory)
    .map((agent): Colleague => ({
      id: agent.id,
      name: agent.name,
      avatar: agent.avatar,
      permission: agent.permission,
      routing_status: agent.online ? agent.routing_status : undefined,
      is_bot: agent.bot,
    }))
  const slim = colleagues.map(({ avatar: _, ...agent }) => agent)
  const shown = takeThatFit(groups, Math.max(room / 3, room - jsonBytes(slim)) - brackets)
  const left = room - jsonBytes(shown)
  // the last one has no comma
  const agentsShown = fullWhileFit(colleagues, takeThatFit(slim, left - brackets), left - brackets + 1)
  return { agents: agentsShown, groups: shown }
}

const brackets = 2

export const myProfile = (
  agent: AgentItem,
  status: RoutingStatus | undefined,
): z.output<typeof MyProfile> => ({
  id: agent.id,
  type: 'agent',
  name: agent.name,
  email: agent.email,
  avatar: agent.avatar,
  routing_status: status,
  permission: agent.permission,
  group_ids: agent.groups,
  is_bot: agent.bot,
})
