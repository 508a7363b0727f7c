import * as z from 'zod/mini'
import { type AgentItem, GroupItem, requireGroup } from '../table/accounts.ts'
import type { Table } from '../table/client.ts'
import { groupPrefix, keys, licensePk } from '../table/keys.ts'
import { added, changed, groupDeleted, groupIdUnused } from './account-ops.ts'
import { listAgents, withoutGroup } from './change-agent.ts'
import { findLicense } from './change-license.ts'
import { conflict, retryOnConflict, type Step, writeTogether } from './retries.ts'

/** `version` is raised by every change of the group, and by every agent that joins it. */
const GroupRecord = z.extend(GroupItem, { version: z.int() })
type GroupRecord = z.output<typeof GroupRecord>

/** Of a transaction's 100 items: the group, its license, and so many of its agents. */
const agentsPerDelete = 90

export async function listGroups(table: Table, license: string): Promise<GroupRecord[]> {
  const items = await table.read.query({ pk: licensePk(license), prefix: groupPrefix, strong: true })
  return items.map((item) => GroupRecord.parse(item)).toSorted((a, b) => a.id - b.id)
}

const findGroup = async (table: Table, license: string, group: number): Promise<GroupRecord | undefined> =>
  z.optional(GroupRecord).parse(await table.read.get(keys.group(license, group), { strong: true }))

type GroupCreation =
  | { outcome: 'created'; group: GroupRecord }
  | { outcome: 'exists'; group: GroupRecord }
  /** A deleted group had this id. */
  | { outcome: 'id_used' | 'no_license' }

/** Without an `id`: the next that no group of the license has or ever had. */
export async function createGroup(
  table: Table,
  draft: { license_id: string; id?: number | undefined; name: string },
): Promise<GroupCreation> {
  const { license_id: license, name } = draft
  return retryOnConflict<GroupCreation>(async () => {
    const id = draft.id ?? (await nextGroupId(table, license))
    const group = { id, name, version: 1 }
    const refused = await writeTogether<GroupCreation>(table, [
      {
        op: groupIdUnused(license, id),
        refused: (found) => {
          if (found === undefined) return { outcome: 'no_license' }
          return draft.id === undefined ? conflict : { outcome: 'id_used' }
        },
      },
      {
        op: added(keys.group(license, id), group),
        refused: (found) =>
          draft.id === undefined || found === undefined
            ? conflict
            : { outcome: 'exists', group: GroupRecord.parse(found) },
      },
    ])
    return refused ?? { outcome: 'created', group }
  })
}

async function nextGroupId(table: Table, license: string): Promise<number> {
  const [groups, found] = await Promise.all([listGroups(table, license), findLicense(table, license)])
  return 1 + Math.max(0, ...groups.map(({ id }) => id), ...(found?.deleted_groups ?? []))
}

type GroupChange = { outcome: 'changed'; group: GroupRecord } | { outcome: 'no_group' }

export async function changeGroup(
  table: Table,
  license: string,
  id: number,
  changes: { name: string },
): Promise<GroupChange> {
  return retryOnConflict<GroupChange>(async () => {
    const group = await findGroup(table, license, id)
    if (group === undefined) return { outcome: 'no_group' }
    const { done } = await table.write.write(changed(keys.group(license, id), group.version, changes))
    return done
      ? { outcome: 'changed', group: { ...group, ...changes, version: group.version + 1 } }
      : conflict
  })
}

type GroupDeletion =
  /** `left`: the agents that were in it. */
  | { outcome: 'deleted'; group: GroupRecord; left: string[] }
  | { outcome: 'has_agents'; agents: AgentItem[] }
  | { outcome: 'no_group' }
  | { outcome: 'no_successor' }

/**
 * Deletes a group that has no agents; `evenWithAgents` takes them out of it; `into` is the group that chats
 * go to, and that it is read as. The group goes in one transaction with its last 90 agents, so that no agent
 * is ever in a group that is not there; those beyond leave it one by one before.
 */
export async function deleteGroup(
  table: Table,
  license: string,
  id: number,
  { evenWithAgents, into }: { evenWithAgents: boolean; into?: number | undefined },
): Promise<GroupDeletion> {
  const left = new Set<string>()
  return retryOnConflict<GroupDeletion>(async () => {
    // the group first: an agent that joins it after this read raises its version
    const group = await findGroup(table, license, id)
    const found = await findLicense(table, license)
    if (group === undefined || found === undefined) return { outcome: 'no_group' }
    const agents = (await listAgents(table, license)).filter(({ groups }) => groups.includes(id))
    if (agents.length > 0 && !evenWithAgents) return { outcome: 'has_agents', agents }
    for (const agent of agents.slice(agentsPerDelete)) {
      if ((await writeTogether(table, [withoutGroup(agent, id)])) === conflict) return conflict
      left.add(agent.id)
    }
    const successors = into === undefined ? found.successors : { ...found.successors, [id]: into }
    const steps: Step<GroupDeletion>[] = [
      ...(into === undefined
        ? []
        : [
            {
              op: requireGroup(license, into),
              refused: (): GroupDeletion => ({ outcome: 'no_successor' }),
            },
          ]),
      { op: groupDeleted(license, id, group.version), refused: () => conflict },
      {
        op: changed(keys.license(license), found.version, {
          deleted_groups: [...found.deleted_groups, id],
          successors,
        }),
        refused: () => conflict,
      },
      ...agents.slice(0, agentsPerDelete).map((agent) => withoutGroup(agent, id)),
    ]
    const refused = await writeTogether<GroupDeletion>(table, steps)
    if (refused !== undefined) return refused
    for (const agent of agents) left.add(agent.id)
    return { outcome: 'deleted', group, left: [...left].toSorted() }
  })
}
