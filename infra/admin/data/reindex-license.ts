import {
  type Reindexing,
  reindexingEnded,
  reindexingMoved,
} from '../../../shared/table/archive/reindexing.ts'
import { readChatIdsAfter } from '../../../shared/table/chat/read-chats.ts'
import { type Access, reindexChat, type Run, withRetries } from './reindex-chat.ts'

const chatsAtOnce = 8
const savedEveryMs = 1000
// then it is not for the chats
const mostFailedInRow = 20
const mostFailed = 100

/** The ids of a license's chats, in their order, from the first or the one that follows `after`. */
export async function* eachChatId(
  access: Access,
  license: string,
  after?: string,
  idsAtOnce = 1000,
): AsyncGenerator<string> {
  for (let last = after; ;) {
    const ids = await withRetries(access, ({ read }) => readChatIdsAfter(read, license, last, idsAtOnce))
    yield* ids
    last = ids.at(-1)
    if (ids.length < idsAtOnce) return
  }
}

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
  const underWay = new Set<Promise<void>>()
  let [ended, failedInRow] = [0, 0]
  let isCut = false
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

  const reindex = async (id: string, isNew: boolean) => {
    try {
      await reindexChat(run, id)
      failed.delete(id)
      failedInRow = 0
    } catch (error) {
      if (run.stopped.aborted) {
        isCut = true
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

  /** Resolves to whether it began: there is time for it. */
  const begin = async (id: string, isNew: boolean): Promise<boolean> => {
    if (isToEnd()) {
      isCut = true
      return false
    }
    if (isNew) row.begin(id)
    const one = reindex(id, isNew).finally(() => underWay.delete(one))
    underWay.add(one)
    if (underWay.size >= chatsAtOnce) await Promise.race(underWay)
    if (run.now() - savedAt >= savedEveryMs) await save()
    return true
  }

  try {
    for await (const id of eachChatId(run, license, start.after)) if (!(await begin(id, true))) break
    for (const id of start.failed) if (!(await begin(id, false))) break
  } finally {
    await Promise.all(underWay)
  }
  if (isCut || failed.size > 0) await save()
  else await withRetries(run, ({ write }) => write.write(reindexingEnded(license)))
  const end = isCut ? (run.stopped.aborted ? 'stopped' : 'gaveUp') : 'done'
  return { end, done: done(), failures }
}

/**
 * Things that begin in a row and end in any order: up to which of them all have ended, and how many that are.
 */
const openRow = (first: string | undefined) => {
  let begun: { after: string | undefined; count: number } = { after: first, count: 0 }
  /** Those that have not ended, with what was before them. */
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
