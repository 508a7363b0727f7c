import { setTimeout as wait } from 'node:timers/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Indexing } from '../../../shared/archive/index/context.ts'
import { findLicense } from '../../../shared/provisioning/change-license.ts'
import type { Table } from '../../../shared/table/client.ts'
import type { Op, Writer } from '../../../shared/table/ops.ts'
import { isThrottled } from '../../../shared/table/transient-errors.ts'
import { portionsOf } from './paging.ts'

export interface Access {
  /** The table, whose calls the signal aborts. */
  within(signal: AbortSignal): Table
  now(): number
  writes: LimitFunction
  /**
   * How long work that is done in one go has at first. The index's worker waits as long for a run that died
   * while it wrote.
   */
  limitMs: number
  /** A signal for work that is done in one go: aborted once its time is up. */
  deadline(ms: number): AbortSignal
  /** Waits so long before another try; rejects once the signal fires. */
  pause(ms: number, stopped?: AbortSignal): Promise<void>
  /** How many threads of a chat are done in one go at first. */
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

// a call that was aborted may still be under way on the engine
const slack = 1.1

const mostFailed = 3
const mostThrottled = 60
const mostLate = 5

export class TookTooLong extends Error {}

/** The context that work is given; where it goes on apart from this run is its own affair. */
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
  const parts = portionsOf(ops, 25)
  await Promise.all(parts.map((part) => writes(() => write.batch(part))))
}
