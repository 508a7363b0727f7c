import { randomBytes } from 'node:crypto'
import { openOutbox, type Outbox } from '../push/outbox.ts'
import { openTable, tableClient } from '../table/client.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { config } from './config.ts'
import { pauseBefore, withinDeadline } from './deadline.ts'
import { type Job, sendLater } from './later.ts'
import { log } from './log.ts'

/** What a worker may use for one piece of work. */
export interface WorkCtx extends Outbox {
  read: Reader
  write: Writer
  signal: AbortSignal
  nonce: string
  now(): number
  later(job: Job, delayS: number): Promise<void>
  pause(tries: number): Promise<void>
}

const client = tableClient()

/** No client waits for a worker: one connection's frames may take longer, one after the other, than on an action's path. */
const postingMs = 5000

/** Does one piece of work within the deadline of a request, or its own, and sends its pushes once it is done. */
export const work = <T>(
  run: (ctx: WorkCtx) => Promise<T>,
  options: { deadlineMs?: number } = {},
): Promise<T> =>
  withinDeadline(async (deadline) => {
    const { signal } = deadline
    const { read, write } = openTable({ client, tableName: config.tableName(), signal })
    const outbox = openOutbox({ read, write, signal, postingMs })
    try {
      return await run({
        ...outbox,
        read,
        write,
        signal,
        nonce: randomBytes(6).toString('base64url'),
        now: () => Date.now(),
        later: (job, delayS) => sendLater(job, delayS, signal),
        pause: (tries) => pauseBefore(tries, deadline),
      })
    } finally {
      await outbox.flush()
    }
  }, options.deadlineMs)

export interface BatchResult {
  batchItemFailures: { itemIdentifier: string }[]
}

/** Logs why a record failed and reports it, so that the event source hands it over again and no other. */
export const failed = (
  itemIdentifier: string,
  what: string,
  error: unknown,
): BatchResult['batchItemFailures'] => {
  log.error('A record failed', { what, cause: error instanceof Error ? String(error.stack) : String(error) })
  return [{ itemIdentifier }]
}
