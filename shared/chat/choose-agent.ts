import { hasAccess } from '../access/permissions.ts'
import { type AgentItem, type Priority, requireAgentReady } from '../table/accounts.ts'
import { type ChatUser, departed, newlyHad, customerOf, presentAgents } from '../table/chat/chat-users.ts'
import type { Chat, Transfer } from '../table/chat/chats.ts'
import { type Load, setAssignedChat } from '../table/chat/loads.ts'
import { awaitsAnswer, type Entry, type State, type StoredEvent } from '../table/chat/thread-log.ts'
import type { ConditionalWrite } from '../table/optimistic-write.ts'
import type { RoutingChange } from './routing-properties.ts'
import { isReady, onlineAgents, type RoutingState } from './routing-state.ts'
import { agentLeft, routingAssigned, routingUnassigned } from './system-messages.ts'

/** What routing asks of a chat. */
export type Routable = Pick<Chat, 'license_id' | 'users' | 'scopes' | 'waiting_since' | 'thread'>

export const loadOf = ({ id }: Pick<AgentItem, 'id'>, { loads }: RoutingState): Load =>
  loads.get(id) ?? { agent: id, active: 0, assigned_at: 0 }

/** Whether an agent is there for new chats and in fewer than it takes. */
export const isFree = (agent: AgentItem, desk: RoutingState): boolean =>
  isReady(agent) && loadOf(agent, desk).active < agent.max_chats

const ranks: Record<Priority, number> = { first: 0, normal: 1, last: 2 }
/** People are asked between the bots that come first and those that come last. */
const rankOf = ({ bot, priority = 'normal' }: Pick<AgentItem, 'bot' | 'priority'>): number =>
  ranks[bot ? priority : 'normal']

/** Agents in the order in which routing asks them: by priority, then by load. */
export const byPriority = (agents: readonly AgentItem[], desk: RoutingState): AgentItem[] =>
  byLoad(agents, desk).toSorted((one, other) => rankOf(one) - rankOf(other))

/** Agents by active chats, the fewest first; on a tie the one who was given a chat longest ago. */
export const byLoad = (agents: readonly AgentItem[], desk: RoutingState): AgentItem[] =>
  agents.toSorted((one, other) => {
    const [a, b] = [loadOf(one, desk), loadOf(other, desk)]
    return a.active - b.active || a.assigned_at - b.assigned_at || (one.id < other.id ? -1 : 1)
  })

/** Whether an agent may be given a chat: it is not in it, and has not left this thread by itself. */
export const mayBeGiven = (id: string, { users, thread }: Pick<Routable, 'users' | 'thread'>): boolean =>
  !users.some(
    (user) =>
      user.id === id &&
      user.type !== 'customer' &&
      ((user.type === 'agent' && user.present) || user.left === thread),
  )

/** Who is to get a chat: of the free agents who can see it the first in turn. */
export const nextAgent = (
  chat: Pick<Routable, 'users' | 'scopes' | 'thread'>,
  desk: RoutingState,
): AgentItem | undefined => {
  const { agents } = desk
  const free = agents.filter(
    (agent) =>
      isFree(agent, desk) &&
      mayBeGiven(agent.id, chat) &&
      hasAccess({ agent_id: agent.id, permission: agent.permission, groups: agent.groups }, chat),
  )
  return byPriority(free, desk)[0]
}

/** What an assignment writes or checks, beside the chat. */
export type AssignmentFamily = 'account' | 'loads'

/** How a chat comes to be staffed: who is in it then, what tells of it, and what must hold for it. */
export interface Assignment {
  users: ChatUser[]
  messages: StoredEvent[]
  routing: RoutingChange
  /** Since when (ms) it waits for an agent. */
  waitingSince: number | undefined
  guards: ConditionalWrite<AssignmentFamily>[]
  /** Whose load its assignment moves. */
  assigned: string | undefined
  /** Why it goes to other agents, or waits for one; absent: it stays with its own. */
  reason?: Transfer['reason']
}

/** The chat given to an agent; those who were its agents leave. `because`: why they lose it. */
export const assignAgent = (
  agent: AgentItem,
  chat: Routable,
  desk: RoutingState,
  at: number,
  because?: string,
): Assignment => {
  const leaving = presentAgents(chat)
  return {
    users: givenTo(agent.id, chat.users),
    messages: [
      routingAssigned(agent.name, because),
      ...leaving.map((id) => agentLeft(nameIn(desk, id), false)),
    ],
    routing: { unassigned: false },
    waitingSince: undefined,
    guards: assignmentGuards(agent, chat, at),
    assigned: agent.id,
    reason: because === undefined ? 'assigned' : 'inactive',
  }
}

/** Users of a chat that an agent has in place of its agents; supervisors stay. */
export const givenTo = (agent: string, users: readonly ChatUser[]): ChatUser[] => [
  ...users
    .filter(({ id, type }) => type === 'customer' || id !== agent)
    .map((user) => (user.type === 'agent' && user.present ? departed(user) : user)),
  { id: agent, type: 'agent', present: true, met: true },
]

/** What must hold for an agent to be given a chat: it is as ready as it was read, and has not too many. */
export const assignmentGuards = (
  agent: AgentItem,
  { license_id }: Pick<Routable, 'license_id'>,
  at: number,
): ConditionalWrite<AssignmentFamily>[] => [
  { op: requireAgentReady(agent) },
  { op: setAssignedChat(license_id, agent.id, agent.max_chats, at) },
]

const nameIn = ({ agents, deleted }: RoutingState, id: string): string =>
  [...agents, ...deleted].find((one) => one.id === id)?.name ?? id

/** A chat whose agents stay as they are. */
export const keepAssignment = (chat: Routable): Assignment => ({
  users: [...chat.users],
  messages: [],
  routing: {},
  waitingSince: chat.waiting_since,
  guards: [],
  assigned: undefined,
})

/** A chat whose own agents are there for its customer: where it waited, all of them have it from now on. */
const keptBy = ([first]: readonly [AgentItem, ...AgentItem[]], chat: Routable): Assignment => {
  if (chat.waiting_since === undefined) return keepAssignment(chat)
  return {
    ...keepAssignment(chat),
    users: newlyHad(chat.users),
    messages: [routingAssigned(first.name)],
    routing: { unassigned: false },
    waitingSince: undefined,
    reason: 'assigned',
  }
}

/**
 * A chat that waits from `since` on (ms), in the agents' place who are in it. `because`: what they have
 * failed to do.
 */
const waiting = (chat: Routable, since: number, because?: string): Assignment => ({
  ...keepAssignment(chat),
  messages: [routingUnassigned(because)],
  routing: { unassigned: true },
  waitingSince: since,
  reason: because === undefined ? 'unassigned' : 'inactive',
})

const freeAgent = (chat: Routable, desk: RoutingState): AgentItem | undefined =>
  desk.license.routing === 'manual' ? undefined : nextAgent(chat, desk)

/** Given to whoever is free; else the chat waits. */
const given = (chat: Routable, desk: RoutingState, at: number): Assignment => {
  const agent = freeAgent(chat, desk)
  return agent === undefined ? waiting(chat, at) : assignAgent(agent, chat, desk, at)
}

/**
 * Those of a chat's own agents who have it from now on: none, where they are bots that come last and another
 * is free.
 */
const keepersOf = (own: readonly AgentItem[], chat: Routable, desk: RoutingState): readonly AgentItem[] => {
  if (own.length === 0 || own.some((agent) => rankOf(agent) < ranks.last)) return own
  const other = freeAgent(chat, desk)
  return other !== undefined && rankOf(other) < ranks.last ? [] : own
}

const isSome = <T>(list: readonly T[]): list is readonly [T, ...T[]] => list.length > 0

/**
 * A customer's chat as it is staffed where its thread starts (protocol §7): its own agents are there while
 * they accept.
 */
export const assignAtStart = (chat: Routable, desk: RoutingState, at: number): Assignment => {
  const own = keepersOf(onlineAgents(chat, desk).filter(isReady), chat, desk)
  return isSome(own) ? keptBy(own, chat) : given(chat, desk, at)
}

interface LogEnd {
  last: Pick<State, 'asked' | 'newest' | 'shown'>
  entries: readonly Pick<Entry, 'm' | 'at'>[]
}

/** Whether what a customer waits for it has asked after `sinceMs`: what it had asked by then was answered. */
const hasAskedAgain = ({ last, entries }: LogEnd, sinceMs: number): boolean =>
  entries.some(({ m, at }) => m === last.asked && at > sinceMs)

/**
 * The same in an active thread; undefined: there is nothing to be done, or nobody to do it. A chat that waits
 * goes to an agent of its own who has answered, or is back and accepts chats, else to whoever is free.
 * `tail`: the end of its log; without it a chat that may have to be staffed is staffed.
 */
export const reassign = (
  chat: Routable & Pick<Chat, 'active'>,
  desk: RoutingState,
  at: number,
  tail?: LogEnd,
): Assignment | undefined => {
  if (!chat.active || customerOf(chat) === undefined) return undefined
  const own = onlineAgents(chat, desk)
  if (chat.waiting_since === undefined) {
    const isAttended = own.length > 0 || (presentAgents(chat).length > 0 && tail && !awaitsAnswer(tail.last))
    return isAttended ? undefined : given(chat, desk, at)
  }
  const overdue = chat.users.filter((user) => user.overdue === true)
  const isOverdue = ({ id }: AgentItem) => overdue.some((user) => user.id === id)
  const isAnswered =
    tail !== undefined &&
    (!awaitsAnswer(tail.last) || (overdue.length > 0 && hasAskedAgain(tail, chat.waiting_since)))
  const isBack = (agent: AgentItem) =>
    desk.license.routing === 'automatic' && isReady(agent) && !isOverdue(agent)
  const there = isAnswered ? own : keepersOf(own.filter(isBack), chat, desk)
  if (isSome(there)) return keptBy(there, chat)
  const agent = freeAgent(chat, desk)
  return agent && assignAgent(agent, chat, desk, at)
}

/**
 * A chat whose agents have not looked after its customer for so many minutes, since `sinceMs`: it goes to
 * whoever is free, else it waits for the next who is, or for one of them to answer.
 */
export const handOver = (
  chat: Routable,
  desk: RoutingState,
  at: number,
  { sinceMs, minutes }: { sinceMs: number; minutes: number },
): Assignment => {
  const agents = chat.users.filter(({ type, present }) => type === 'agent' && present)
  const [first] = agents.toSorted((a, b) => (a.since ?? 0) - (b.since ?? 0))
  const because = `${nameIn(desk, first?.id ?? '')} hasn't replied in ${minutes} minutes`
  const agent = freeAgent(chat, desk)
  if (agent !== undefined) return assignAgent(agent, chat, desk, at, because)
  return {
    ...waiting(chat, sinceMs, because),
    users: chat.users.map((user) => (agents.includes(user) ? { ...user, overdue: true } : user)),
  }
}
