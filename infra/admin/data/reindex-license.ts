import {
  type Reindexing,
  reindexingEnded,
  reindexingMoved,
} from '../../../shared/table/archive/reindexing.ts'
import { eachChatId } from './each-chat.ts'
import { reindexChat, type Run } from './reindex-chat.ts'
import { withRetries } from './retries.ts'
import { sideBySide } from './side-by-side.ts'

const savedEveryMs = 1000
// then it is not for the chats
const mostFailedInRow = 20
const mostFailed = 100

export interface Reindexed {
  /** `stopped`: by `run.stopped`; `gaveUp`: since too many chats failed. */
  end: 'done' | 'stopped' | 'gaveUp'
  /** How many chats are done, those of the runs before among them. */
  done: number
  /** Why chats failed in this run, by their ids. */
  failures: ReadonlyMap<string, unknown>
}

/**
 * Rebuilds the index of a license's chats from `start` on, then of those again that had failed before. The
 * table says how far it is, so that whatever ends this run, another goes on; nothing, once all is done. May
 * run beside itself.
 */
export const reindexLicense = async (
  run: Run,
  license: string,
  start: Reindexing,
  onChat: (done: number) => void,
): Promise<Reindexed> => {
  const row = openRow(start.after)
  const failed = new Set(start.failed)
  const failures = new Map<string, unknown>()
  let [ended, failedInRow] = [0, 0]
  let isLeft = false
  let savedAt = run.now()

  const done = () => start.chats + ended - failed.size
  const isToEnd = () => run.stopped.aborted || failedInRow >= mostFailedInRow || failures.size >= mostFailed

  const save = async () => {
    const { after, count } = row.allUpTo()
    // what failed beyond is done again anyway
    const again = [...failed].filter((id) => after !== undefined && id <= after)
    const moved = {
      ...start,
      ...(after !== undefined && { after }),
      chats: start.chats + count,
      failed: again,
    }
    await withRetries(run, ({ write }) => write.write(reindexingMoved(license, moved)))
    savedAt = run.now()
  }

  const reindex = async ({ id, isNew }: Todo) => {
    if (isNew) row.begin(id)
    try {
      await reindexChat(run, id)
      failed.delete(id)
      failedInRow = 0
    } catch (error) {
      if (run.stopped.aborted) {
        isLeft = true
        return
      }
      failed.add(id)
      failures.set(id, error)
      failedInRow += 1
    }
    if (isNew) {
      row.end(id)
      ended += 1
    }
    onChat(done())
  }

  const savingBetween = async function* (all: AsyncIterable<Todo>) {
    for await (const one of all) {
      yield one
      if (run.now() - savedAt >= savedEveryMs) await save()
    }
  }

  const areBegun = await sideBySide(savingBetween(eachTodo(run, license, start)), isToEnd, reindex)
  const isCut = isLeft || !areBegun
  if (isCut || failed.size > 0) await save()
  else await withRetries(run, ({ write }) => write.write(reindexingEnded(license)))
  const end = isCut ? (run.stopped.aborted ? 'stopped' : 'gaveUp') : 'done'
  return { end, done: done(), failures }
}

/** A chat to be indexed anew. `isNew`: no run before has come to it. */
interface Todo {
  id: string
  isNew: boolean
}

async function* eachTodo(run: Run, license: string, start: Reindexing): AsyncGenerator<Todo> {
  for await (const id of eachChatId(run, license, start.after)) yield { id, isNew: true }
  for (const id of start.failed) yield { id, isNew: false }
}

/**
 * Things that begin in a row and end in any order: up to which of them all have ended, and how many that are.
 */
const openRow = (first: string | undefined) => {
  let begun: { after: string | undefined; count: number } = { after: first, count: 0 }
  /** The things that have not ended, each with what was before it. */
  const open = new Map<string, typeof begun>()
  return {
    begin: (id: string) => {
      open.set(id, begun)
      begun = { after: id, count: begun.count + 1 }
    },
    end: (id: string) => open.delete(id),
    allUpTo: () => {
      const [before = begun] = open.values()
      return before
    },
  }
}
