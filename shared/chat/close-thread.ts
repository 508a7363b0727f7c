import { ProtocolError } from '../protocol/errors.ts'
import { type Chat, putChat, setClosedAt } from '../table/chat/chats.ts'
import { nextEntry, putEntry } from '../table/chat/log-entries.ts'
import type { StoredEvent } from '../table/chat/thread-log.ts'
import type { Entry } from '../table/chat/thread-log.ts'
import { threadId, threadNumberOf } from '../table/ids.ts'
import type { Op } from '../table/ops.ts'
import { type ChatSnapshot, commitAll, updateLog } from '../table/optimistic-write.ts'
import { userIdOf } from '../table/sockets.ts'
import { adjustLoads } from './agent-load.ts'
import { manualArchived } from './system-messages.ts'
import type { ThreadFamily, ThreadWrites } from './thread-writes.ts'

/** A thread's closing: the chat as it then is, its last entry, and the writes that make it so. */
export interface Closing {
  chat: Chat
  entry: Entry
  /** The user who closed it; undefined: the server. */
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
      setClosedAt(chat, at),
      ...adjustLoads(chat, closed).map(({ op }) => op),
    ],
  }
}

/** Closes the active thread. Throws `chat_inactive` where there is none, or `asked` is another. */
export const closeThread = (ctx: ThreadWrites<ThreadFamily>, asked: string | undefined): Promise<Closing> =>
  updateLog(ctx, async (view) => {
    const { me, chat } = view
    const { nonce } = ctx
    if (asked !== undefined && threadNumberOf(chat.id, asked) === undefined)
      throw new ProtocolError('not_found')
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
