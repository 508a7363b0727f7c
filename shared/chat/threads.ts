import { ProtocolError } from '../protocol/errors.ts'
import type { NewEvent, Recipients } from '../protocol/events.ts'
import { agentActive } from '../table/accounts.ts'
import { threadId, threadOf } from '../table/keys.ts'
import {
  activeChatChanged,
  type Chat,
  chatActive,
  chatChanged,
  chatInactive,
  chatUnchanged,
  type ChatUser,
} from '../table/chats.ts'
import {
  type Entry,
  entryPut,
  type Head,
  headPut,
  headUsers,
  newHead,
  nextEntries,
  nextEntry,
  storedEvent,
} from '../table/log.ts'
import type { StoredEvent, Tail } from '../table/log.ts'
import type { Attributes, Op, Refusal, Writer } from '../table/ops.ts'
import { placeOf } from './access.ts'
import { type Attempt, type ChatView, type Placing, untilPlaced, type View } from './place.ts'
import { manualArchived } from './system-messages.ts'

export type Writing<V extends ChatView = View> = Placing<V> & {
  write: Writer
  /** Now, in ms. */
  now(): number
}

const isMine = (found: Attributes | undefined, nonce: string): boolean => found?.['nonce'] === nonce

/** Whether a transaction stands: it did not fail, or what stands in its way is its own entry. */
export const stands = (refusals: readonly Refusal[], nonce: string): boolean =>
  refusals.length === 0 || refusals.some(({ found }) => isMine(found, nonce))

/** Who may read an event: a supervisor's is for agents only, and it may not ask for more (protocol §4). */
const recipientsOf = ({ me, chat }: View, event: NewEvent, denied: string): Recipients => {
  if (placeOf(me.agent_id, chat) !== 'supervisor') return event.recipients ?? 'all'
  if (event.recipients === 'all') throw new ProtocolError('authorization', { message: denied })
  return 'agents'
}

const presentIds = (users: readonly ChatUser[]): string[] =>
  users.filter(({ present }) => present).map(({ id }) => id)

export interface Appended {
  /** `replayed`: it was there already, by the same author under the same `custom_id`. */
  outcome: 'appended' | 'started' | 'replayed'
  chat: Chat
  entry: Entry
  /** The thread that this event started. */
  head?: Head
  /** What the thread ends with, ascending. */
  events: readonly Entry[]
}

/** Adds an event to the chat, starting a thread where none is active; annotations go to the last thread as it is. */
export const appendEvent = (
  ctx: Writing & { readAudience(license: string): void },
  event: NewEvent,
  denied: string,
): Promise<Appended> =>
  untilPlaced(ctx, async (view, tries): Promise<Attempt<Appended>> => {
    const { me, chat, tail } = view
    const stored = storedEvent(event, me.agent_id, recipientsOf(view, event, denied))
    const sent = tail.entries.find(
      (entry) =>
        stored.custom_id !== undefined &&
        entry.event.custom_id === stored.custom_id &&
        entry.event.author_id === me.agent_id,
    )
    if (sent !== undefined)
      return {
        placed: true,
        result: { outcome: 'replayed', chat, entry: sent, events: tail.entries.toReversed() },
      }

    if (!chat.active && event.type !== 'annotation') return startThread(ctx, view, stored)
    const entry = nextEntry(tail, stored, { nonce: ctx.nonce, version: chat.version, at: ctx.now() })
    const result: Appended = { outcome: 'appended', chat, entry, events: [entry] }
    if (chat.active) {
      // beside the put, and who logs in at this very moment is told by `later`; after it where many write at once
      if (tries === 1) ctx.readAudience(chat.license_id)
      const outcome = await ctx.write.write(entryPut(chat.id, entry))
      const placed = outcome.done || isMine(outcome.found, ctx.nonce)
      if (placed && tries > 1) ctx.readAudience(chat.license_id)
      return { result, placed }
    }
    const refusals = await ctx.write.transact([chatUnchanged(chat), entryPut(chat.id, entry)])
    return { result, placed: stands(refusals, ctx.nonce) }
  })

const startThread = async (ctx: Writing, view: View, event: StoredEvent): Promise<Attempt<Appended>> => {
  const { nonce } = ctx
  const at = Math.max(ctx.now(), view.tail.last.at)
  const chat: Chat = {
    ...view.chat,
    version: view.chat.version + 1,
    thread: view.chat.thread + 1,
    active: true,
    started_at: at,
    nonce,
  }
  const head = newHead({ n: chat.thread, nonce, version: chat.version, at, userIds: presentIds(chat.users) })
  const entry = nextEntry({ n: chat.thread, m: 0, last: head }, event, { nonce, version: chat.version, at })
  const refusals = await ctx.write.transact([
    // one who is suspended at this moment would be missed where active chats are left
    agentActive(chat.license_id, view.me.agent_id),
    chatChanged(chat),
    headPut(chat.id, head),
    entryPut(chat.id, entry),
    chatActive(chat, at),
  ])
  if (refusals.some(({ index, reason }) => index === 0 && reason === 'condition'))
    throw new ProtocolError('auth')
  return {
    result: { outcome: 'started', chat, entry, head, events: [entry] },
    placed: stands(refusals, nonce),
  }
}

/** A thread's closing: the chat as it then is, its last entry, and the writes that make it so. */
export interface Closing {
  chat: Chat
  entry: Entry
  ops: Op[]
}

/**
 * What closes the active thread, by its last entry: an event under way cannot land behind it. `message` is told whether
 * customers do not know the agent who closes it.
 */
export const closingOf = (
  { me, chat, tail }: View,
  message: (forAgents: boolean) => StoredEvent,
  { nonce, at }: { nonce: string; at: number },
): Closing => {
  const closed: Chat = { ...chat, active: false, version: chat.version + 1, nonce }
  const isUnknown = !chat.users.some(({ id, met }) => id === me.agent_id && met === true)
  const entry = nextEntry(tail, message(isUnknown), {
    nonce,
    version: closed.version,
    at,
    closes: true,
    closedBy: me.agent_id,
  })
  return {
    chat: closed,
    entry,
    ops: [chatChanged(closed), entryPut(chat.id, entry), chatInactive(chat)],
  }
}

/** Closes the active thread. Throws `chat_inactive` where there is none, or `asked` is another. */
export const closeThread = (ctx: Writing, asked: string | undefined): Promise<{ chat: Chat; entry: Entry }> =>
  untilPlaced(ctx, async (view) => {
    const { me, chat } = view
    const { nonce } = ctx
    if (asked !== undefined && threadOf(chat.id, asked) === undefined) throw new ProtocolError('not_found')
    if (!chat.active || (asked !== undefined && asked !== threadId(chat.id, chat.thread)))
      throw new ProtocolError('chat_inactive')
    const message = (forAgents: boolean) => manualArchived(me.name, forAgents)
    const closing = closingOf(view, message, { nonce, at: ctx.now() })
    const refusals = await ctx.write.transact(closing.ops)
    return { result: closing, placed: stands(refusals, nonce) }
  })

/** A change of who is in a chat, with the messages that tell of it where a thread is active. */
export interface UsersChange {
  users: ChatUser[]
  messages: StoredEvent[]
  /** Held by the same transaction. */
  checks?: Op[]
}

/** The chat as it then is, the entries appended, and `before`, the chat as it was. */
export interface UsersChanged {
  before: Chat
  chat: Chat
  entries: Entry[]
  /** The log's end before it. */
  tail: Tail
}

/** Changes a chat's users as `decide` says of each view; undefined from it: nothing is to change. */
export const changeUsers = <V extends ChatView>(
  ctx: Writing<V>,
  decide: (view: V) => UsersChange | undefined,
): Promise<UsersChanged> =>
  untilPlaced(ctx, async (view): Promise<Attempt<UsersChanged>> => {
    const { chat: before, tail } = view
    const change = decide(view)
    if (change === undefined) return { result: { before, chat: before, entries: [], tail }, placed: true }
    const { nonce } = ctx
    const at = ctx.now()
    const chat: Chat = { ...before, users: change.users, version: before.version + 1, changed_at: at, nonce }
    const entries = chat.active
      ? nextEntries(tail, change.messages, { nonce, version: chat.version, at })
      : []
    const ops = [chatChanged(chat), ...(change.checks ?? [])]
    if (chat.active) {
      const present = presentIds(chat.users)
      ops.push(activeChatChanged(chat), ...entries.map((entry) => entryPut(chat.id, entry)))
      if (present.length > 0) ops.push(headUsers(chat.id, chat.thread, present))
    }
    const refusals = await ctx.write.transact(ops)
    const checks = refusals.filter(({ index }) => index >= 1 && index <= (change.checks?.length ?? 0))
    if (checks.some(({ reason }) => reason === 'condition')) throw new ProtocolError('not_found')
    return { result: { before, chat, entries, tail }, placed: stands(refusals, nonce) }
  })
