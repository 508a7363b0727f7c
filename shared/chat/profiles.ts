import { AgentItem } from '../table/accounts.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'

/** Agents by id: names are looked up when they are shown, never copied into chats. */
export type Profiles = ReadonlyMap<string, AgentItem>

export const readProfiles = async (
  read: Reader,
  license: string,
  ids: readonly string[],
): Promise<Profiles> => {
  if (ids.length === 0) return new Map()
  const items = await read.batchGet(ids.map((id) => keys.agent(license, id)))
  return profilesOf(items.map((item) => AgentItem.parse(item)))
}

export const profilesOf = (agents: readonly AgentItem[]): Profiles =>
  new Map(agents.map((agent) => [agent.id, agent]))
