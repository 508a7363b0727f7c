import type { Queue } from '../../protocol/objects.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { readQueue, readWaits, type ToldQueue, type Waits } from '../../table/chat/queue.ts'
import { readWaitingChats } from '../../table/chat/waiting-chats.ts'
import type { Common } from '../../table/families.ts'
import type { Reader } from '../../table/ops.ts'

// The place of a waiting chat in its line (extensions §3).

type Waiting = Pick<Chat, 'id' | 'scopes' | 'waiting_since'>

/**
 * A chat as it is listed or stands by itself: with its thread, and whether that is active where it says so.
 */
type Shown = Pick<Chat, 'id' | 'thread' | 'waiting_since'> & { active?: boolean }

/** A queue as it is shown: times in seconds. */
export const queueWith = (position: number, queuedMs: number, { waits, mean_wait_ms }: Waits): Queue => ({
  position,
  ...(waits === 0 ? {} : { wait_time: Math.round(mean_wait_ms / 1000) }),
  queued_at: Math.floor(queuedMs / 1000),
})

/** The queue of a chat as it was told last; undefined where it does not wait, or none was told yet. */
export const queueOf = (queue: ToldQueue | undefined, chat: Shown): Queue | undefined => {
  const [thread, position, queuedMs] = queue?.positions[chat.id] ?? []
  if (queue === undefined || position === undefined || queuedMs === undefined) return undefined
  const isIts = chat.active !== false && thread === chat.thread && queuedMs === chat.waiting_since
  return isIts ? queueWith(position, queuedMs, queue) : undefined
}

/** What `queueOf` needs, read where one of the chats waits. */
export const readQueueFor = async (
  read: Reader,
  license: string,
  chats: readonly Shown[],
): Promise<ToldQueue | undefined> =>
  chats.some(({ waiting_since, active }) => waiting_since !== undefined && active !== false)
    ? readQueue(read, license, { strong: false })
    : undefined

/** Chats are in one line where the same groups, and the same agents, serve them. */
export const lineOf = ({ scopes: { groups, agents } }: Pick<Chat, 'scopes'>): string =>
  JSON.stringify([groups.toSorted((a, b) => a - b), agents.toSorted()])

/** Waiting chats by their ids, each with its position in its line: who waits longest is the first. */
export const positionsOf = <W extends Waiting>(
  chats: readonly W[],
): Map<string, { chat: W; position: number }> => {
  const lines = new Map<string, number>()
  const inOrder = chats
    .filter((chat) => chat.waiting_since !== undefined)
    .toSorted((a, b) => (a.waiting_since ?? 0) - (b.waiting_since ?? 0) || (a.id < b.id ? -1 : 1))
  return new Map(
    inOrder.map((chat) => {
      const position = (lines.get(lineOf(chat)) ?? 0) + 1
      lines.set(lineOf(chat), position)
      return [chat.id, { chat, position }]
    }),
  )
}

/** The queue of a chat that has begun to wait, as it stands now; undefined where it does not wait. */
export const readQueueNow = async (
  read: Reader<Common | 'waitingChats'>,
  license: string,
  chat: Waiting,
): Promise<Queue | undefined> => {
  if (chat.waiting_since === undefined) return undefined
  const [listed, queue] = await Promise.all([readWaitingChats(read, license), readWaits(read, license)])
  const others = listed.filter(({ id }) => id !== chat.id)
  const found = positionsOf<Waiting>([...others, chat]).get(chat.id)
  return found && queueWith(found.position, chat.waiting_since, queue)
}
