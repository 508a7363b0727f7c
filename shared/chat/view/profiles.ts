import { AgentItem } from '../../table/accounts.ts'
import type { ChatUser } from '../../table/chat/chat-users.ts'
import { CustomerItem } from '../../table/customers.ts'
import { isCustomerKey } from '../../table/key-parts.ts'
import { type Key, keys } from '../../table/keys.ts'
import type { Reader } from '../../table/ops.ts'

/** Users by id: names are looked up when they are shown, never copied into chats. */
export interface Profiles {
  agents: ReadonlyMap<string, AgentItem>
  customers: ReadonlyMap<string, CustomerItem>
}

/**
 * Eventually consistent unless `strong`; but an agent that is missing then is missing from a strong read too.
 */
export const readAgents = async (
  read: Reader,
  license: string,
  ids: readonly string[],
  { strong = false }: { strong?: boolean } = {},
): Promise<ReadonlyMap<string, AgentItem>> => {
  const users = ids.map((id) => ({ id, type: 'agent' as const }))
  return (await readProfiles(read, license, users, { strong })).agents
}

/**
 * The profiles of users that are not `known` yet, and those known. Eventually consistent unless `strong`; but
 * a user that is missing then is missing from a strong read too.
 */
export const readProfiles = async (
  read: Reader,
  license: string,
  users: readonly Pick<ChatUser, 'id' | 'type'>[],
  { strong = false, known = nobody }: { strong?: boolean; known?: Profiles } = {},
): Promise<Profiles> => {
  const agents = new Map(known.agents)
  const customers = new Map(known.customers)
  for (const consistent of strong ? [true] : [false, true]) {
    const wanted = users.flatMap(({ id, type }): Key<'account' | 'customer'>[] => {
      if (type === 'customer') return customers.has(id) ? [] : [keys.customer(license, id)]
      return agents.has(id) ? [] : [keys.agent(license, id)]
    })
    const items = wanted.length === 0 ? [] : await read.batchGet(wanted, { strong: consistent })
    for (const item of items)
      if (isCustomerKey(item)) keep(customers, CustomerItem.parse(item))
      else keep(agents, AgentItem.parse(item))
  }
  return { agents, customers }
}

const keep = <P extends { id: string }>(profiles: Map<string, P>, profile: P) =>
  void profiles.set(profile.id, profile)

export const nobody: Profiles = { agents: new Map(), customers: new Map() }

export const profilesOf = (
  agents: readonly AgentItem[],
  customers: readonly CustomerItem[] = [],
): Profiles => ({
  agents: new Map(agents.map((agent) => [agent.id, agent])),
  customers: new Map(customers.map((customer) => [customer.id, customer])),
})
