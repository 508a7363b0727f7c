import { setTimeout as wait } from 'node:timers/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Indexing } from '../../../shared/archive/index/context.ts'
import { indexAccess, type IndexChanges, indexChat } from '../../../shared/archive/index/index-chat.ts'
import { findLicense } from '../../../shared/provisioning/change-license.ts'
import { type Chat, readChat } from '../../../shared/table/chat/chats.ts'
import type { Table } from '../../../shared/table/client.ts'
import type { Op, Writer } from '../../../shared/table/ops.ts'
import { isThrottled } from '../../../shared/table/transient-errors.ts'

export interface Access {
  /** The table, whose calls the signal aborts. */
  within(signal: AbortSignal): Table
  now(): number
  writes: LimitFunction
  /**
   * What is done in one go has so long at first. The index's worker waits as long for a run that died, at
   * what that was writing.
   */
  limitMs: number
  /** Of so much that is done in one go: aborted once its time is up. */
  deadline(ms: number): AbortSignal
  /** Waits so long before another try; rejects once the signal fires. */
  pause(ms: number, stopped?: AbortSignal): Promise<void>
  /** So many threads of a chat are done in one go at first. */
  threadsAtOnce: number
}

// a client has 50 sockets
const writesAtOnce = 32
export const openAccess = (
  within: Access['within'],
  now: () => number,
  others: Partial<Access> = {},
): Access => ({
  within,
  now,
  writes: pLimit(writesAtOnce),
  limitMs: 20_000,
  deadline: (ms) => AbortSignal.timeout(ms),
  pause: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }),
  threadsAtOnce: 100,
  ...others,
})

/** What the chats of one run share. */
export interface Run extends Access {
  /** Aborted where the run is to end: nothing more is begun. */
  stopped: AbortSignal
  /** So many threads more are done. */
  onThreads(count: number): void
}

// a call that was aborted may still be under way on the engine
const slack = 1.1

const mostFailed = 3
const mostThrottled = 60
const mostLate = 5

class TookTooLong extends Error {}

/** What work is given; where it goes on apart from this run is its own affair. */
type OneRun = Omit<Indexing, 'goOn'>

/**
 * Does some work in one go, again where it failed or was throttled, unless that is to end. Where its time was
 * too short it gets twice as much; throws `TookTooLong` the `mostLate`th time.
 */
export const withRetries = async <T>(
  { within, now, writes, limitMs, deadline, pause }: Access,
  work: (ctx: OneRun & Table) => Promise<T>,
  options: { stopped?: AbortSignal; mostLate?: number } = {},
): Promise<T> => {
  const { stopped } = options
  let [failed, throttled, late] = [0, 0, 0]
  for (;;) {
    stopped?.throwIfAborted()
    const ms = limitMs * 2 ** late
    const signal = deadline(ms)
    const { read, write } = within(signal)
    let texts: Promise<boolean> | undefined
    try {
      return await work({
        read,
        write: { ...write, batch: (ops) => batchInTurn(writes, write, ops) },
        now,
        endsAt: Math.ceil(now() + ms * slack),
        pause: (tries) => wait(Math.random() * Math.min(1000, 10 * 2 ** tries), undefined, { signal }),
        indexesTexts: (license) => (texts ??= indexesTexts({ read, write }, license)),
      })
    } catch (error) {
      if (signal.aborted) late += 1
      else if (isThrottled(error)) throttled += 1
      else failed += 1
      if (late === (options.mostLate ?? mostLate)) throw new TookTooLong(`Took longer than ${ms / 1000} s`)
      if (failed === mostFailed || throttled === mostThrottled) throw error
    }
    const pauseMs = Math.random() * Math.min(10_000, 250 * 2 ** (failed + throttled))
    await pause(pauseMs, stopped)
  }
}

const indexesTexts = async (table: Table, license: string): Promise<boolean> =>
  (await findLicense(table, license))?.index_texts ?? true

const batchInTurn = async (writes: LimitFunction, write: Writer, ops: readonly Op[]): Promise<void> => {
  const parts = Array.from({ length: Math.ceil(ops.length / 25) }, (_, i) => ops.slice(i * 25, i * 25 + 25))
  await Promise.all(parts.map((part) => writes(() => write.batch(part))))
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
  const itself: IndexChanges = { chat: true, access: 0, threads: new Set() }
  await withRetries(run, (ctx) => indexChat({ ...ctx, goOn: nowhere }, id, itself))
  const left = [thread + 1]
  const goOn: Indexing['goOn'] = async (job) => {
    if (job.job === 'index_access') left.push(job.below)
  }
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
    const stale: IndexChanges = { chat: first === 1, access: 0, threads }
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
