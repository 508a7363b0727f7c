import { watching } from '../access/audience.ts'
import { roleOf } from '../access/permissions.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import { InternalError, ProtocolError } from '../protocol/errors.ts'
import type { Event, NewCustomerEvent, NewEvent, Recipients } from '../protocol/events.ts'
import { putChangedChat } from '../table/chat/changed-chats.ts'
import { type Chat, requireChatUnchanged } from '../table/chat/chats.ts'
import { endsIdle, nextEntry, putEntry, storedEvent } from '../table/chat/log-entries.ts'
import { type Entry, eventOf, type Head, readHead, type StoredEvent } from '../table/chat/thread-log.ts'
import { requireNotBanned } from '../table/customers.ts'
import { threadId } from '../table/ids.ts'
import type { Reader } from '../table/ops.ts'
import {
  type Attempt,
  commitAll,
  commitOne,
  type ConditionalWrite,
  type RequestSnapshot,
  updateLog,
} from '../table/optimistic-write.ts'
import { isCustomers, userIdOf } from '../table/sockets.ts'
import { pushPropertyChanges } from './announce/entries.ts'
import { announceThreadStarted, replayedAfterMs } from './announce/thread-started.ts'
import { enqueueRoutingOf } from './enqueue-routing.ts'
import { type AnnouncedRouting, readRouting, routingOps } from './routing-properties.ts'
import {
  openThread,
  readThreadStartInputs,
  type ThreadStartFamily,
  type ThreadStartReads,
} from './start/open-thread.ts'
import type { ThreadStarting, ThreadWrites } from './thread-writes.ts'
import { showChat } from './view/chat-view.ts'

type Sending = Appending &
  ThreadStarting &
  Pushing<
    | 'incoming_event'
    | 'incoming_chat_thread'
    | 'chat_users_updated'
    | 'chat_properties_updated'
    | 'chat_thread_properties_updated'
  > &
  Enqueues

/** Adds an event to a chat and tells of it; `denied`: the sentence for what its author may not send. */
export const sendEvent = async (
  ctx: Sending,
  event: NewEvent | NewCustomerEvent,
  denied: string,
): Promise<{ thread_id: string; event: Event }> => {
  const { outcome, before, chat, entry, head, events, told = {} } = await appendEvent(ctx, event, denied)
  const answer = { thread_id: threadId(chat.id, entry.n), event: eventOf(chat.id, entry) }
  const late = outcome === 'replayed' && (entry.nonce === ctx.nonce || ctx.now() - entry.at > replayedAfterMs)
  const incoming = () => ctx.push(watching(chat, entry), 'incoming_event', { chat_id: chat.id, ...answer })

  if (outcome === 'appended') {
    incoming()
    pushPropertyChanges(ctx, chat, told)
    await enqueueRoutingOf(ctx, chat, [entry])
  }
  if (outcome === 'started')
    await announceThreadStarted(ctx, { outcome, before, chat, head, entries: events, events, told })
  if (late && entry.m === 1) {
    ctx.prefetchAudience(watching(chat), 'incoming_chat_thread')
    const opened = await readHead(ctx.read, chat.id, entry.n)
    if (opened?.nonce === entry.nonce) {
      const { shown } = await showChat(ctx.read, { chat, head: opened, events })
      ctx.push(watching(chat), 'incoming_chat_thread', { chat: shown })
    }
  }
  if (late) incoming()
  return answer
}

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

interface Appended {
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
type Appending = ThreadWrites<ThreadStartFamily | 'changedChats'> & { read: Reader<ThreadStartReads> }

/**
 * Adds an event to the chat, starting a thread where none is active; annotations go to the last thread as it
 * is.
 */
const appendEvent = (
  ctx: Appending & ThreadStarting & Pick<Pushing<'incoming_event'>, 'prefetchAudience'>,
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
      // who listens is read beside the put: a connection that logs in between the two is told by the job that
      // each login leaves. Where many write at once it is read behind the put, which is likely to fail
      const prefetch = () => ctx.prefetchAudience(watching(chat, entry), 'incoming_event')
      if (tries === 1) prefetch()
      const put = commitOne(ctx.write, putEntry(chat.id, entry), nonce)
      const read = (placed: boolean) => {
        if (placed) prefetch()
        return placed
      }
      return { result, committed: tries === 1 ? put : put.then(read) }
    }
    const all: ConditionalWrite<'chat' | 'customer' | 'changedChats'>[] = [
      { op: requireChatUnchanged(chat) },
      { op: putEntry(chat.id, entry) },
      { op: putChangedChat(chat, by.at) },
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
