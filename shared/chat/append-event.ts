import type { Family } from '../protocol/action.ts'
import { InternalError, ProtocolError } from '../protocol/errors.ts'
import type { NewCustomerEvent, NewEvent, Recipients } from '../protocol/events.ts'
import { threadId, threadOf } from '../table/keys.ts'
import {
  updateActiveChat,
  type Chat,
  putChat,
  unlistActiveChat,
  requireChatUnchanged,
  type ChatUser,
  withArrivals,
} from '../table/chats.ts'
import { requireNotBanned } from '../table/customers.ts'
import {
  endsIdle,
  type Entry,
  putEntry,
  type Head,
  nextEntries,
  nextEntry,
  storedEvent,
} from '../table/thread-log.ts'
import type { StoredEvent, Tail } from '../table/thread-log.ts'
import type { Op, Reader, Writer } from '../table/ops.ts'
import { isCustomers, userIdOf } from '../table/sockets.ts'
import { roleOf } from '../access/permissions.ts'
import { adjustLoads } from './agent-load.ts'
import {
  openThread,
  type ThreadStartFamily,
  type ThreadStartReads,
  readThreadStartInputs,
} from './open-thread.ts'
import {
  type Attempt,
  type ChatSnapshot,
  type ConditionalWrite,
  type LogUpdate,
  commitAll,
  updateLog,
  type RequestSnapshot,
  commitOne,
} from '../table/optimistic-write.ts'
import { readRouting, type RoutingChange, routingOps, type AnnouncedRouting } from './routing-properties.ts'
import { manualArchived } from './system-messages.ts'

export type ThreadWrites<F extends Family, V extends ChatSnapshot = RequestSnapshot> = LogUpdate<V> & {
  read: Reader
  write: Writer<F>
  /** Now, in ms. */
  now: () => number
}

/** Starting threads: `admitThread` counts one for its user, and throws `too_many_requests`. */
export interface ThreadStarting {
  admitThread: () => Promise<void>
}
/** What any change of a thread or of its users writes. */
export type ThreadFamily = 'chat' | 'activeChats' | 'loads'

/** Who may read an event: a supervisor's is for agents only, and it may not ask for more (protocol §4). */
const recipientsOf = (
  { me, chat }: RequestSnapshot,
  event: NewEvent | NewCustomerEvent,
  denied: string,
): Recipients => {
  if (isCustomers(me)) return 'all'
  const asked = 'recipients' in event ? event.recipients : undefined
  if (roleOf(me.agent_id, chat) !== 'supervisor') return asked ?? 'all'
  if (asked === 'all') throw new ProtocolError('authorization', { message: denied })
  return 'agents'
}

const presentIds = (users: readonly ChatUser[]): string[] =>
  users.filter(({ present }) => present).map(({ id }) => id)

export interface Appended {
  /** `replayed`: it was there already, by the same author under the same `custom_id`. */
  outcome: 'appended' | 'started' | 'replayed'
  /** The chat as it was, and as it then is. */
  before: Chat
  chat: Chat
  entry: Entry
  /** The thread that this event started. */
  head?: Head
  /** What the thread ends with, ascending. */
  events: readonly Entry[]
  /** What became of `routing`. */
  told?: AnnouncedRouting
}

/** What adding an event takes, which may start a thread. */
export type Appending = ThreadWrites<ThreadStartFamily> & { read: Reader<ThreadStartReads> }

/**
 * Adds an event to the chat, starting a thread where none is active; annotations go to the last thread as it
 * is.
 */
export const appendEvent = (
  ctx: Appending & ThreadStarting & { prefetchAudience: (chat: Chat) => void },
  event: NewEvent | NewCustomerEvent,
  denied: string,
): Promise<Appended> =>
  updateLog(ctx, async (view, tries): Promise<Attempt<Appended>> => {
    const { me, chat, tail } = view
    const { nonce } = ctx
    const author = userIdOf(me)
    const stored = storedEvent(event, author, recipientsOf(view, event, denied))
    const sent = tail.entries.find(
      (entry) =>
        stored.custom_id !== undefined &&
        entry.event.custom_id === stored.custom_id &&
        entry.event.author_id === author,
    )
    if (sent !== undefined)
      return {
        committed: true,
        result: {
          outcome: 'replayed',
          before: chat,
          chat,
          entry: sent,
          events: tail.entries.toReversed(),
        },
      }

    if (!chat.active && event.type !== 'annotation') return startThread(ctx, view, stored, tries)
    const by = { nonce, version: chat.version, at: ctx.now(), byCustomer: isCustomers(me) }
    const entry = nextEntry(tail, stored, by)
    const result: Appended = { outcome: 'appended', before: chat, chat, entry, events: [entry] }
    if (chat.active && tail.last.idle === true && endsIdle(stored)) {
      const held = await readRouting(ctx.read, chat)
      const { ops, told } = routingOps(chat, held, { idle: false }, { nonce, userIds: [] })
      const all = [putEntry(chat.id, entry), ...ops].map((op) => ({ op }))
      return { result: { ...result, told }, committed: commitAll(ctx.write, all, nonce) }
    }
    if (chat.active) {
      // beside the put, and who logs in at this very moment is told by `later`; after it where many write at
      // once
      if (tries === 1) ctx.prefetchAudience(chat)
      const put = commitOne(ctx.write, putEntry(chat.id, entry), nonce)
      const read = (placed: boolean) => {
        if (placed) ctx.prefetchAudience(chat)
        return placed
      }
      return { result, committed: tries === 1 ? put : put.then(read) }
    }
    const all: ConditionalWrite<'chat' | 'customer'>[] = [
      { op: requireChatUnchanged(chat) },
      { op: putEntry(chat.id, entry) },
    ]
    if (isCustomers(me))
      all.push({
        op: requireNotBanned(me.license_id, author, ctx.now()),
        onConditionFailed: 'authorization',
        message: denied,
      })
    return { result, committed: commitAll(ctx.write, all, nonce) }
  })

const startThread = async (
  ctx: Appending & ThreadStarting,
  view: RequestSnapshot,
  event: StoredEvent,
  tries: number,
): Promise<Attempt<Appended>> => {
  const { me, chat: before, tail } = view
  const [ground] = await Promise.all([
    readThreadStartInputs(ctx.read, { me, chat: before, tail }, { strong: tries > 1 }),
    tries === 1 ? ctx.admitThread() : undefined,
  ])
  const opened = openThread(
    { ...ground, me, before, tail, users: before.users, scopes: before.scopes, events: [event] },
    { nonce: ctx.nonce, at: ctx.now() },
  )
  const { chat, head, entries, told } = opened
  const [entry] = entries
  if (entry === undefined) throw new InternalError('A thread was to start with an event')
  const placed = commitAll(ctx.write, opened.writes, ctx.nonce)
  return {
    result: { outcome: 'started', before, chat, entry, head, events: entries, told },
    committed: placed,
  }
}

/** A thread's closing: the chat as it then is, its last entry, and the writes that make it so. */
export interface Closing {
  chat: Chat
  entry: Entry
  /** Whoever closed it; undefined: the server. */
  by: string | undefined
  ops: Op<ThreadFamily>[]
}

/**
 * What closes the active thread, by its last entry: an event under way cannot land behind it. `message` is
 * told whether customers do not know the agent who closes it.
 */
export const planClosing = (
  { chat, tail }: ChatSnapshot,
  by: string | undefined,
  message: (forAgents: boolean) => StoredEvent,
  { nonce, at }: { nonce: string; at: number },
): Closing => {
  const closed: Chat = { ...chat, active: false, version: chat.version + 1, nonce }
  const isUnknown =
    by !== undefined && !chat.users.some(({ id, type, met }) => id === by && (met || type === 'customer'))
  const entry = nextEntry(tail, message(isUnknown), {
    nonce,
    version: closed.version,
    at,
    closes: true,
    closedBy: by,
  })
  return {
    chat: closed,
    entry,
    by,
    ops: [
      putChat(closed),
      putEntry(chat.id, entry),
      unlistActiveChat(chat),
      ...adjustLoads(chat, closed).map(({ op }) => op),
    ],
  }
}

/** Closes the active thread. Throws `chat_inactive` where there is none, or `asked` is another. */
export const closeThread = (ctx: ThreadWrites<ThreadFamily>, asked: string | undefined): Promise<Closing> =>
  updateLog(ctx, async (view) => {
    const { me, chat } = view
    const { nonce } = ctx
    if (asked !== undefined && threadOf(chat.id, asked) === undefined) throw new ProtocolError('not_found')
    if (!chat.active || (asked !== undefined && asked !== threadId(chat.id, chat.thread)))
      throw new ProtocolError('chat_inactive')
    const message = (forAgents: boolean) => manualArchived(me.name, forAgents)
    const closing = planClosing(view, userIdOf(me), message, { nonce, at: ctx.now() })
    const placed = commitAll(
      ctx.write,
      closing.ops.map((op) => ({ op })),
      nonce,
    )
    return { result: closing, committed: placed }
  })

/**
 * A change of who is in a chat, with the messages that tell of it where a thread is active. `Guarding`: the
 * families of what its guards write or check.
 */
export interface UsersChange<Guarding extends Family = never> {
  users: ChatUser[]
  messages: StoredEvent[]
  /** Held by the same transaction. */
  guards?: ConditionalWrite<Guarding>[]
  /** Merged into `routing` of chat and active thread. */
  routing?: RoutingChange
  /** Since when (ms) the chat waits for an agent; absent: as before, `null`: it does not. */
  waitingSince?: number | null | undefined
  /** Whose load `guards` move. */
  assigned?: string | undefined
  /** Who comes as an agent of an active chat, and must be able to work. */
  coming?: readonly string[] | undefined
}

/** The chat as it then is, the entries appended, and `before`, the chat as it was. */
export interface UsersChanged {
  before: Chat
  chat: Chat
  entries: Entry[]
  /** The log's end before it. */
  tail: Tail
  told: AnnouncedRouting
}

/** Changes a chat's users as `decide` says of each view; undefined from it: nothing is to change. */
export const changeUsers = <V extends ChatSnapshot, Guarding extends Family = never>(
  ctx: ThreadWrites<ThreadFamily | Guarding, V>,
  decide: (view: V) => UsersChange<Guarding> | undefined,
): Promise<UsersChanged> =>
  updateLog(ctx, async (view): Promise<Attempt<UsersChanged>> => {
    const { chat: before, tail } = view
    const change = decide(view)
    const nothing = { before, chat: before, entries: [], tail, told: {} }
    if (change === undefined) return { result: nothing, committed: true }
    const { nonce } = ctx
    const { guards = [], routing = {}, waitingSince } = change
    const at = ctx.now()
    const users = withArrivals(change.users, at)
    const { waiting_since: waited, ...rest } = before
    const since = waitingSince === undefined ? waited : (waitingSince ?? undefined)
    const chat: Chat = {
      ...rest,
      users,
      version: before.version + 1,
      changed_at: at,
      nonce,
      ...(since === undefined ? {} : { waiting_since: since }),
    }
    const entries = chat.active
      ? nextEntries(tail, change.messages, { nonce, version: chat.version, at })
      : []
    const held = Object.keys(routing).length > 0 ? await readRouting(ctx.read, before) : undefined
    const userIds = chat.active ? presentIds(users) : []
    const routed = routingOps(chat, held, routing, { nonce, userIds })
    const ops: Op<ThreadFamily>[] = [putChat(chat), ...routed.ops]
    const { assigned, coming } = change
    const loads = adjustLoads(before, chat, { assigned, coming, onConditionFailed: 'not_found' })
    if (chat.active) ops.push(updateActiveChat(chat), ...entries.map((entry) => putEntry(chat.id, entry)))
    const placed = commitAll(ctx.write, [...guards, ...loads, ...ops.map((op) => ({ op }))], nonce)
    return { result: { before, chat, entries, tail, told: routed.told }, committed: placed }
  })
