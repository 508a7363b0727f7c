import { hasAccess, roleOf } from '../access/permissions.ts'
import type { Target } from '../protocol/agent/transfer_chat.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { AgentItem, GroupItem } from '../table/accounts.ts'
import { presentAgents } from '../table/chat/chat-users.ts'
import type { Chat, ChatScopes } from '../table/chat/chats.ts'
import type { RequestSnapshot } from '../table/optimistic-write.ts'
import type { Session } from '../table/sockets.ts'
import { mayBeGiven } from './choose-agent.ts'
import { existingScopes } from './deleted-names.ts'
import type { StoredRouting } from './routing-properties.ts'
import type { RoutingState } from './routing-state.ts'

export interface TransferRequest {
  target?: Target | undefined
  ignore_agents_availability?: boolean | undefined
  ignore_requester_presence?: boolean | undefined
}

/** What a transfer is decided by. */
export interface TransferSnapshot extends RequestSnapshot {
  me: Session
  desk: RoutingState
  groups: readonly GroupItem[]
  routing: StoredRouting
}

/** A target whose names exist; groups that were deleted count as their successors. */
export interface WantedTarget {
  scopes: ChatScopes
  /** The agents among whom the next is chosen. */
  candidates: readonly AgentItem[]
  /** Whom or what the message names, where nobody is free. */
  names: readonly string[]
}

const notFound = (path: string, message: string) =>
  new ProtocolError('not_found', { details: [{ path, message }] })

const canSee = (agent: AgentItem, scopes: ChatScopes): boolean =>
  hasAccess({ agent_id: agent.id, permission: agent.permission, groups: agent.groups }, { users: [], scopes })

/** What a request wants, of a chat as it was read. Throws `not_found` for a name that there is not. */
export const wantedOf = (
  { chat, desk, groups, me }: TransferSnapshot,
  target: Target | undefined,
): WantedTarget => {
  const namesOf = (ids: readonly number[]) =>
    ids.map((id) => groups.find((group) => group.id === id)?.name ?? `group ${id}`)
  // as routing goes: owners and administrators are there for every group
  const takersFor = (scopes: ChatScopes) =>
    desk.agents.filter(
      (agent) =>
        canSee(agent, scopes) &&
        mayBeGiven(agent.id, chat) &&
        agent.id !== me.agent_id &&
        roleOf(agent.id, chat) === undefined,
    )
  if (target?.type === 'agent') {
    const candidates = target.ids.map((id, at) => {
      const agent = desk.agents.find((one) => one.id === id)
      if (agent === undefined || agent.suspended)
        throw notFound(`payload.target.ids.${at}`, 'No agent who may work has this id')
      return agent
    })
    return { scopes: chat.scopes, candidates, names: candidates.map(({ name }) => name) }
  }
  if (target === undefined) {
    const { scopes } = chat
    const names = scopes.groups.length === 0 ? ['the queue'] : namesOf(scopes.groups)
    return { scopes, candidates: takersFor(scopes), names }
  }
  const scopes = existingScopes({ groups: target.ids, agents: [] }, desk)
  const missing = target.ids.findIndex(
    (id) =>
      !groups.some((group) => existingScopes({ groups: [id], agents: [] }, desk).groups.includes(group.id)),
  )
  if (missing !== -1) throw notFound(`payload.target.ids.${missing}`, 'There is no such group')
  return { scopes, candidates: takersFor(scopes), names: namesOf(scopes.groups) }
}

/** Whether an agent will see a chat by its scopes, or has it already. */
export const isSeen = (agent: AgentItem, scopes: ChatScopes, chat: Chat): boolean =>
  canSee(agent, scopes) || presentAgents(chat).includes(agent.id)
