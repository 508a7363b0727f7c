import * as z from 'zod/mini'
import { AgentItem, IdentityItem } from '../table/accounts.ts'
import { switchLoad } from '../table/chat/loads.ts'
import type { Table } from '../table/client.ts'
import { agentPrefix, keys, licensePk } from '../table/keys.ts'
import type { Attributes } from '../table/ops.ts'
import { added, changed, groupJoined, identityDeleted, licenseExists } from './account-ops.ts'
import { conflict, retryOnConflict, type Step, writeTogether } from './retries.ts'

/** Who logs in as an agent: the issuer and the subject of its tokens. */
export type Identity = AgentItem['identities'][number]

export interface AgentDraft {
  license_id: string
  id: string
  name: string
  email?: string | undefined
  avatar?: string | undefined
  permission?: AgentItem['permission'] | undefined
  groups?: readonly number[] | undefined
  default_status?: AgentItem['default_status'] | undefined
  max_chats?: number | undefined
  bot?: boolean | undefined
  priority?: AgentItem['priority']
  identity: Identity
}

/** Why an agent is not written as asked. */
export type AgentObstacle =
  /** The agent of that id, which may be a deleted one. */
  | { outcome: 'exists'; agent: AgentItem }
  | { outcome: 'no_license' }
  | { outcome: 'no_group'; group: number }
  | { outcome: 'subject_taken'; identity: Identity; by: IdentityItem }

export type AgentCreation = { outcome: 'created'; agent: AgentItem } | AgentObstacle

/** Every agent of the license by id, the deleted ones included. */
export async function listAgents(table: Table, license: string): Promise<AgentItem[]> {
  const items = await table.read.query({ pk: licensePk(license), prefix: agentPrefix, strong: true })
  return items.map((item) => AgentItem.parse(item))
}

export async function findAgent(table: Table, license: string, id: string): Promise<AgentItem | undefined> {
  return z.optional(AgentItem).parse(await table.read.get(keys.agent(license, id), { strong: true }))
}

/** Whether the identity is this agent's, as the table has it. */
export async function isIdentityOf(
  table: Table,
  { issuer, subject }: Identity,
  agent: { license_id: string; id: string },
): Promise<boolean> {
  const found = await table.read.get(keys.identity(issuer, subject), { strong: true })
  const by = z.optional(IdentityItem).parse(found)
  return by?.license_id === agent.license_id && by.agent_id === agent.id
}

/** Writes an agent and who logs in as it, in one transaction, or says what is in the way. */
export async function createAgent(table: Table, draft: AgentDraft): Promise<AgentCreation> {
  const { identity, email, avatar, bot, priority, ...rest } = draft
  const item = {
    license_id: rest.license_id,
    id: rest.id,
    name: rest.name,
    ...(email === undefined ? {} : { email }),
    ...(avatar === undefined ? {} : { avatar }),
    permission: rest.permission ?? 'normal',
    groups: [...new Set(rest.groups)].toSorted((a, b) => a - b),
    default_status: rest.default_status ?? 'accepting_chats',
    ...(rest.max_chats === undefined ? {} : { max_chats: rest.max_chats }),
    ...(bot === true ? { bot } : {}),
    ...(priority === undefined ? {} : { priority }),
    suspended: false,
    identities: [identity],
    version: 1,
  }
  return retryOnConflict<AgentCreation>(async () => {
    const refused = await writeTogether<AgentObstacle>(table, [
      { op: licenseExists(item.license_id), refused: () => ({ outcome: 'no_license' }) },
      {
        op: added(keys.agent(item.license_id, item.id), item),
        refused: (found) => (found ? { outcome: 'exists', agent: AgentItem.parse(found) } : conflict),
      },
      {
        op: added(keys.load(item.license_id, item.id), { agent: item.id, active: 0 }),
        refused: () => conflict,
      },
      ...joinings(item.license_id, item.groups),
      identityAdded(identity, item),
    ])
    return refused ?? { outcome: 'created', agent: AgentItem.parse(item) }
  })
}

/** What would keep this agent from being created, as far as a read can tell. */
export async function findObstacle(
  table: Table,
  draft: Pick<AgentDraft, 'license_id' | 'id' | 'groups'>,
): Promise<AgentObstacle | undefined> {
  const { license_id: license, id, groups = [] } = draft
  const strong = { strong: true }
  const [found, agent, existing] = await Promise.all([
    table.read.get(keys.license(license), strong),
    findAgent(table, license, id),
    table.read.batchGet(
      groups.map((group) => keys.group(license, group)),
      strong,
    ),
  ])
  if (found === undefined) return { outcome: 'no_license' }
  if (agent !== undefined) return { outcome: 'exists', agent }
  const ids = existing.map((item) => z.object({ id: z.int() }).parse(item).id)
  const group = groups.find((wanted) => !ids.includes(wanted))
  return group === undefined ? undefined : { outcome: 'no_group', group }
}

export interface AgentChanges {
  name?: string | undefined
  /** `null` removes it. */
  email?: string | null | undefined
  avatar?: string | null | undefined
  permission?: AgentItem['permission'] | undefined
  groups?: readonly number[] | undefined
  default_status?: AgentItem['default_status'] | undefined
  max_chats?: number | undefined
  /** A bot's. */
  priority?: AgentItem['priority']
  suspended?: boolean | undefined
  /** Takes the place of all that the agent had. */
  identity?: Identity | undefined
}

type AgentChange =
  | { outcome: 'changed'; agent: AgentItem }
  | { outcome: 'unchanged'; agent: AgentItem }
  | { outcome: 'no_agent' | 'deleted' | 'no_bot' | 'bot' }
  | Extract<AgentObstacle, { outcome: 'no_group' | 'subject_taken' }>

/** Sets what is given and nothing else: presence is written by logins at the same time. */
export async function changeAgent(
  table: Table,
  license: string,
  id: string,
  changes: AgentChanges,
): Promise<AgentChange> {
  return retryOnConflict<AgentChange>(async () => {
    const agent = await findAgent(table, license, id)
    if (agent === undefined) return { outcome: 'no_agent' }
    if (agent.deleted) return { outcome: 'deleted' }
    if (!agent.bot && changes.priority !== undefined) return { outcome: 'no_bot' }
    if (agent.bot && changes.default_status !== undefined) return { outcome: 'bot' }
    const { set, remove, joined, given, taken } = differences(agent, changes)
    if (Object.keys(set).length + remove.length === 0) return { outcome: 'unchanged', agent }
    const refused = await writeTogether<AgentChange>(table, [
      { op: changed(keys.agent(license, id), agent.version, set, remove), refused: () => conflict },
      ...('suspended' in set ? [switched(agent, set['suspended'] === true)] : []),
      ...joinings(license, joined),
      ...given.map((identity) => identityAdded(identity, agent)),
      ...taken.map((identity) => identityTaken(identity, agent)),
    ])
    if (refused !== undefined) return refused
    const kept = Object.fromEntries(Object.entries(agent).filter(([name]) => !remove.includes(name)))
    return { outcome: 'changed', agent: AgentItem.parse({ ...kept, ...set, version: agent.version + 1 }) }
  })
}

type AgentDeletion = { outcome: 'deleted'; agent: AgentItem } | { outcome: 'no_agent' | 'unchanged' }

/** Leaves the name and the id, which is never given again; whoever logged in as it can no longer. */
export async function deleteAgent(table: Table, license: string, id: string): Promise<AgentDeletion> {
  return retryOnConflict<AgentDeletion>(async () => {
    const agent = await findAgent(table, license, id)
    if (agent === undefined) return { outcome: 'no_agent' }
    if (agent.deleted) return { outcome: 'unchanged' }
    const gone = agent.bot ? { online: false } : {}
    const set = { deleted: true, permission: 'normal', groups: [], identities: [], ...gone }
    const remove = ['email', 'avatar', 'default_status', 'max_chats', 'suspended', 'priority']
    const refused = await writeTogether<never>(table, [
      { op: changed(keys.agent(license, id), agent.version, set, remove), refused: () => conflict },
      switched(agent, true),
      ...agent.identities.map((identity) => identityTaken(identity, agent)),
    ])
    return refused ?? { outcome: 'deleted', agent }
  })
}

/** Whether the agent may take on chats, which is held by its load. */
const switched = ({ license_id, id }: AgentItem, off: boolean): Step<never> => ({
  op: switchLoad(license_id, id, off),
  refused: () => conflict,
})

/** Takes the agent, as it was read, out of a group. */
export const withoutGroup = (agent: AgentItem, group: number): Step<never> => ({
  op: changed(keys.agent(agent.license_id, agent.id), agent.version, {
    groups: agent.groups.filter((each) => each !== group),
  }),
  refused: () => conflict,
})

/** What the changes come to: attributes to set and to remove, groups joined, identities given and taken. */
function differences(agent: AgentItem, changes: AgentChanges) {
  const { identity, groups = agent.groups, ...plain } = changes
  const now: Attributes = { ...agent }
  const set: Attributes = {}
  const remove: string[] = []
  for (const [name, value] of Object.entries(plain)) {
    if (value === null && now[name] !== undefined) remove.push(name)
    if (value !== null && value !== undefined && now[name] !== value) set[name] = value
  }
  // no connection ends that would take it offline; it comes back by its own status
  if (set['suspended'] === true && agent.bot) set['online'] = false
  const wanted = [...new Set(groups)].toSorted((a, b) => a - b)
  const joined = wanted.filter((group) => !agent.groups.includes(group))
  if (joined.length > 0 || wanted.length !== agent.groups.length) set['groups'] = wanted
  const given = identity && !agent.identities.some((each) => isSame(each, identity)) ? [identity] : []
  const taken = identity ? agent.identities.filter((each) => !isSame(each, identity)) : []
  if (given.length + taken.length > 0) set['identities'] = [identity]
  return { set, remove, joined, given, taken }
}

const isSame = (a: Identity, b: Identity): boolean => a.issuer === b.issuer && a.subject === b.subject

const joinings = (
  license: string,
  groups: readonly number[],
): Step<{ outcome: 'no_group'; group: number }>[] =>
  groups.map((group) => ({
    op: groupJoined(license, group),
    refused: () => ({ outcome: 'no_group', group }),
  }))

const identityAdded = (
  identity: Identity,
  agent: { license_id: string; id: string },
): Step<Extract<AgentObstacle, { outcome: 'subject_taken' }>> => ({
  op: added(keys.identity(identity.issuer, identity.subject), {
    license_id: agent.license_id,
    agent_id: agent.id,
  }),
  refused: (found) =>
    found ? { outcome: 'subject_taken', identity, by: IdentityItem.parse(found) } : conflict,
})

const identityTaken = (identity: Identity, agent: AgentItem): Step<never> => ({
  op: identityDeleted(identity, agent),
  refused: () => conflict,
})
