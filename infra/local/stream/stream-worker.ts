import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda'
import type { FilterPattern } from '../../stack/stream-filters.ts'
import type { Checkpoint } from './checkpoint.ts'
import { matchesPattern } from './stream-records.ts'

export type StreamWorker = {
  name: string
  handler: (event: DynamoDBStreamEvent) => Promise<DynamoDBBatchResponse | void>
  /** The worker gets the records that match any of these; all, without it. */
  filter?: FilterPattern[]
  /** 100 by default, as in Lambda. */
  batchSize?: number
  /** How often a record is handed out, 5 by default, before it is dropped to `onFailure`. */
  maxAttempts?: number
  /** The wait before the second attempt, 50 ms by default; it doubles up to 20 times this. */
  retryDelayMs?: number
  /** The worker begins where it has come to by this, not with the first record written after the start. */
  checkpoint?: Checkpoint
  onFailure?: (failure: { worker: string; record: DynamoDBRecord; error: unknown }) => void
}

/** A batch that was answered with `batchItemFailures`; `sequenceNumber` is the lowest that failed. */
class ReportedFailure extends Error {
  constructor(sequenceNumber: string) {
    super(`The worker reported record ${sequenceNumber} as failed`)
  }
}

/**
 * Hands records to one worker, in order and one batch at a time, like an event source mapping with
 * `reportBatchItemFailures` and `bisectBatchOnError`: a failure is tried again from the lowest failed
 * record, later records wait behind it, and what fails for good is narrowed down to single records.
 */
export function runWorker(worker: StreamWorker) {
  const { batchSize = 100, maxAttempts = 5, retryDelayMs = 50 } = worker
  const queue: (DynamoDBRecord | (() => void))[] = []
  const stopping = new AbortController()
  let running: Promise<void> | undefined

  function wake() {
    running ??= drain().finally(() => {
      running = undefined
      if (queue.length > 0 && !stopping.signal.aborted) wake()
    })
  }

  async function drain() {
    let attempts = 0
    let limit = batchSize
    while (!stopping.signal.aborted) {
      const head = queue[0]
      if (head === undefined) return
      if (typeof head === 'function') {
        queue.shift()
        head()
        continue
      }
      const batch = nextBatch(limit)
      const failure = await invoke(batch)
      const handled = failure ? failure.index : batch.length
      queue.splice(0, handled)
      if (handled > 0) attempts = 0
      if (!failure) {
        limit = batchSize
        continue
      }
      attempts++
      if (attempts < maxAttempts) {
        await pause(Math.min(retryDelayMs * 2 ** (attempts - 1), retryDelayMs * 20), stopping.signal)
      } else if (batch.length - handled > 1) {
        limit = failure.error instanceof ReportedFailure ? 1 : Math.ceil((batch.length - handled) / 2)
        attempts = maxAttempts - 1
      } else {
        const [record] = batch.slice(handled)
        queue.shift()
        if (record) worker.onFailure?.({ worker: worker.name, record, error: failure.error })
        attempts = 0
        limit = batchSize
      }
    }
  }

  function nextBatch(limit: number): DynamoDBRecord[] {
    const batch: DynamoDBRecord[] = []
    for (const entry of queue) {
      if (typeof entry === 'function' || batch.length === limit) break
      batch.push(entry)
    }
    return batch
  }

  async function invoke(batch: DynamoDBRecord[]): Promise<{ index: number; error: unknown } | undefined> {
    try {
      // A copy, since Lambda's workers never share an event.
      const answer = await worker.handler({ Records: structuredClone(batch) })
      const failed = (answer?.batchItemFailures ?? []).map(({ itemIdentifier }) =>
        batch.findIndex(({ dynamodb }) => dynamodb?.SequenceNumber === itemIdentifier),
      )
      if (failed.length === 0) return undefined
      // Lambda takes an identifier that is not in the batch for a failure of the whole batch.
      const index = Math.max(0, Math.min(...failed))
      return { index, error: new ReportedFailure(String(batch[index]?.dynamodb?.SequenceNumber)) }
    } catch (error) {
      return { index: 0, error }
    }
  }

  return {
    push(record: DynamoDBRecord) {
      if (worker.filter && !worker.filter.some((pattern) => matchesPattern(pattern, record))) return
      queue.push(record)
      wake()
    },
    /** Calls back once every record pushed before has been handled or dropped. */
    whenHandled(callback: () => void) {
      queue.push(callback)
      wake()
    },
    /** Lets the batch that is with the handler end; what waits is not handed out any more. */
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** Resolves after the time, at once when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  const wake = () => resolve()
  signal.addEventListener('abort', wake, { once: true })
  await promise
  clearTimeout(timer)
  signal.removeEventListener('abort', wake)
}
