import { mayRead } from '../chat/access.ts'
import { showChat } from '../chat/show.ts'
import { connections } from '../push/audience.ts'
import type { WorkCtx } from '../runtime/work.ts'
import { type Chat, readActiveChats, readChat } from '../table/chats.ts'
import { threadId } from '../table/keys.ts'
import { type Entry, eventOf, eventsRange, parseEntry, readTail } from '../table/log.ts'
import { readSocket } from '../table/sockets.ts'

/** What a login answered: per chat the thread, the order and the version; and when it ran, in ms. */
export interface Answered {
  connection: string
  chats: Record<string, [n: number, m: number, version: number]>
  since: number
  until: number
}

const lastOrderEver = 99_999_999

/**
 * Pushes to a connection what its login may have missed: what happened while it ran, and is not in its answer. It may
 * have been pushed all the same, or is pushed again by a second run: receivers know repeats by their ids.
 */
export const catchUp = async (ctx: WorkCtx, answered: Answered): Promise<void> => {
  const session = (await readSocket(ctx.read, answered.connection, ctx.now()))?.session
  if (session === undefined || session.ended !== undefined) return
  const to = connections(session.license_id, [answered.connection])
  const active = await readActiveChats(ctx.read, session.license_id)
  const then = (at: number) => at >= answered.since && at <= answered.until

  const unknown = active.filter(({ id, started_at }) => answered.chats[id] === undefined && then(started_at))
  const known = await Promise.all(Object.keys(answered.chats).map((id) => readChat(ctx.read, id)))
  for (const chat of await Promise.all(unknown.map(({ id }) => readChat(ctx.read, id)))) {
    if (chat !== undefined && mayRead(session, chat)) await show(ctx, chat, to)
  }
  for (const chat of known) {
    const [n, m, version] = (chat === undefined ? undefined : answered.chats[chat.id]) ?? []
    if (chat === undefined || n === undefined || m === undefined || !mayRead(session, chat)) continue
    const missed = (await entriesAfter(ctx, chat, n, m)).filter(({ at }) => then(at))
    for (const entry of missed) {
      const at = { chat_id: chat.id, thread_id: threadId(chat.id, n) }
      ctx.push(to, 'incoming_event', { ...at, event: eventOf(chat.id, entry) })
    }
    const closed = missed.some((entry) => entry.closed === true)
    if (closed) ctx.push(to, 'thread_closed', { chat_id: chat.id, thread_id: threadId(chat.id, n) })
    const started = active.find(({ id }) => id === chat.id)
    const moved = started !== undefined && started.thread > n && then(started.started_at)
    if (moved || (chat.version !== version && then(chat.changed_at))) await show(ctx, chat, to)
  }
}

const show = async (ctx: WorkCtx, chat: Chat, to: ReturnType<typeof connections>): Promise<void> => {
  const tail = await readTail(ctx.read, chat.id, true)
  if (tail === undefined) return
  const { shown } = await showChat(ctx.read, { chat, events: tail.entries.toReversed() })
  ctx.push(to, 'incoming_chat_thread', { chat: shown })
}

const entriesAfter = async ({ read }: WorkCtx, chat: Chat, n: number, m: number): Promise<Entry[]> =>
  (await read.query({ ...eventsRange(chat.id, n, m + 1, lastOrderEver), strong: true })).map(parseEntry)
