import { log } from '../runtime/log.ts'
import { sendLater } from '../runtime/later.ts'
import type { Writer } from '../table/ops.ts'
import { isLive, rowRemoved, rowSlow, socketRemoved, type SocketRow } from '../table/sockets.ts'

import { endpointOf, post, type PostOutcome } from './connections.ts'
import { pushJobs } from './jobs.ts'

/** A push of one request: its frame and who gets it. */
export interface Push {
  to(row: SocketRow): boolean
  frame: string
}

/** A connection that leaves a post open for so long, or takes none of its frames, is slow. */
const slowPostMs = 1000
/** How long a connection that timed out is pushed to by the `later` worker only. */
const slowMs = 60_000
const laterDelayS = 1

interface Delivery {
  row: SocketRow
  /** Which of the pushes, in their order: lists of numbers tell cheaply who is to get the same. */
  which: number[]
}

/** What each live connection is to get, in the order of the pushes. */
const deliveriesOf = (rows: readonly SocketRow[], pushes: readonly Push[], nowMs: number): Delivery[] =>
  rows
    .filter((row) => isLive(row, nowMs))
    .map((row) => ({ row, which: pushes.flatMap(({ to }, index) => (to(row) ? [index] : [])) }))
    .filter(({ which }) => which.length > 0)

const framesOf = (pushes: readonly Push[], which: readonly number[]): string[] =>
  which.flatMap((index) => pushes[index]?.frame ?? [])

/** Posts frames to a connection one after the other; resolves to what came of it and how many got through. */
const postAll = async (
  row: SocketRow,
  frames: readonly string[],
  signal: AbortSignal,
): Promise<{ outcome: PostOutcome; through: number; slow: boolean }> => {
  for (const [through, frame] of frames.entries()) {
    const startedAt = performance.now()
    const outcome = await post(endpointOf(row), row.connection, frame, signal)
    const open = outcome === 'late' && performance.now() - startedAt >= slowPostMs
    if (outcome !== 'sent') return { outcome, through, slow: open || (outcome === 'late' && through === 0) }
  }
  return { outcome: 'sent', through: frames.length, slow: false }
}

/**
 * Sends a request's pushes: at least once to each living connection, connections side by side, each one's in order.
 * A push that fails fails nothing else: a connection that is gone loses its rows, what does not get through in time, or
 * is throttled, is left to the delay queue. Never throws; takes `postingMs` at the most.
 */
export const deliver = async (options: {
  rows: readonly SocketRow[]
  pushes: readonly Push[]
  write: Writer
  /** The request's own end, where it comes before the posting time is over. */
  signal: AbortSignal
  /** All posts share this time. */
  postingMs: number
  nowMs: number
}): Promise<void> => {
  const { pushes, write, nowMs } = options
  const deliveries = deliveriesOf(options.rows, pushes, nowMs)
  const slow = deliveries.filter(({ row }) => (row.slow_until ?? 0) > nowMs)
  const posting = AbortSignal.any([options.signal, AbortSignal.timeout(options.postingMs)])
  const waiting = new Map<string, Delivery[]>()
  const wait = (delivery: Delivery) => {
    const key = delivery.which.join()
    waiting.set(key, [...(waiting.get(key) ?? []), delivery])
  }
  for (const delivery of slow) wait(delivery)

  const settled: Promise<unknown>[] = []
  await Promise.all(
    deliveries
      .filter((delivery) => !slow.includes(delivery))
      .map(async ({ row, which }) => {
        const { outcome, through, slow } = await postAll(row, framesOf(pushes, which), posting)
        if (outcome === 'gone') settled.push(...rowsOf(row).map((op) => write.write(op)))
        if (slow) settled.push(write.write(rowSlow(row, nowMs + slowMs)))
        if (outcome === 'late' || outcome === 'failed') wait({ row, which: which.slice(through) })
      }),
  )
  for (const same of waiting.values()) {
    const frames = framesOf(pushes, same[0]?.which ?? [])
    const jobs = pushJobs(
      same.map(({ row }) => row),
      frames,
    )
    settled.push(...jobs.map((job) => sendLater(job, laterDelayS, options.signal)))
  }
  for (const result of await Promise.allSettled(settled)) {
    if (result.status === 'rejected')
      log.error('A push could not be put off or its rows not cleared', { error: result.reason })
  }
}

const rowsOf = (row: SocketRow) => [socketRemoved(row.connection), rowRemoved(row, row.connection)]
