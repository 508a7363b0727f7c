import { withFollowers } from './follow.ts'
import { withFormerAccess } from '../access/former-access.ts'
import type { Family } from '../protocol/action.ts'
import { type ChatUser, withArrivals } from '../table/chat/chat-users.ts'
import { putChangedChat } from '../table/chat/changed-chats.ts'
import { type Chat, type ChatScopes, putChat, type Transfer, updateActiveChat } from '../table/chat/chats.ts'
import { nextEntries, putEntry } from '../table/chat/log-entries.ts'
import type { StoredEvent, Tail } from '../table/chat/thread-log.ts'
import type { Entry } from '../table/chat/thread-log.ts'
import type { Op } from '../table/ops.ts'
import {
  type Attempt,
  type ChatSnapshot,
  commitAll,
  type ConditionalWrite,
  updateLog,
} from '../table/optimistic-write.ts'
import { adjustLoads } from './agent-load.ts'
import {
  type AnnouncedRouting,
  readRouting,
  type RoutingChange,
  routingOps,
  type StoredRouting,
} from './routing-properties.ts'
import type { ThreadWrites, UsersFamily } from './thread-writes.ts'

const presentIds = (users: readonly ChatUser[]): string[] =>
  users.filter(({ present }) => present).map(({ id }) => id)

/**
 * A change of who is in a chat, with the messages that tell of it where a thread is active. `Guarding`: the
 * families of what its guards write or check.
 */
export interface UsersChange<Guarding extends Family = never> {
  users: ChatUser[]
  messages: StoredEvent[]
  /** Absent: as before. */
  scopes?: ChatScopes
  /** Held by the same transaction. */
  guards?: ConditionalWrite<Guarding>[]
  /** Merged into `routing` of chat and active thread. */
  routing?: RoutingChange
  /** Since when (ms) the chat waits for an agent; absent: as before, `null`: it does not. */
  waitingSince?: number | null | undefined
  /** That the chat goes to other agents, or waits for one. */
  transfer?: Omit<Transfer, 'version'> | undefined
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

/**
 * Changes a chat's users as `decide` says of each view; undefined from it: nothing is to change. `routingOf`:
 * the properties of a view that read them too.
 */
export const changeUsers = <V extends ChatSnapshot, Guarding extends Family = never>(
  ctx: ThreadWrites<UsersFamily | Guarding, V>,
  decide: (view: V) => UsersChange<Guarding> | undefined,
  routingOf: (view: V) => StoredRouting | undefined = () => undefined,
): Promise<UsersChanged> =>
  updateLog(ctx, async (view): Promise<Attempt<UsersChanged>> => {
    const { chat: before, tail } = view
    const change = decide(view)
    const nothing = { before, chat: before, entries: [], tail, told: {} }
    if (change === undefined) return { result: nothing, committed: true }
    const { nonce } = ctx
    const { guards = [], routing = {}, waitingSince, transfer } = change
    const at = ctx.now()
    const version = before.version + 1
    const users = withArrivals(change.users, at)
    const { waiting_since: waited, ...rest } = before
    const since = waitingSince === undefined ? waited : (waitingSince ?? undefined)
    const changed: Chat = {
      ...rest,
      users,
      scopes: change.scopes ?? before.scopes,
      version,
      changed_at: at,
      nonce,
      ...(transfer === undefined ? {} : { transfer: { ...transfer, version } }),
      ...(since === undefined ? {} : { waiting_since: since }),
    }
    const chat = await withFollowers(ctx.read, withFormerAccess(before, changed, at))
    const entries = chat.active
      ? nextEntries(tail, change.messages, { nonce, version: chat.version, at })
      : []
    const isRouted = Object.keys(routing).length > 0
    const held = isRouted ? (routingOf(view) ?? (await readRouting(ctx.read, before))) : undefined
    const userIds = chat.active ? presentIds(users) : []
    const routed = routingOps(chat, held, routing, { nonce, userIds })
    const ops: Op<UsersFamily>[] = [putChat(chat), ...routed.ops]
    const { assigned, coming } = change
    const loads = adjustLoads(before, chat, { assigned, coming, onConditionFailed: 'not_found' })
    if (chat.active) ops.push(updateActiveChat(chat), ...entries.map((entry) => putEntry(chat.id, entry)))
    else ops.push(putChangedChat(chat, at))
    const placed = commitAll(ctx.write, [...guards, ...loads, ...ops.map((op) => ({ op }))], nonce)
    return { result: { before, chat, entries, tail, told: routed.told }, committed: placed }
  })
