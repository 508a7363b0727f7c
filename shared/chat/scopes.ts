import { enqueueGained } from './enqueue-catch-up.ts'
import { withFollowers } from './follow.ts'
import { gaining, watchingEither } from '../access/audience.ts'
import { withFormerAccess } from '../access/former-access.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { Family } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { requireAgentActive, requireGroup } from '../table/accounts.ts'
import type { Reads } from '../table/capabilities.ts'
import { putChangedChat } from '../table/chat/changed-chats.ts'
import { type Chat, type ChatScopes, putChat, updateActiveChat } from '../table/chat/chats.ts'
import type { Tail } from '../table/chat/thread-log.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import {
  type Attempt,
  type ChatSnapshot,
  commitAll,
  type ConditionalWrite,
  updateLog,
} from '../table/optimistic-write.ts'
import { type AnySession, isCustomers } from '../table/sockets.ts'
import { withSuccessors } from './deleted-names.ts'
import { enqueueRouting } from './enqueue-routing.ts'
import type { ThreadWrites } from './thread-writes.ts'
import { showChat } from './view/chat-view.ts'
import { scopesOf } from './view/wire-objects.ts'

/** Scopes as a request gives them. */
interface AskedScopes {
  groups?: number[] | undefined
  agents?: string[] | undefined
}

export const filledScopes = ({ groups = [], agents = [] }: AskedScopes = {}): ChatScopes => ({
  groups,
  agents,
})

export const without = (some: ChatScopes, others: ChatScopes): ChatScopes => ({
  groups: some.groups.filter((group) => !others.groups.includes(group)),
  agents: some.agents.filter((agent) => !others.agents.includes(agent)),
})

const union = (some: ChatScopes, others: ChatScopes): ChatScopes => ({
  groups: [...some.groups, ...without(others, some).groups],
  agents: [...some.agents, ...without(others, some).agents],
})

const isEmpty = ({ groups, agents }: ChatScopes): boolean => groups.length + agents.length === 0

// a transaction takes 100 ops: with 20 events and 10 items of the chat itself, so many can be checked in it
const checksInTransaction = 60

/**
 * What a transaction checks, so that scopes name what exists and may work; more than fit into one are read
 * instead. Throws `not_found` where one of these does not.
 */
export const scopeChecks = async (
  read: Reader,
  license: string,
  scopes: ChatScopes,
): Promise<ConditionalWrite<'account'>[]> => {
  if (scopes.groups.length + scopes.agents.length > checksInTransaction) {
    await requireScopes(read, license, scopes)
    return []
  }
  return [
    ...scopes.groups.map((group) => requireGroup(license, group)),
    ...scopes.agents.map((agent) => requireAgentActive(license, agent)),
  ].map((op) => ({ op, onConditionFailed: 'not_found' as const }))
}

/**
 * Whether a new chat's scopes name groups that exist, by one read: as a condition of its transaction, one
 * group would make all starts that name it wait for each other. Groups that the requester is in are not
 * looked for.
 */
export const groupsExist = async (
  read: Reader,
  me: AnySession,
  { groups }: Pick<ChatScopes, 'groups'>,
): Promise<boolean> => {
  const others = isCustomers(me) ? groups : groups.filter((group) => !me.groups.includes(group))
  if (others.length === 0) return true
  const found = await read.batchGet(
    others.map((group) => keys.group(me.license_id, group)),
    { strong: true },
  )
  return found.length === others.length
}

/**
 * Throws `not_found` where scopes name a group or an agent that the license does not have, or who may not
 * work.
 */
export const requireScopes = async (read: Reader, license: string, scopes: ChatScopes): Promise<void> => {
  if (isEmpty(scopes)) return
  const wanted = [
    ...scopes.groups.map((group) => keys.group(license, group)),
    ...scopes.agents.map((agent) => keys.agent(license, agent)),
  ]
  const found = await read.batchGet(wanted, { strong: true })
  // a deleted agent's item stays
  const working = found.filter((item) => item['deleted'] !== true && item['suspended'] !== true)
  if (working.length < wanted.length) throw new ProtocolError('not_found')
}

/** What a change of scopes writes or checks. */
export type ScopesFamily = 'account' | 'chat' | 'activeChats' | 'changedChats'

interface ScopesChanged {
  before: Chat
  chat: Chat
  added: ChatScopes
  removed: ChatScopes
  /** The log's end beside it. */
  tail: Tail
}

/** Changes a chat's scopes: adds first, then removes. `chat` is `before` where that changes nothing. */
export const changeScopes = <V extends ChatSnapshot, Guarding extends Family = never>(
  ctx: ThreadWrites<ScopesFamily | Guarding, V>,
  add: ChatScopes,
  remove: ChatScopes,
  guard?: () => ConditionalWrite<Guarding>,
): Promise<ScopesChanged> =>
  updateLog(ctx, async ({ chat: before, tail }): Promise<Attempt<ScopesChanged>> => {
    const { license_id, scopes: held } = before
    const scopes = without(union(held, add), remove)
    const [added, removed] = [without(scopes, held), without(held, scopes)]
    // what stands there already may have been deleted since, and can be taken away all the same
    const checks = await scopeChecks(ctx.read, license_id, without(union(add, remove), held))
    const { nonce } = ctx
    const result = (chat: Chat) => ({ before, chat, added, removed, tail })
    if (isEmpty(added) && isEmpty(removed))
      return {
        result: result(before),
        committed: checks.length === 0 || commitAll(ctx.write, checks, nonce),
      }
    if (scopes.groups.length > limits.ids || scopes.agents.length > limits.ids)
      throw new ProtocolError('validation', {
        details: [
          { path: 'payload.add_scopes', message: `A chat has at most ${limits.ids} groups and agents each` },
        ],
      })
    const version = before.version + 1
    const at = ctx.now()
    const changed: Chat = { ...before, scopes, version, changed_at: at, nonce }
    const chat = await withFollowers(ctx.read, withFormerAccess(before, changed, at))
    const placed = commitAll(
      ctx.write,
      [
        ...(guard === undefined ? [] : [guard()]),
        ...checks,
        { op: putChat(chat) },
        { op: chat.active ? updateActiveChat(chat) : putChangedChat(chat, at) },
      ],
      nonce,
    )
    return { result: result(chat), committed: placed }
  })

type Telling = Pushing<'incoming_chat_thread' | 'chat_scopes_updated'> & Reads & Enqueues

/**
 * Tells of a change of scopes: first those whom it gives access the chat. A chat that waits is routed anew.
 */
export const announceScopes = async (
  ctx: Telling,
  { before, chat, added, removed, tail }: ScopesChanged,
): Promise<void> => {
  ctx.prefetchAudience(watchingEither(before, chat), 'chat_scopes_updated')
  const { shown } = await showChat(ctx.read, { chat, events: tail.entries.toReversed() })
  ctx.push(gaining(before, chat), 'incoming_chat_thread', { chat: shown })
  ctx.push(watchingEither(before, chat), 'chat_scopes_updated', {
    chat_id: chat.id,
    scopes_added: scopesOf(added) ?? {},
    scopes_removed: scopesOf(removed) ?? {},
  })
  const isOpened = chat.scopes.groups.length + chat.scopes.agents.length === 0
  if (isOpened || added.groups.length + added.agents.length > 0)
    await enqueueGained(ctx, before, { id: chat.id, thread: tail.n, order: tail.m, version: chat.version })
  if (chat.active && chat.waiting_since !== undefined) await enqueueRouting(ctx, chat.license_id, chat.id)
}

/** Changes a chat's scopes, and tells. `guard`: what must hold with each attempt. */
export const updateScopes = async <Guarding extends Family = never>(
  ctx: ThreadWrites<ScopesFamily | Guarding> & Telling,
  add: AskedScopes | undefined,
  remove: AskedScopes | undefined,
  guard?: () => ConditionalWrite<Guarding>,
): Promise<void> => {
  const changed = await withSuccessors(ctx, [filledScopes(add), filledScopes(remove)], (added, removed) =>
    changeScopes(ctx, added ?? filledScopes(), removed ?? filledScopes(), guard),
  )
  if (changed.chat !== changed.before) await announceScopes(ctx, changed)
}
