import { randomBytes } from 'node:crypto'
import { openOutbox, type Outbox } from '../push/outbox.ts'
import { openTable, tableClient } from '../table/client.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { config } from './config.ts'
import { pauseBefore, withinDeadline } from './deadline.ts'
import { type Job, sendLater } from './later.ts'

/** What a worker may use for one piece of work. */
export interface WorkCtx extends Outbox {
  read: Reader
  write: Writer
  signal: AbortSignal
  /** When its time is over, by `performance.now()`. */
  endsAt: number
  nonce: string
  now: () => number
  later: (job: Job, delayS: number) => Promise<void>
  pause: (tries: number) => Promise<void>
}

const client = tableClient()

/** No client waits for a worker: one connection's frames may take longer, one after the other, than on an action's path. */
const postingMs = 5000

/**
 * Does one piece of work within the deadline of a request, or its own, and sends its pushes once it is done. `now`: what
 * time it takes it to be.
 */
export const work = <T>(
  run: (ctx: WorkCtx) => Promise<T>,
  { deadlineMs, now = Date.now }: { deadlineMs?: number; now?: () => number } = {},
): Promise<T> =>
  withinDeadline(({ signal, endsAt }) => {
    const table = openTable({ client, tableName: config.tableName(), signal })
    const later: WorkCtx['later'] = (job, delayS) => sendLater(job, delayS, signal)
    return part({ ...table, signal, endsAt, now, later }, run)
  }, deadlineMs)

/**
 * Does a part of a piece of work as one of its own: what it writes is marked as its own, and its pushes go out once it is
 * done.
 */
export const part = async <T>(
  within: Pick<WorkCtx, 'read' | 'write' | 'signal' | 'endsAt' | 'now' | 'later'>,
  run: (ctx: WorkCtx) => Promise<T>,
): Promise<T> => {
  const { read, write, signal, endsAt, now, later } = within
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
      later,
      nonce: randomBytes(6).toString('base64url'),
      pause: (tries) => pauseBefore(tries, deadline),
    })
  } finally {
    await outbox.flush()
  }
}
