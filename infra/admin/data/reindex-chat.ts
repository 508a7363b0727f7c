import type { Indexing } from '../../../shared/archive/index/context.ts'
import { indexAccess, type IndexChanges, indexChat } from '../../../shared/archive/index/index-chat.ts'
import { type Chat, readChat } from '../../../shared/table/chat/chats.ts'
import { type Access, TookTooLong, withRetries } from './retries.ts'

/** What the chats of one run share. */
export interface Run extends Access {
  /** Aborted where the run is to end: nothing more is begun. */
  stopped: AbortSignal
  /** Called with how many threads more are done. */
  onThreads(count: number): void
}

/**
 * Writes all that stands of a chat in the index once more, and deletes what should not stand there, as far as
 * that is known. May run beside itself and the index's worker.
 */
export const reindexChat = async (run: Run, id: string): Promise<void> => {
  const read = () => withRetries(run, (ctx) => readChat(ctx.read, id))
  let chat = await read()
  if (chat === undefined) return
  await reindexThreads(run, chat)
  // who may see it has changed meanwhile: the worker may have looked for its threads before they stood in the
  // index
  for (let { version } = chat; ; { version } = chat) {
    chat = await read()
    if (chat === undefined || chat.version === version) return
    await followAccess(run, chat)
  }
}

/** Lets a chat and all its threads follow who may see it. */
const followAccess = async (run: Run, { id, thread }: Chat): Promise<void> => {
  const itself: IndexChanges = { chat: true, access: 0, threads: new Set(), events: [] }
  await withRetries(run, (ctx) => indexChat({ ...ctx, goOn: nowhere }, id, itself))
  const left = [thread + 1]
  const goOn: Indexing['goOn'] = async (job) => void left.push(job.below)
  for (let below = left.pop(); below !== undefined; below = left.pop()) {
    const from = { below }
    await withRetries(run, (ctx) => indexAccess({ ...ctx, goOn }, id, from))
  }
}

const nowhere: Indexing['goOn'] = () => Promise.resolve()

/** The chat, and its threads, fewer at a time where they take too long. */
const reindexThreads = async (run: Run, { id, thread: last }: Chat): Promise<void> => {
  const { stopped } = run
  let size = run.threadsAtOnce
  for (let first = 1; first <= last;) {
    const count = Math.min(size, last - first + 1)
    const threads = new Set(Array.from({ length: count }, (_, i) => first + i))
    // all threads are named in turn, so that there is nobody else whose access is to be looked at
    const stale: IndexChanges = { chat: first === 1, access: 0, threads, events: [] }
    try {
      const options = count === 1 ? { stopped } : { stopped, mostLate: 1 }
      await withRetries(
        run,
        (ctx) => indexChat({ ...ctx, goOn: nowhere }, id, stale, { anew: true }),
        options,
      )
      run.onThreads(count)
      first += count
    } catch (error) {
      if (count === 1 || !(error instanceof TookTooLong)) throw error
      size = Math.ceil(count / 2)
    }
  }
}
