import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda'
import type { FilterPattern } from '../../stack/stream-filters.ts'
import type { Checkpoint } from './checkpoint.ts'
import { pause } from './pause.ts'
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

type Failure = { index: number; error: unknown }

/** How a batch went, and what comes of it: see `afterBatch`. */
interface Tries {
  attempts: number
  /** How many records the next batch may have. */
  limit: number
}

type Step = 'go on' | 'wait' | 'give up'

/**
 * What follows a batch of `size` records: how many leave the queue, whether the first of those left is given
 * up, and whether there is a wait before the next. `tries` says how often the head of the queue has failed.
 */
const afterBatch = (
  { attempts, limit }: Tries,
  size: number,
  failure: Failure | undefined,
  { batchSize, maxAttempts }: { batchSize: number; maxAttempts: number },
): { handled: number; next: Tries; step: Step } => {
  const afresh = { attempts: 0, limit: batchSize }
  if (failure === undefined) return { handled: size, next: afresh, step: 'go on' }
  const handled = failure.index
  const failed = (handled > 0 ? 0 : attempts) + 1
  if (failed < maxAttempts) return { handled, next: { attempts: failed, limit }, step: 'wait' }
  const left = size - handled
  if (left === 1) return { handled, next: afresh, step: 'give up' }
  const narrower = failure.error instanceof ReportedFailure ? 1 : Math.ceil(left / 2)
  return { handled, next: { attempts: maxAttempts - 1, limit: narrower }, step: 'go on' }
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
    let tries: Tries = { attempts: 0, limit: batchSize }
    while (!stopping.signal.aborted) {
      const head = queue[0]
      if (head === undefined) return
      if (typeof head === 'function') {
        queue.shift()
        head()
        continue
      }
      const batch = nextBatch(tries.limit)
      const failure = await invoke(worker, batch)
      const after = afterBatch(tries, batch.length, failure, { batchSize, maxAttempts })
      tries = after.next
      queue.splice(0, after.handled)
      if (after.step === 'wait')
        await pause(Math.min(retryDelayMs * 2 ** (tries.attempts - 1), retryDelayMs * 20), stopping.signal)
      if (after.step !== 'give up') continue
      queue.shift()
      const record = batch[after.handled]
      if (record) worker.onFailure?.({ worker: worker.name, record, error: failure?.error })
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

async function invoke(worker: StreamWorker, batch: DynamoDBRecord[]): Promise<Failure | undefined> {
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
