import { enqueueJob } from '../jobs/job-queue.ts'
import { log } from '../platform/log.ts'
import { count, timed } from '../platform/metrics.ts'
import type { Writes } from '../table/capabilities.ts'
import { removeConnection } from '../table/end-session.ts'
import { markSlow } from '../table/session-writes.ts'
import { isLive, type SocketFamily, type SocketRow } from '../table/sockets.ts'
import { deferPushes } from './deferred-push.ts'
import { type Delivery, directMost, type HandOver, sliceOf, slicesOf } from './fan-out.ts'
import { postFrames } from './post-frames.ts'

/** A push of one request: its frame and who gets it. */
export interface Push {
  to: (row: SocketRow) => boolean
  frame: string
}

/** How long a connection that timed out is pushed to by the `later` worker only. */
const slowMs = 60_000
const laterDelayS = 1
/** Where more than these, and more than half of all, take nothing, it is not they who are slow. */
const fewSlow = 10

/**
 * Which of the pushes each live connection is to get: lists of numbers tell cheaply who is to get the same.
 */
const deliveriesOf = (rows: readonly SocketRow[], pushes: readonly Push[], nowMs: number): Delivery[] =>
  rows
    .filter((row) => isLive(row, nowMs))
    .map((row) => ({ row, which: pushes.flatMap(({ to }, index) => (to(row) ? [index] : [])) }))
    .filter(({ which }) => which.length > 0)

const framesOf = (frames: readonly string[], which: readonly number[]): string[] =>
  which.flatMap((index) => frames[index] ?? [])

interface Delivering extends Writes<SocketFamily> {
  /** The end of the work that the posts are a part of, where it comes before the posting time is over. */
  signal: AbortSignal
  /** All posts share this time. */
  postingMs: number
  nowMs: number
}

/**
 * Sends a request's pushes: at least once to each living connection, connections side by side, each one's in
 * order. Those to more than 100 connections are handed over to other functions, where there is a way to. A
 * push that fails fails nothing else: a connection that is gone loses its rows, what does not get through in
 * time, or is throttled, is left to the delay queue. Never throws. Posts take `postingMs` at the most; rows
 * and jobs are written behind them.
 */
export const deliver = async (
  options: Delivering & {
    rows: readonly SocketRow[]
    pushes: readonly Push[]
    handOver?: HandOver | undefined
  },
): Promise<void> => {
  const { rows, pushes, handOver, nowMs, signal, postingMs } = options
  const frames = pushes.map(({ frame }) => frame)
  const deliveries = deliveriesOf(rows, pushes, nowMs)
  const posting = within(signal, postingMs)
  const left =
    handOver === undefined || deliveries.length <= directMost
      ? deliveries
      : await notTaken(handOver, deliveries, frames, posting)
  await deliverAll({ ...options, deliveries: left, frames }, posting)
}

const within = (signal: AbortSignal, ms: number): AbortSignal =>
  ms >= 1 ? AbortSignal.any([signal, AbortSignal.timeout(Math.floor(ms))]) : AbortSignal.abort()

/** Hands deliveries over in slices; resolves to those of slices that were not taken. */
const notTaken = async (
  handOver: HandOver,
  deliveries: readonly Delivery[],
  frames: readonly string[],
  signal: AbortSignal,
): Promise<Delivery[]> => {
  const left = await Promise.all(
    slicesOf(deliveries).map(async (part) => {
      try {
        await handOver(sliceOf(part, frames), signal)
        return []
      } catch (error) {
        log.warn('A part of a push could not be handed over', { cause: error })
        return part
      }
    }),
  )
  return left.flat()
}

/** Posts what was decided: the part of `deliver` that a run of `fan_out` does as well. */
export const deliverAll = async (
  options: Delivering & { deliveries: readonly Delivery[]; frames: readonly string[] },
  posting = within(options.signal, options.postingMs),
): Promise<void> => {
  const { deliveries, frames, write, nowMs } = options
  const isSlow = ({ row }: Delivery) => (row.slow_until ?? 0) > nowMs
  const quick = deliveries.filter((delivery) => !isSlow(delivery))
  const waiting = new Map<string, Delivery[]>()
  const wait = (delivery: Delivery) => {
    const key = delivery.which.join()
    waiting.set(key, [...(waiting.get(key) ?? []), delivery])
    count('pushes_late', delivery.which.length)
  }
  for (const delivery of deliveries.filter(isSlow)) wait(delivery)

  const settled: Promise<unknown>[] = []
  const settle = (work: Promise<unknown>) => {
    // one that fails while posts are still open would end the process before anybody waits for it
    work.catch(() => undefined)
    settled.push(work)
  }
  const slowRows: Delivery['row'][] = []
  const posts = () =>
    quick.map(async ({ row, which }) => {
      const { through, isGone, isSlow } = await postFrames(row, framesOf(frames, which), posting, nowMs)
      if (isGone) for (const op of removeConnection(row)) settle(write.write(op))
      else if (through < which.length) wait({ row, which: which.slice(through) })
      if (isSlow) slowRows.push(row)
    })
  if (deliveries.length > 0) await timed('fan_out', () => Promise.all(posts()))
  // where most are late, it is this function or the gateway that is
  if (slowRows.length <= fewSlow || slowRows.length * 2 <= quick.length)
    for (const op of slowRows.flatMap((row) => markSlow(row, nowMs + slowMs))) settle(write.write(op))
  for (const same of waiting.values()) {
    const jobs = deferPushes(
      same.map(({ row }) => row),
      framesOf(frames, same[0]?.which ?? []),
    )
    settled.push(
      ...jobs.map(async (job) => {
        try {
          await enqueueJob(job, laterDelayS, options.signal)
        } catch (error) {
          count('pushes_failed', job.targets.length * job.frames.length)
          throw error
        }
      }),
    )
  }
  const failures = (await Promise.allSettled(settled)).filter(({ status }) => status === 'rejected')
  const [first] = failures
  if (first?.status === 'rejected')
    log.error('Pushes could not be put off, or rows not cleared', {
      count: failures.length,
      cause: first.reason,
    })
}
