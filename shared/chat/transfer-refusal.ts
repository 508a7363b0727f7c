import { type ErrorDetail, ProtocolError } from '../protocol/errors.ts'
import type { AgentItem } from '../table/accounts.ts'
import { customerOf, presentAgents } from '../table/chat/chat-users.ts'
import type { Chat } from '../table/chat/chats.ts'
import { isFree, loadOf } from './choose-agent.ts'
import { isReady, type RoutingState } from './routing-state.ts'
import { isSeen, type TransferRequest, type TransferSnapshot, type WantedTarget } from './transfer-target.ts'

/** Why an agent cannot take a chat now; undefined: it can. */
export const unavailable = (agent: AgentItem, desk: RoutingState, chat: Chat): string | undefined => {
  if (presentAgents(chat).includes(agent.id)) return undefined
  if (!agent.online || agent.away) return 'is not logged in'
  if (!isReady(agent)) return 'does not accept chats'
  if (!isFree(agent, desk))
    return `has ${loadOf(agent, desk).active} active chats and takes ${agent.max_chats}`
  return undefined
}

/** Why nobody takes a chat, for each agent asked for or for the groups as a whole. */
export const transferRefusal = (
  view: TransferSnapshot,
  wanted: WantedTarget,
  { target, ...request }: TransferRequest,
): ProtocolError => {
  const { chat, desk } = view
  const mayWait = request.ignore_agents_availability === true && customerOf(chat) !== undefined
  const why = wanted.candidates.map((agent) => {
    if (!isSeen(agent, wanted.scopes, chat)) return 'cannot see this chat'
    return mayWait ? undefined : unavailable(agent, desk, chat)
  })
  const details: ErrorDetail[] = []
  if (target?.type === 'agent')
    for (const [at, one] of why.entries())
      if (one !== undefined)
        details.push({ path: `payload.target.ids.${at}`, message: `The agent ${target.ids[at]} ${one}` })
  if (target?.type !== 'agent') {
    const counts = Map.groupBy(why, (one) => one)
    const all = [...counts].map(([one, { length }]) => `${length} ${one}`)
    details.push({
      path: target === undefined ? 'payload.target' : 'payload.target.ids',
      message: all.length === 0 ? 'Nobody else can be given the chat' : `Nobody is free: ${all.join(', ')}`,
    })
  }
  if (request.ignore_agents_availability === true && !mayWait)
    details.push({
      path: 'payload.ignore_agents_availability',
      message: 'Only a chat with a customer in it can wait',
    })
  return new ProtocolError('validation', { details })
}
