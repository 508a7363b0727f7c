import { withFormerAccess } from '../../access/former-access.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import type { Properties, PropertiesChange } from '../../protocol/properties.ts'
import { requireAgentActive } from '../../table/accounts.ts'
import {
  type ChatUser,
  noneOverdue,
  sameUsers,
  withArrivals,
  customerOf,
} from '../../table/chat/chat-users.ts'
import {
  type Chat,
  type ChatScopes,
  listActiveChat,
  putChat,
  putChatListing,
  putNewChat,
} from '../../table/chat/chats.ts'
import { newHead, nextEntries, putEntry, putHead } from '../../table/chat/log-entries.ts'
import { parseProperties, readProperties, type StoredProperties } from '../../table/chat/stored-properties.ts'
import type { Entry, Head, StoredEvent, Tail } from '../../table/chat/thread-log.ts'
import { setThreadOfCustomer, type Visit } from '../../table/customers.ts'
import type { Common } from '../../table/families.ts'
import type { Reader } from '../../table/ops.ts'
import type { ConditionalWrite } from '../../table/optimistic-write.ts'
import { type AnySession, isCustomers } from '../../table/sockets.ts'
import { adjustLoads, takesOn } from '../agent-load.ts'
import { assignAtStart, type Assignment, keepAssignment, type Routable } from '../choose-agent.ts'
import { type AnnouncedProperties, checkLimits, merged } from '../change-properties.ts'
import { existingScopes } from '../deleted-names.ts'
import { mergeOp, type RoutingChange, routingProperties } from '../routing-properties.ts'
import { onlineAgents, readRoutingState, type RoutingState } from '../routing-state.ts'

// How a thread starts: a chat's first one and every later one, by an agent or by a customer.

/** The items read before the start of a thread. */
export type ThreadStartReads = Common | 'loads'

/** What a thread's start is decided by, beside the chat itself. */
export interface ThreadStartInputs {
  /** The chat's properties as they are; undefined where nothing of them can change. */
  held: StoredProperties | undefined
  /** Undefined where an agent starts the thread, who is there for it. */
  desk: RoutingState | undefined
}

/** Reads, in one round, what the start of a thread in a chat needs: of an agent's own chats nothing. */
export const readThreadStartInputs = async (
  read: Reader<ThreadStartReads>,
  { me, chat, tail }: { me: AnySession; chat: Chat; tail: Tail | undefined },
  { strong }: { strong: boolean },
): Promise<ThreadStartInputs> => {
  const byCustomer = isCustomers(me)
  const routed = byCustomer || chat.waiting_since !== undefined || tail?.last.idle === true
  const [held, desk] = await Promise.all([
    routed ? readProperties(read, { chat: chat.id }) : undefined,
    byCustomer ? readRoutingState(read, me.license_id, { strong }) : undefined,
  ])
  if (byCustomer) requireActiveLicense(desk)
  return { held, desk }
}

/** A customer's session may be older than the end of its license: nothing starts after that. */
export const requireActiveLicense = (desk: RoutingState | undefined): void => {
  if (desk === undefined || desk.license.expires_at * 1000 <= Date.now())
    throw new ProtocolError('license_expired')
}

/** A thread to be started. */
export interface ThreadStart extends ThreadStartInputs {
  me: AnySession
  /** The chat as it was read; without a version it is a new one. */
  before: Pick<Chat, 'id' | 'license_id'> & Partial<Chat>
  tail: Tail | undefined
  /** Who is in the chat, the starter included. */
  users: readonly ChatUser[]
  scopes: ChatScopes
  events: readonly StoredEvent[]
  properties?: PropertiesChange | undefined
  threadProperties?: Properties | undefined
  /** Of a customer that is not stored yet. */
  visit?: Visit | undefined
}

/** What the start of a thread writes or checks. */
export type ThreadStartFamily = 'account' | 'customer' | 'chat' | 'chats' | 'activeChats' | 'loads'

/** The chat with its new thread, and the writes that make it so. */
export interface OpenedThread {
  chat: Chat
  head: Head
  entries: Entry[]
  /** What changed of a chat's properties that was there before. */
  told: { chat?: AnnouncedProperties | undefined }
  writes: ConditionalWrite<ThreadStartFamily>[]
}

export const openThread = (
  opening: ThreadStart,
  { nonce, at: now }: { nonce: string; at: number },
): OpenedThread => {
  const { me, before, tail, users, desk, held } = opening
  const scopes = desk === undefined ? opening.scopes : existingScopes(opening.scopes, desk)
  const { id, license_id, waiting_since: waited } = before
  const at = Math.max(now, tail?.last.at ?? 0)
  const customer = customerOf({ users })
  const n = (before.thread ?? 0) + 1
  const asked = {
    license_id,
    users: noneOverdue(users),
    scopes,
    thread: n,
    ...(waited === undefined ? {} : { waiting_since: waited }),
  }
  const staffing = assignmentOf(asked, customer, desk, at)
  const version = (before.version ?? 0) + 1
  const chat = chatWith(before, staffing, { scopes, version, thread: n, at, nonce })

  // an agent who starts a thread is there for its customer
  const unassigned = desk === undefined && waited !== undefined ? false : staffing.routing.unassigned
  const routing: RoutingChange = {
    ...(unassigned === undefined ? {} : { unassigned }),
    ...(tail?.last.idle === true ? { idle: false } : {}),
  }
  const change: PropertiesChange = { ...opening.properties, ...routingProperties(routing) }
  if (opening.properties !== undefined) checkLimits(merged(held?.properties ?? {}, opening.properties))
  const properties = mergeOp({ chat: id }, held ?? parseProperties(undefined), change, { nonce })
  const own = unassigned === undefined ? {} : routingProperties({ unassigned })
  const threadProperties = { ...opening.threadProperties, ...own }

  const head = newHead({
    n,
    nonce,
    version,
    at,
    userIds: chat.users.filter(({ present }) => present).map((user) => user.id),
    properties: Object.keys(threadProperties).length > 0 ? threadProperties : undefined,
    last: tail?.last,
  })
  const entries = nextEntries({ n, m: 0, last: head }, [...opening.events, ...staffing.messages], {
    nonce,
    version,
    at,
    byCustomer: isCustomers(me),
  })
  const isNew = before.version === undefined
  const was = isNew ? undefined : { users: before.users ?? [], active: before.active ?? false }
  const writes: ConditionalWrite<ThreadStartFamily>[] = [
    ...(customer === undefined ? [] : [threadOfCustomer(license_id, customer.id, opening.visit, now)]),
    ...staffing.guards,
    { op: isNew ? putNewChat(chat) : putChat(chat) },
    { op: putHead(id, head) },
    ...entries.map((entry) => ({ op: putEntry(id, entry) })),
    { op: listActiveChat(chat) },
    ...(isNew ? [{ op: putChatListing(chat) }] : []),
    ...(properties === undefined ? [] : [{ op: properties.op }]),
    ...startedBy(me, was, chat, staffing.assigned, desk),
  ]
  return { chat, head, entries, told: isNew ? {} : { chat: properties?.told }, writes }
}

/** The chat with its next thread. */
const chatWith = (
  before: ThreadStart['before'],
  { users, waitingSince }: Pick<Assignment, 'users' | 'waitingSince'>,
  { at, ...own }: Pick<Chat, 'scopes' | 'version' | 'thread' | 'nonce'> & { at: number },
): Chat => {
  const chat: Chat = {
    id: before.id,
    license_id: before.license_id,
    users: withArrivals(users, at),
    active: true,
    changed_at: sameUsers(before.users ?? [], users) ? (before.changed_at ?? at) : at,
    started_at: at,
    ...(waitingSince === undefined ? {} : { waiting_since: waitingSince }),
    ...(before.followers === undefined ? {} : { followers: before.followers }),
    ...(before.formerly === undefined ? {} : { formerly: before.formerly }),
    ...own,
  }
  return withFormerAccess(before, chat, at)
}

/** Notes the thread on its customer, who must not be banned. */
const threadOfCustomer = (
  license: string,
  customer: string,
  visit: ThreadStart['visit'],
  nowMs: number,
): ConditionalWrite<'customer'> => ({
  op: setThreadOfCustomer(license, customer, { nowMs, visit }),
  // one that is to be stored just now has lost a race where it is there
  ...(visit === undefined ? { onConditionFailed: 'customer_banned' } : {}),
})

/** What becomes of the thread's agents: routing decides only where a customer starts it. */
const assignmentOf = (
  chat: Routable,
  customer: ChatUser | undefined,
  desk: RoutingState | undefined,
  at: number,
): Assignment =>
  customer === undefined || desk === undefined
    ? { ...keepAssignment(chat), waitingSince: undefined }
    : assignAtStart(chat, desk, at)

/**
 * The loads of the thread's agents; the starter must be able to work: one who is suspended at the moment
 * would be missed where active chats are left.
 */
const startedBy = (
  me: AnySession,
  was: Pick<Chat, 'users' | 'active'> | undefined,
  chat: Chat,
  assigned: string | undefined,
  desk: RoutingState | undefined,
): ConditionalWrite<'account' | 'loads'>[] => {
  // who attends the chat must still be able to: one who is suspended at the moment would be left in it
  const coming = desk === undefined ? [] : onlineAgents(chat, desk).map(({ id }) => id)
  if (isCustomers(me)) return adjustLoads(was, chat, { assigned, coming })
  const { license_id, agent_id } = me
  const held = takesOn(agent_id, was, chat)
  return [
    ...adjustLoads(was, chat, { coming: [agent_id], onConditionFailed: 'auth' }),
    ...(held ? [] : [{ op: requireAgentActive(license_id, agent_id), onConditionFailed: 'auth' as const }]),
  ]
}
