import { AgentItem } from '../table/accounts.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'

/** Agents by id: names are looked up when they are shown, never copied into chats. */
export type Profiles = ReadonlyMap<string, AgentItem>

/** Eventually consistent unless `strong`; but an agent that is missing then is missing from a strong read too. */
export const readProfiles = async (
  read: Reader,
  license: string,
  ids: readonly string[],
  { strong = false }: { strong?: boolean } = {},
): Promise<Profiles> => {
  const found = new Map<string, AgentItem>()
  for (const consistent of strong ? [true] : [false, true]) {
    const wanted = ids.filter((id) => !found.has(id)).map((id) => keys.agent(license, id))
    const items = wanted.length === 0 ? [] : await read.batchGet(wanted, { strong: consistent })
    for (const agent of items.map((item) => AgentItem.parse(item))) found.set(agent.id, agent)
  }
  return found
}

export const profilesOf = (agents: readonly AgentItem[]): Profiles =>
  new Map(agents.map((agent) => [agent.id, agent]))
