import { AgentItem, agentReady, LicenseItem } from '../table/accounts.ts'
import type { Chat, ChatUser } from '../table/chats.ts'
import type { Common } from '../table/families.ts'
import { agentPrefix, keys, licensePk } from '../table/keys.ts'
import { chatAssigned, type Load, readLoads } from '../table/loads.ts'
import type { StoredEvent } from '../table/log.ts'
import type { Reader } from '../table/ops.ts'
import { hasAccess, type Seen } from './access.ts'
import type { Guarded } from './place.ts'
import type { RoutingChange } from './routing-properties.ts'
import { agentLeft, routingAssigned, routingUnassigned } from './system-messages.ts'

/** What routing decides by: a licence, its agents, and how much each of them has to do. */
export interface Desk {
  license: LicenseItem
  agents: readonly AgentItem[]
  loads: ReadonlyMap<string, Load>
}

/** Undefined where there is no such licence. An assignment is conditional: one that lags behind may lose a race, no more. */
export const readDesk = async (
  read: Reader<Common | 'loads'>,
  license: string,
  { strong }: { strong: boolean },
): Promise<Desk | undefined> => {
  const [item, agents, loads] = await Promise.all([
    read.get(keys.license(license), { strong }),
    read.query({ pk: licensePk(license), prefix: agentPrefix, strong }),
    readLoads(read, license, { strong }),
  ])
  if (item === undefined) return undefined
  return {
    license: LicenseItem.parse(item),
    agents: agents.map((agent) => AgentItem.parse(agent)).filter(({ deleted }) => !deleted),
    loads: new Map(loads.map((load) => [load.agent, load])),
  }
}

/** Whether a chat is a customer's, be the customer in it or not. */
export const isOfCustomer = ({ users }: Pick<Chat, 'users'>): boolean =>
  users.some(({ type }) => type === 'customer')

/** The customer that is in a chat. */
export const customerOf = ({ users }: Pick<Chat, 'users'>): ChatUser | undefined =>
  users.find(({ type, present }) => type === 'customer' && present)

export const presentAgents = ({ users }: Pick<Chat, 'users'>): string[] =>
  users.filter(({ type, present }) => type === 'agent' && present).map(({ id }) => id)

/** A customer's chat that waits for an agent, or whose last one has left. */
export const lacksAgent = (chat: Pick<Chat, 'users' | 'waiting_since'>): boolean =>
  customerOf(chat) !== undefined && (chat.waiting_since !== undefined || presentAgents(chat).length === 0)

/** The agents of a chat who are logged in. One who was suspended just now is about to leave it. */
export const attendants = (chat: Pick<Chat, 'users'>, { agents }: Desk): AgentItem[] => {
  const ids = presentAgents(chat)
  return agents.filter(({ id, online, suspended }) => online && !suspended && ids.includes(id))
}

/** Whether an agent is there for new chats. */
const isReady = ({ online, suspended, routing_status, default_status }: AgentItem): boolean =>
  online && !suspended && (routing_status ?? default_status) === 'accepting_chats'

/**
 * Who is to get a chat: of the agents who are ready for one, can see it and are below their limit the one with the fewest
 * active chats, on a tie the one who was given one longest ago.
 */
export const nextAgent = (chat: Seen, { agents, loads }: Desk): AgentItem | undefined => {
  const loadOf = ({ id }: AgentItem): Load => loads.get(id) ?? { agent: id, active: 0, assigned_at: 0 }
  const inIt = presentAgents({ users: [...chat.users] })
  return agents
    .filter(
      (agent) =>
        isReady(agent) &&
        !inIt.includes(agent.id) &&
        loadOf(agent).active < agent.max_chats &&
        hasAccess({ agent_id: agent.id, permission: agent.permission, groups: agent.groups }, chat),
    )
    .toSorted((one, other) => {
      const [a, b] = [loadOf(one), loadOf(other)]
      return a.active - b.active || a.assigned_at - b.assigned_at || (one.id < other.id ? -1 : 1)
    })[0]
}

/** What an assignment writes or checks, beside the chat. */
export type StaffingFamily = 'account' | 'loads'

/** How a chat comes to be staffed: who is in it then, what tells of it, and what must hold for it. */
export interface Staffing {
  users: ChatUser[]
  messages: StoredEvent[]
  routing: RoutingChange
  /** Since when (ms) it waits for an agent. */
  waitingSince: number | undefined
  guards: Guarded<StaffingFamily>[]
  /** Whose load its assignment moves. */
  assigned: string | undefined
}

/** What routing asks of a chat. */
export type Routable = Pick<Chat, 'license_id' | 'users' | 'scopes' | 'waiting_since'>

/** The chat given to an agent; those who were its agents leave. */
export const assignedTo = (agent: AgentItem, chat: Routable, desk: Desk, at: number): Staffing => {
  const leaving = presentAgents(chat)
  const nameOf = (id: string) => desk.agents.find((one) => one.id === id)?.name ?? id
  const others = chat.users.filter(({ id, type }) => type === 'customer' || id !== agent.id)
  return {
    users: [
      ...others.map((user) =>
        user.type === 'agent' && leaving.includes(user.id) ? { ...user, present: false } : user,
      ),
      { id: agent.id, type: 'agent', present: true, met: true },
    ],
    messages: [routingAssigned(agent.name), ...leaving.map((id) => agentLeft(nameOf(id), false))],
    routing: { unassigned: false },
    waitingSince: undefined,
    guards: [{ op: agentReady(agent) }, { op: chatAssigned(chat.license_id, agent.id, agent.max_chats, at) }],
    assigned: agent.id,
  }
}

/** A chat whose agents stay as they are. */
export const asBefore = (chat: Routable): Staffing => ({
  users: [...chat.users],
  messages: [],
  routing: {},
  waitingSince: chat.waiting_since,
  guards: [],
  assigned: undefined,
})

/** A customer's chat as it is staffed where its thread starts, or by whoever comes to be free (protocol §7). */
export const staffed = (chat: Routable, desk: Desk, at: number): Staffing => {
  const [attendant] = attendants(chat, desk)
  if (attendant !== undefined) {
    if (chat.waiting_since === undefined) return asBefore(chat)
    // its own agent is back
    return {
      ...asBefore(chat),
      messages: [routingAssigned(attendant.name)],
      routing: { unassigned: false },
      waitingSince: undefined,
    }
  }
  const agent = desk.license.routing === 'manual' ? undefined : nextAgent(chat, desk)
  if (agent !== undefined) return assignedTo(agent, chat, desk, at)
  return {
    ...asBefore(chat),
    messages: [routingUnassigned()],
    routing: { unassigned: true },
    waitingSince: at,
  }
}
