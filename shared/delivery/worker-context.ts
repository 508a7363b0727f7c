import { randomBytes } from 'node:crypto'
import type { Enqueues } from '../jobs/job-queue.ts'
import { enqueueJob } from '../jobs/job-queue.ts'
import { config } from '../platform/config.ts'
import { pauseBefore, withinDeadline } from '../platform/deadline.ts'
import { logInvalidItem } from '../platform/log.ts'
import type { WorkerWrites } from '../platform/writes.ts'
import type { Family } from '../protocol/action.ts'
import type { Clock, Reads, Retries, Writes } from '../table/capabilities.ts'
import { openTable, tableClient } from '../table/client.ts'
import type { SocketFamily } from '../table/sockets.ts'
import { openOutbox, type Outbox } from './outbox.ts'

/** What a worker may use for one piece of work. Beside items of `F`, each may write those of connections. */
export interface WorkCtx<F extends Family = never>
  extends Outbox, Reads<Family>, Writes<F | SocketFamily>, Retries, Clock, Enqueues {
  signal: AbortSignal
  /** When its time is over, by `performance.now()`. */
  endsAt: number
}

const client = tableClient()

/**
 * No client waits for a worker: one connection's frames may take longer, one after the other, than on an
 * action's path.
 */
const postingMs = 5000

/**
 * Does one piece of work of a worker within the deadline of a request, or its own, and sends its pushes once
 * it is done. `now`: what time it takes it to be.
 */
export const runWork = <Worker extends keyof WorkerWrites = never>(
  run: (ctx: WorkCtx<WorkerWrites[Worker]>) => Promise<void>,
  { deadlineMs, now = Date.now }: { deadlineMs?: number; now?: () => number } = {},
): Promise<void> =>
  withinDeadline(({ signal, endsAt }) => {
    const table = openTable({ client, tableName: config.tableName(), signal, onInvalidItem: logInvalidItem })
    const enqueue: WorkCtx['enqueue'] = (job, delayS) => enqueueJob(job, delayS, signal)
    return runPart({ ...table, signal, endsAt, now, enqueue }, run)
  }, deadlineMs)

/**
 * Does a part of a piece of work as one of its own: what it writes is marked as its own, and its pushes go
 * out once it is done.
 */
export const runPart = async <F extends Family, T>(
  within: Pick<WorkCtx<F>, 'read' | 'write' | 'signal' | 'endsAt' | 'now' | 'enqueue'>,
  run: (ctx: WorkCtx<F>) => Promise<T>,
): Promise<T> => {
  const { read, write, signal, endsAt, now, enqueue } = within
  const deadline = { startedAt: performance.now(), endsAt, signal }
  const outbox = openOutbox({ read, write, deadline, postingMs })
  try {
    return await run({
      ...outbox,
      read,
      write,
      signal,
      endsAt,
      now,
      enqueue,
      nonce: randomBytes(6).toString('base64url'),
      pause: (tries) => pauseBefore(tries, deadline),
    })
  } finally {
    await outbox.flush()
  }
}
