import type { ThreadFamily } from '../thread-writes.ts'
import { roleOf } from '../../access/permissions.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Properties } from '../../protocol/properties.ts'
import { type ChatUser, newlyHad, sameUsers, withArrivals } from '../../table/chat/chat-users.ts'
import { type Chat, putChat, updateActiveChat } from '../../table/chat/chats.ts'
import { endsIdle, nextEntries, putEntry, setHeadUsers } from '../../table/chat/log-entries.ts'
import {
  type PropertiesOwner,
  readProperties,
  type StoredProperties,
} from '../../table/chat/stored-properties.ts'
import type { Tail } from '../../table/chat/thread-log.ts'
import { type CustomerItem, requireNotBanned } from '../../table/customers.ts'
import { type Attempt, commitAll, type ConditionalWrite } from '../../table/optimistic-write.ts'
import { type AnySession, isCustomers, userIdOf } from '../../table/sockets.ts'
import { adjustLoads } from '../agent-load.ts'
import { checkLimits, merged } from '../change-properties.ts'
import { mergeOp, routingProperties } from '../routing-properties.ts'
import type { RoutingState } from '../routing-state.ts'
import { agentJoined } from '../system-messages.ts'
import { eventsOf, memberOf, type NewChat, type Started, type Starting } from './new-chat.ts'

/** A customer's chat as it is, whatever there is of it yet. */
export interface StartView {
  me: AnySession
  customer: CustomerItem | undefined
  chat: Chat | undefined
  tail: Tail | undefined
  held: StoredProperties
  /** The active thread's properties, read anew where they are to change; absent of the first read. */
  heldOfThread?: StoredProperties | undefined
  desk: RoutingState | undefined
  /** Properties of the scopes that are asked for. */
  groupsExist: boolean
}

export const withMembers = (users: readonly ChatUser[], members: readonly ChatUser[]): ChatUser[] => {
  const isIn = (user: ChatUser) =>
    users.some(({ id, type, present }) => present && id === user.id && type === user.type)
  const added = members.filter((member) => !isIn(member))
  const isAdded = (user: ChatUser) =>
    added.some(({ id, type }) => id === user.id && (type === 'customer') === (user.type === 'customer'))
  const all = [...users.filter((user) => !isAdded(user)), ...added]
  if (all.filter(({ present }) => present).length > limits.presentUsers)
    throw new ProtocolError('validation', {
      details: [{ path: 'payload.chat', message: `At most ${limits.presentUsers} users can be in a chat` }],
    })
  return all
}

export const membersOf = (me: AnySession, customer: string): ChatUser[] => [
  { id: customer, type: 'customer', present: true },
  ...(isCustomers(me) ? [] : [memberOf(me)]),
]

/** Of the events asked for: those that are there already, ascending, and those that are to be added. */
const splitSent = (me: AnySession, tail: Tail, events: NewChat['events']) => {
  const sent = ({ custom_id }: NewChat['events'][number]) =>
    custom_id === undefined
      ? undefined
      : tail.entries.find(({ event }) => event.custom_id === custom_id && event.author_id === userIdOf(me))
  const replayed = events.flatMap((event) => sent(event) ?? []).toSorted((a, b) => a.m - b.m)
  return {
    replayed,
    fresh: eventsOf(
      me,
      events.filter((event) => sent(event) === undefined),
    ),
  }
}

/** Adds what a request asks for to an active thread: scopes are left as they are. */
export const add = async (
  ctx: Starting,
  view: StartView & { chat: Chat; tail: Tail },
  asked: NewChat & { customer: string },
): Promise<Attempt<Started>> => {
  const { me, chat: before, tail, held } = view
  const { nonce } = ctx
  const at = ctx.now()
  const joins = !isCustomers(me) && roleOf(me.agent_id, before) !== 'agent'
  const { waiting_since: waited, ...rest } = before
  const members = withMembers(before.users, membersOf(me, asked.customer))
  const users = withArrivals(joins && waited !== undefined ? newlyHad(members) : members, at)
  const changed = !sameUsers(users, before.users)
  const still = joins || waited === undefined ? {} : { waiting_since: waited }
  const chat: Chat = changed
    ? { ...rest, ...still, users, version: before.version + 1, changed_at: at, nonce }
    : before

  const { replayed, fresh } = splitSent(me, tail, asked.events)
  const joined = !isCustomers(me) && joins ? [agentJoined(me.name, false)] : []
  const by = { nonce, version: chat.version, at, byCustomer: isCustomers(me) }
  const entries = nextEntries(tail, [...joined, ...fresh], by)

  const routing = routingProperties({
    ...(joins && waited !== undefined ? { unassigned: false } : {}),
    ...(tail.last.idle === true && fresh.some(endsIdle) ? { idle: false } : {}),
  })
  const userIds = changed ? users.filter(({ present }) => present).map(({ id }) => id) : []
  const onChat = mergeOp({ chat: chat.id }, held, checked(held, asked.properties, routing), { nonce })
  const thread: PropertiesOwner = { chat: chat.id, n: chat.thread }
  const concerned = asked.threadProperties !== undefined || Object.keys(routing).length > 0
  const ofThread = concerned ? await readProperties(ctx.read, thread) : undefined
  const onThread =
    ofThread &&
    mergeOp(thread, ofThread, checked(ofThread, asked.threadProperties, routing), { nonce, userIds })
  const changes: ConditionalWrite<ThreadFamily>[] = [
    ...(changed ? adjustLoads(before, chat, { coming: [userIdOf(me)], onConditionFailed: 'auth' }) : []),
    ...[
      ...(changed ? [putChat(chat), updateActiveChat(chat)] : []),
      ...(onChat === undefined ? [] : [onChat.op]),
      ...(onThread === undefined
        ? userIds.length > 0
          ? [setHeadUsers(chat.id, chat.thread, userIds)]
          : []
        : [onThread.op]),
      ...entries.map((entry) => putEntry(chat.id, entry)),
    ].map((op) => ({ op })),
  ]
  // a ban that came first closed the thread, but that alone does not keep properties from changing
  const { license_id } = before
  const free: ConditionalWrite<'customer'>[] = isCustomers(me)
    ? [{ op: requireNotBanned(license_id, me.customer_id, at), onConditionFailed: 'customer_banned' }]
    : []
  const placed = changes.length === 0 || commitAll(ctx.write, [...free, ...changes], nonce)
  const told = { chat: onChat?.told, thread: onThread?.told }
  const events = [...tail.entries.toReversed(), ...entries]
  return { result: { outcome: 'appended', before, chat, entries, events, replayed, told }, committed: placed }
}

/** A change of properties with the server's own; throws `validation` where it makes them too large. */
const checked = (held: StoredProperties, asked: Properties | undefined, own: Properties): Properties => {
  if (asked !== undefined) checkLimits(merged(held.properties, asked))
  return { ...asked, ...own }
}
