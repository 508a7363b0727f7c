import { roleOf } from '../access/permissions.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { type AgentItem, GroupItem, requireAgentReady, requireGroup } from '../table/accounts.ts'
import type { Reads } from '../table/capabilities.ts'
import { customerOf, departed, newlyHad, presentAgents } from '../table/chat/chat-users.ts'
import type { Chat, ChatScopes } from '../table/chat/chats.ts'
import type { Common } from '../table/families.ts'
import { groupPrefix, licensePk } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import type { ConditionalWrite, RequestSnapshot } from '../table/optimistic-write.ts'
import type { Session } from '../table/sockets.ts'
import { assignmentGuards, type AssignmentFamily, byPriority, givenTo } from './choose-agent.ts'
import { changeUsers, type UsersChange, type UsersChanged } from './change-users.ts'
import { readRouting, type RoutingChange } from './routing-properties.ts'
import { readRoutingState } from './routing-state.ts'
import { transferred } from './system-messages.ts'
import type { ThreadWrites, UsersFamily } from './thread-writes.ts'
import { transferRefusal, unavailable } from './transfer-refusal.ts'
import {
  isSeen,
  type TransferRequest,
  type TransferSnapshot,
  type WantedTarget,
  wantedOf,
} from './transfer-target.ts'
import { lineOf } from './view/queue.ts'

// Transfers give a chat to another agent, or to a team (extensions §3): in one transaction, so that somebody
// has it, or it waits, at every moment.

type Transferring = ThreadWrites<UsersFamily | AssignmentFamily, RequestSnapshot & { me: Session }> &
  Reads<Common | 'loads'>

/** The requester, where it is an agent of the chat and so leaves it. */
const leavingOf = (chat: Chat, me: Session): string | undefined =>
  roleOf(me.agent_id, chat) === 'agent' ? me.agent_id : undefined

const isSameScopes = (one: ChatScopes, other: ChatScopes): boolean =>
  lineOf({ scopes: one }) === lineOf({ scopes: other })

/** Whether a chat is where a request wants it: one that comes again changes nothing. */
const isDone = ({ chat, me }: TransferSnapshot, wanted: WantedTarget, request: TransferRequest): boolean => {
  const { target, ignore_agents_availability } = request
  const present = presentAgents(chat)
  const isWanted = (id: string) => wanted.candidates.some((agent) => agent.id === id)
  const isMine = chat.users.some(
    ({ id, type, transferred: thread }) =>
      id === me.agent_id && type !== 'customer' && thread === chat.thread,
  )
  if (target?.type === 'agent' && chat.waiting_since !== undefined)
    return isMine && ignore_agents_availability === true && present.length === 0
  if (target?.type === 'agent') return present.length > 0 && present.every(isWanted)
  if (present.includes(me.agent_id)) return false
  if (target === undefined) return isMine
  return isSameScopes(chat.scopes, wanted.scopes) && (chat.waiting_since !== undefined || present.length > 0)
}

/** Takes the requester out as one who leaves by itself: routing does not give the chat back to it. */
const taken = (users: Chat['users'], me: Session, thread: number): Chat['users'] =>
  users.map((user) =>
    user.id === me.agent_id && user.type === 'agent' && !user.present
      ? { ...user, left: thread, transferred: thread }
      : user,
  )

const planTransfer = (
  view: TransferSnapshot,
  request: TransferRequest,
  denied: string,
  at: number,
): UsersChange<AssignmentFamily> | undefined => {
  const { chat, me, desk } = view
  const { target } = request
  if (!chat.active) throw new ProtocolError('chat_inactive')
  const wanted = wantedOf(view, target)
  if (isDone(view, wanted, request)) return undefined
  const leaving = leavingOf(chat, me)
  if (leaving === undefined && request.ignore_requester_presence !== true)
    throw new ProtocolError('authorization', { message: denied })

  const { scopes, candidates } = wanted
  const seeing = candidates.filter((agent) => isSeen(agent, scopes, chat))
  const free = seeing.filter((agent) => unavailable(agent, desk, chat) === undefined)
  const agent = free.find(({ id }) => presentAgents(chat).includes(id)) ?? byPriority(free, desk)[0]
  const isOfCustomer = customerOf(chat) !== undefined
  const waits = request.ignore_agents_availability === true && isOfCustomer
  if (agent === undefined && (!waits || (target?.type === 'agent' && seeing.length < candidates.length)))
    throw transferRefusal(view, wanted, request)
  const users = agent === undefined ? chat.users.map(left) : givenOr(agent, chat)
  const isSame = agent === undefined && chat.waiting_since !== undefined && presentAgents(chat).length === 0
  if (isSame && isSameScopes(scopes, chat.scopes)) return undefined

  const isKnown = chat.users.some(({ id, met }) => id === me.agent_id && met === true)
  const names = agent === undefined || target?.type === 'group' ? wanted.names : [agent.name]
  const isNew = agent !== undefined && !presentAgents(chat).includes(agent.id)
  // the customer has not met the agents whom the chat waits for
  const isOfAgents = !isKnown || (agent === undefined && target?.type === 'agent')
  return {
    users: taken(users, me, chat.thread),
    scopes,
    messages: [transferred(names, me.name, isOfAgents)],
    routing: routingOf(chat, agent, isOfCustomer),
    waitingSince: agent === undefined ? (chat.waiting_since ?? at) : null,
    transfer: {
      reason: 'manual',
      by: me.agent_id,
      ...(target?.type === 'group' ? { groups: scopes.groups } : {}),
    },
    ...(isNew ? { assigned: isOfCustomer ? agent.id : undefined } : {}),
    guards: [
      ...(isNew ? guardsOf(agent, chat, isOfCustomer, at) : []),
      ...(target?.type === 'group' ? scopes.groups.map((id) => groupStands(chat.license_id, id)) : []),
    ],
  }
}

/** The property of a customer's chat, which it may never have had, where that changes. */
const routingOf = (chat: Chat, agent: AgentItem | undefined, isOfCustomer: boolean): RoutingChange => {
  if (!isOfCustomer || (agent !== undefined && chat.waiting_since === undefined)) return {}
  return { unassigned: agent === undefined }
}

const left = (user: Chat['users'][number]): Chat['users'][number] =>
  user.type === 'agent' && user.present ? departed(user) : user

// a chat without a customer is nobody's load
const guardsOf = (agent: AgentItem, chat: Chat, isOfCustomer: boolean, at: number) =>
  isOfCustomer ? assignmentGuards(agent, chat, at) : [{ op: requireAgentReady(agent) }]

const groupStands = (license: string, group: number): ConditionalWrite<'account'> => ({
  op: requireGroup(license, group),
  onConditionFailed: 'not_found',
})

/** Users of a chat that an agent has. One who is in it already stays, and has it anew where it waited. */
const givenOr = (agent: AgentItem, { users, ...chat }: Chat): Chat['users'] => {
  if (!presentAgents({ users }).includes(agent.id)) return givenTo(agent.id, users)
  const kept = users.map((user) => (user.id === agent.id && user.type === 'agent' ? user : left(user)))
  return chat.waiting_since === undefined ? kept : newlyHad(kept)
}

const readDesk = async (
  read: Reader<Common | 'loads'>,
  license: string,
  chat: Chat,
): Promise<Pick<TransferSnapshot, 'desk' | 'groups' | 'routing'>> => {
  const [desk, groups, routing] = await Promise.all([
    readRoutingState(read, license, { strong: true }),
    read.query({ pk: licensePk(license), prefix: groupPrefix, strong: true }),
    readRouting(read, chat),
  ])
  if (desk === undefined) throw new ProtocolError('license_expired')
  return { desk, groups: groups.map((group) => GroupItem.parse(group)), routing }
}

/** Transfers a chat, as far as it is not where the request wants it. Throws what is missing for it. */
export const transfer = async (
  ctx: Transferring,
  request: TransferRequest,
  denied: string,
): Promise<UsersChanged> => {
  const { license_id } = ctx.me
  const first = await readDesk(ctx.read, license_id, ctx.chat)
  const refresh = async (): Promise<TransferSnapshot> => {
    const view = await ctx.refresh()
    return { ...view, ...(await readDesk(ctx.read, license_id, view.chat)) }
  }
  return changeUsers<TransferSnapshot, AssignmentFamily>(
    { ...ctx, ...first, refresh },
    (view) => planTransfer(view, request, denied, ctx.now()),
    ({ routing }) => routing,
  )
}
