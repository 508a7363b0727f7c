import { randomBytes } from 'node:crypto'
import { ProtocolError } from '../protocol/errors.ts'
import type { NewCustomerEvent, NewInitialEvent } from '../protocol/events.ts'
import { limits } from '../protocol/limits.ts'
import type { Properties } from '../protocol/properties.ts'
import {
  updateActiveChat,
  type Chat,
  putChat,
  type ChatScopes,
  type ChatUser,
  newlyHad,
  readChat,
  sameUsers,
  withArrivals,
} from '../table/chats.ts'
import { requireNotBanned, type CustomerItem, isBanned, isErased, readCustomer } from '../table/customers.ts'
import { customerChatId } from '../table/keys.ts'
import {
  endsIdle,
  type Entry,
  putEntry,
  type Head,
  setHeadUsers,
  nextEntries,
  readTail,
  storedEvent,
  type Tail,
} from '../table/thread-log.ts'
import type { Reader, Writer } from '../table/ops.ts'
import {
  parseProperties,
  type StoredProperties,
  type PropertiesOwner,
  readProperties,
} from '../table/stored-properties.ts'
import { type AnySession, isCustomers, userIdOf, type Visitor } from '../table/sockets.ts'
import { hasAccess, roleOf } from '../access/permissions.ts'
import { adjustLoads } from './agent-load.ts'
import { requireLicense, type ThreadStartFamily, type ThreadStartReads, openThread } from './open-thread.ts'
import {
  type Attempt,
  isConsistentSnapshot,
  type ConditionalWrite,
  wasWrittenBy,
  commitAll,
  retryUntilCommitted,
} from '../table/optimistic-write.ts'
import { checkLimits, merged } from './change-properties.ts'
import { mergeOp, routingProperties, type AnnouncedRouting } from './routing-properties.ts'
import { type RoutingState, readRoutingState } from './assign-agent.ts'
import { groupsExist, scopeChecks } from './scopes.ts'
import { agentJoined } from './system-messages.ts'

export interface NewChat {
  events: readonly (NewInitialEvent | NewCustomerEvent)[]
  scopes: ChatScopes
  properties: Properties | undefined
  threadProperties: Properties | undefined
  /** Whose chat it is: of an agent's own one nobody's. */
  customer?: string | undefined
  /** What an agent without access to the customer's chat is told. */
  denied?: string
  /** Rejects where it may not be started at all; awaited beside the first reads. */
  allowed?: Promise<void>
}

interface Starting {
  me: AnySession
  read: Reader<ThreadStartReads>
  write: Writer<ThreadStartFamily>
  nonce: string
  now: () => number
  refresh: () => Promise<{ me: AnySession }>
  pause: (tries: number) => Promise<void>
  visitor?: Visitor
}

/** What became of it: `appended` to a thread that was active already. */
export interface Started {
  outcome: 'started' | 'appended'
  /** The chat as it was, where there was one. */
  before: Chat | undefined
  chat: Chat
  head?: Head | undefined
  /** What was added, ascending. */
  entries: readonly Entry[]
  /** What its thread ends with, ascending. */
  events: readonly Entry[]
  /** What was asked to be added and is there already, ascending. */
  replayed?: readonly Entry[]
  told: AnnouncedRouting
}

interface OwnStartView {
  me: AnySession
  /** The chat to be started, where it is there already. */
  chat?: Chat | undefined
}

/**
 * What holds for the agents that a new chat's scopes name, beside who starts it; its groups are read before.
 */
const agentChecks = (
  read: Reader,
  me: AnySession,
  { agents }: ChatScopes,
): Promise<ConditionalWrite<'account'>[]> => {
  const others = isCustomers(me) ? agents : agents.filter((id) => id !== me.agent_id)
  return scopeChecks(read, me.license_id, { groups: [], agents: others })
}

/**
 * Starts an agent's own chat: everything of it in one transaction, which also holds that its scopes name
 * agents who may work.
 */
const startOwnChat = async (ctx: Starting, asked: NewChat): Promise<Started> => {
  const id = newChatId()
  const { license_id } = ctx.me
  if (!(await groupsExist(ctx.read, ctx.me, asked.scopes))) throw new ProtocolError('not_found')
  const refresh = async () => {
    const [{ me }, chat] = await Promise.all([ctx.refresh(), readChat(ctx.read, id)])
    return { me, chat }
  }
  return retryUntilCommitted<Started, OwnStartView>({ ...ctx, refresh }, ctx, {
    // nobody else makes a chat of this id
    isOwn: ({ chat }) => chat !== undefined,
    attempt: async ({ me }) => {
      const opened = openThread(
        {
          me,
          before: { id, license_id },
          tail: undefined,
          held: undefined,
          desk: undefined,
          users: [memberOf(me)],
          scopes: asked.scopes,
          events: eventsOf(me, asked.events),
          properties: asked.properties,
          threadProperties: asked.threadProperties,
        },
        { nonce: ctx.nonce, at: ctx.now() },
      )
      const writes = [...(await agentChecks(ctx.read, me, asked.scopes)), ...opened.writes]
      const placed = commitAll(ctx.write, writes, ctx.nonce)
      const { chat, head, entries } = opened
      const started = { outcome: 'started' as const, before: undefined, events: entries, told: {} }
      return { result: { ...started, chat, head, entries }, committed: placed }
    },
  })
}

const memberOf = (me: AnySession): ChatUser =>
  isCustomers(me)
    ? { id: me.customer_id, type: 'customer', present: true }
    : { id: me.agent_id, type: 'agent', present: true, met: true }

const eventsOf = (me: AnySession, events: NewChat['events']) =>
  events.map((event) => {
    const asked = 'recipients' in event ? event.recipients : undefined
    return storedEvent(event, userIdOf(me), asked ?? 'all')
  })

/** A customer's chat as it is, whatever there is of it yet. */
interface StartView {
  me: AnySession
  customer: CustomerItem | undefined
  chat: Chat | undefined
  tail: Tail | undefined
  held: StoredProperties
  /** The active thread's properties, read anew where they are to change; absent of the first read. */
  heldOfThread?: StoredProperties | undefined
  desk: RoutingState | undefined
  /** Those of the scopes that are asked for. */
  groupsExist: boolean
}

/**
 * Starts a chat, or a customer's next thread; to a customer's thread that is active it adds. Whoever asks is
 * in the chat then. Throws `customer_banned`, `not_found` for an unknown customer and for scopes that name
 * nobody, `authorization`.
 */
export const startChat = async (ctx: Starting, asked: NewChat): Promise<Started> => {
  const { customer } = asked
  if (customer === undefined) return startOwnChat(ctx, asked)
  const read = (me: AnySession, strong: boolean) =>
    readStart(ctx.read, me, { ...asked, customer }, { strong })
  const refresh = async (): Promise<StartView> => {
    const view = await read((await ctx.refresh()).me, true)
    if (view.chat?.active !== true || asked.threadProperties === undefined) return view
    const { id, thread: n } = view.chat
    return { ...view, heldOfThread: await readProperties(ctx.read, { chat: id, n }) }
  }
  const [first] = await Promise.all([read(ctx.me, false), asked.allowed])
  return retryUntilCommitted<Started, StartView>({ ...ctx, refresh }, first, {
    isOwn: ({ chat, tail, held, heldOfThread }) =>
      held.by === ctx.nonce ||
      heldOfThread?.by === ctx.nonce ||
      (chat !== undefined && tail !== undefined && wasWrittenBy({ chat, tail }, ctx.nonce)),
    attempt: (view) => attempt(ctx, view, { ...asked, customer }),
  })
}

const attempt = async (
  ctx: Starting,
  view: StartView,
  asked: NewChat & { customer: string },
): Promise<Attempt<Started> | undefined> => {
  const { me, customer, chat, tail } = view
  if ((customer === undefined || isErased(customer)) && !isCustomers(me)) throw new ProtocolError('not_found')
  if (customer !== undefined && isBanned(customer, ctx.now())) throw new ProtocolError('customer_banned')
  if (chat === undefined || tail === undefined) return chat === undefined ? open(ctx, view, asked) : undefined
  if (!isConsistentSnapshot({ chat, tail })) return undefined
  if (!isCustomers(me) && !hasAccess(me, chat))
    throw new ProtocolError('authorization', { message: asked.denied })
  return chat.active ? add(ctx, { ...view, chat, tail }, asked) : open(ctx, view, asked)
}

const withMembers = (users: readonly ChatUser[], members: readonly ChatUser[]): ChatUser[] => {
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

const membersOf = (me: AnySession, customer: string): ChatUser[] => [
  { id: customer, type: 'customer', present: true },
  ...(isCustomers(me) ? [] : [memberOf(me)]),
]

const isEmpty = ({ groups, agents }: ChatScopes): boolean => groups.length + agents.length === 0

/** The customer's chat with its first thread, or with another one. */
const open = async (
  ctx: Starting,
  view: StartView,
  asked: NewChat & { customer: string },
): Promise<Attempt<Started>> => {
  const { me, chat: before, tail, desk } = view
  const { license_id } = me
  if (isCustomers(me)) requireLicense(desk)
  const scopes = before !== undefined && isEmpty(asked.scopes) ? before.scopes : asked.scopes
  const opened = openThread(
    {
      me,
      before: before ?? { id: customerChatId(license_id, asked.customer), license_id },
      tail,
      users: withMembers(before?.users ?? [], membersOf(me, asked.customer)),
      scopes,
      events: eventsOf(me, asked.events),
      properties: asked.properties,
      threadProperties: asked.threadProperties,
      held: view.held,
      desk,
      visit:
        view.customer === undefined && ctx.visitor !== undefined
          ? { started_timestamp: Math.floor(ctx.now() / 1000), pages: [], ...addressOf(ctx.visitor) }
          : undefined,
    },
    { nonce: ctx.nonce, at: ctx.now() },
  )
  if (!view.groupsExist) throw new ProtocolError('not_found')
  const checks = await agentChecks(ctx.read, me, asked.scopes)
  const writes = [...checks, ...opened.writes]
  const placed = commitAll(ctx.write, writes, ctx.nonce)
  const { chat, head, entries, told } = opened
  return {
    result: { outcome: 'started', before, chat, head, entries, events: entries, told },
    committed: placed,
  }
}

const addressOf = ({ ip, user_agent }: Visitor) => ({
  ip,
  ...(user_agent === undefined ? {} : { user_agent }),
})

/** What is asked for, added to a thread that is active: scopes are left as they are. */
const add = async (
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

  const sent = ({ custom_id }: NewChat['events'][number]) =>
    custom_id === undefined
      ? undefined
      : tail.entries.find(({ event }) => event.custom_id === custom_id && event.author_id === userIdOf(me))
  const replayed = asked.events.flatMap((event) => sent(event) ?? []).toSorted((a, b) => a.m - b.m)
  const fresh = eventsOf(
    me,
    asked.events.filter((event) => sent(event) === undefined),
  )
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
  const changes: ConditionalWrite<'chat' | 'activeChats' | 'loads'>[] = [
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

/** All that is known of the customer's chat, in one round; the desk only where routing may be due. */
const readStart = async (
  read: Reader<ThreadStartReads>,
  me: AnySession,
  asked: Pick<NewChat, 'scopes'> & { customer: string },
  { strong }: { strong: boolean },
): Promise<StartView> => {
  const id = customerChatId(me.license_id, asked.customer)
  const [customer, chat, tail, held, desk, exist] = await Promise.all([
    readCustomer(read, me.license_id, asked.customer),
    readChat(read, id),
    readTail(read, id, true),
    readProperties(read, { chat: id }),
    isCustomers(me) ? readRoutingState(read, me.license_id, { strong }) : undefined,
    groupsExist(read, me, asked.scopes),
  ])
  return { me, customer, chat, tail, held: held ?? parseProperties(undefined), desk, groupsExist: exist }
}

/** Random, of the characters that ids of threads and events are built with. */
const newChatId = (): string =>
  BigInt(`0x${randomBytes(13).toString('hex')}`)
    .toString(36)
    .padStart(21, '0')
