import { AgentItem, LicenseItem } from '../table/accounts.ts'
import { presentAgents } from '../table/chat/chat-users.ts'
import type { Chat } from '../table/chat/chats.ts'
import { type Load, readLoads } from '../table/chat/loads.ts'
import type { Common } from '../table/families.ts'
import { agentPrefix, keys, licensePk } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'

/** What routing decides by: a license, its agents, and how much each of them has to do. */
export interface RoutingState {
  license: LicenseItem
  agents: readonly AgentItem[]
  /** Who was deleted: their names stay. */
  deleted: readonly AgentItem[]
  loads: ReadonlyMap<string, Load>
}

/**
 * Undefined where there is no such license. An assignment is conditional: one that lags behind may lose a
 * race, no more.
 */
export const readRoutingState = async (
  read: Reader<Common | 'loads'>,
  license: string,
  { strong }: { strong: boolean },
): Promise<RoutingState | undefined> => {
  const [item, found, loads] = await Promise.all([
    read.get(keys.license(license), { strong }),
    read.query({ pk: licensePk(license), prefix: agentPrefix, strong }),
    readLoads(read, license, { strong }),
  ])
  if (item === undefined) return undefined
  const agents = found.map((agent) => AgentItem.parse(agent))
  return {
    license: LicenseItem.parse(item),
    agents: agents.filter(({ deleted }) => !deleted),
    deleted: agents.filter(({ deleted }) => deleted),
    loads: new Map(loads.map((load) => [load.agent, load])),
  }
}

/** Whether a chat is a customer's, be the customer in it or not. */
export const isOfCustomer = ({ users }: Pick<Chat, 'users'>): boolean =>
  users.some(({ type }) => type === 'customer')

/** The agents of a chat who are logged in. One who was suspended just now is about to leave it. */
export const onlineAgents = (chat: Pick<Chat, 'users'>, { agents }: RoutingState): AgentItem[] => {
  const ids = presentAgents(chat)
  return agents.filter(({ id, online, suspended }) => online && !suspended && ids.includes(id))
}

/**
 * Whether an agent is there for new chats: connected now, not merely within the time of grace, and accepting
 * them.
 */
export const isReady = ({ online, away, suspended, routing_status, default_status }: AgentItem): boolean =>
  online && !away && !suspended && (routing_status ?? default_status) === 'accepting_chats'
