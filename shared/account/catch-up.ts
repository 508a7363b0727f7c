import { connections, customerConnection, gaining } from '../access/audience.ts'
import { hearsContent } from '../access/audience-lists.ts'
import { mayRead } from '../access/permissions.ts'
import { readView, showChat } from '../chat/view/chat-view.ts'
import type { Audience } from '../delivery/outbox.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import { mapIsolated } from '../platform/for-each.ts'
import { type Chat, readChat } from '../table/chat/chats.ts'
import { readActiveChats } from '../table/chat/read-chats.ts'
import { eventOf, readEntriesFrom } from '../table/chat/thread-log.ts'
import { customerChatId, threadId } from '../table/ids.ts'
import { agentsSession, type AnySession, isCustomers, readSocket } from '../table/sockets.ts'

/** What a login answered: per chat the thread, the order and the version; and when it ran, in ms. */
export interface Answered {
  connection: string
  chats: Record<string, [n: number, m: number, version: number]>
  since: number
  until: number
}

// each with the end of its log
const chatsAtOnce = 16

/**
 * Pushes to a connection what its login may have missed: what happened while it ran, and is not in its
 * answer. It may have been pushed all the same, or is pushed again by a second run: receivers know repeats by
 * their ids.
 */
export const catchUp = async (ctx: WorkCtx, answered: Answered): Promise<void> => {
  const session = (await readSocket(ctx.read, answered.connection, ctx.now()))?.session
  if (session === undefined || session.ended !== undefined) return
  const { connection } = answered
  const active = await activeOf(ctx, session)
  const then = (at: number) => at >= answered.since && at <= answered.until

  const unknown = active.filter(({ id, started_at }) => answered.chats[id] === undefined && then(started_at))
  await mapIsolated(unknown, ({ id }) => show(ctx, session, id, connection), chatsAtOnce)

  const known = Object.entries(answered.chats).map(([id, [n, m, version]]) => ({ id, n, m, version }))
  await mapIsolated(
    known,
    async ({ id, n, m, version }) => {
      const missed = (await readEntriesFrom(ctx.read, id, { n, m: m + 1 }, mostMissed)).filter(({ at }) =>
        then(at),
      )
      // read after them: whoever may read the chat then may read what came before
      const chat = await readChat(ctx.read, id)
      if (chat === undefined || !maySee(session, chat)) return
      const to = toward(session, connection, chat)
      const at = { chat_id: id, thread_id: threadId(id, n) }
      // of a chat that it is not in it may want to hear that it changes alone
      const hears = isCustomers(session) || hearsContent(session, chat)
      for (const entry of hears ? missed : [])
        ctx.push(to, 'incoming_event', { ...at, event: eventOf(id, entry) })
      const closing = missed.find((entry) => entry.closed === true)
      if (closing !== undefined) ctx.push(to, 'thread_closed', { ...at, user_id: closing.closed_by })
      const started = active.find((row) => row.id === id)
      const moved = started !== undefined && started.thread > n && then(started.started_at)
      if (moved || (chat.version !== version && then(chat.changed_at)))
        await show(ctx, session, id, connection)
    },
    chatsAtOnce,
  )
}

/**
 * The same of one chat that an agent has begun to follow: what its senders told those alone who did before.
 */
export const catchUpFollower = async (
  ctx: WorkCtx,
  missed: Missed & { connection: string },
): Promise<void> => {
  const { connection } = missed
  const session = agentsSession((await readSocket(ctx.read, connection, ctx.now()))?.session)
  if (session === undefined || session.ended !== undefined) return
  const to = connections(session.license_id, session.agent_id, [connection])
  await pushMissed(ctx, missed, (chat) =>
    mayRead(session, chat) && hearsContent(session, chat) ? to : undefined,
  )
}

/** The same for all who have gained access to a chat by its scopes. */
export const catchUpGained = (ctx: WorkCtx, missed: Missed & { before: Chat }): Promise<void> =>
  pushMissed(ctx, missed, (chat) => gaining(missed.before, chat))

/** The part of a chat that was shown to its new listeners, and the version since which they hear of it. */
interface Missed {
  chat: string
  thread: number
  order: number
  version: number
}

/** Pushes the events of a chat whose senders had read it before that version. */
const pushMissed = async (
  ctx: WorkCtx,
  { chat: id, thread: n, order, version }: Missed,
  audienceOf: (chat: Chat) => Audience | undefined,
): Promise<void> => {
  const entries = await readEntriesFrom(ctx.read, id, { n, m: order + 1 }, mostMissed)
  const missed = entries.filter((entry) => entry.version < version)
  if (missed.length === 0) return
  // read after them: whoever may read the chat then may read what came before
  const chat = await readChat(ctx.read, id)
  const to = chat && audienceOf(chat)
  if (to === undefined) return
  for (const entry of missed)
    ctx.push(to, 'incoming_event', { chat_id: id, thread_id: threadId(id, n), event: eventOf(id, entry) })
}

/** The active chats that whoever logged in may know of: a customer's is its own. */
const activeOf = async ({ read }: WorkCtx, session: AnySession) => {
  if (!isCustomers(session)) return readActiveChats(read, session.license_id)
  const own = await readChat(read, customerChatId(session.license_id, session.customer_id))
  return own?.active === true ? [own] : []
}

const maySee = (session: AnySession, chat: Chat): boolean =>
  isCustomers(session)
    ? chat.users.some(({ id, type, present }) => id === session.customer_id && type === 'customer' && present)
    : mayRead(session, chat)

const toward = (session: AnySession, connection: string, chat: Chat): Audience =>
  isCustomers(session)
    ? customerConnection(session, connection, chat)
    : connections(session.license_id, session.agent_id, [connection])

const show = async (ctx: WorkCtx, session: AnySession, id: string, connection: string): Promise<void> => {
  const view = await readView(ctx.read, id)
  if (view === undefined || !maySee(session, view.chat)) return
  const { shown } = await showChat(ctx.read, { chat: view.chat, events: view.tail.entries.toReversed() })
  ctx.push(toward(session, connection, view.chat), 'incoming_chat_thread', { chat: shown })
}

// who missed more sees a gap in the orders and reads on by itself
const mostMissed = 100
