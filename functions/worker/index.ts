import { unmarshall } from '@aws-sdk/util-dynamodb'
import pLimit from 'p-limit'
import { indexChangesOf, mergeChanges } from '../../shared/archive/index/changes.ts'
import type { IndexJob } from '../../shared/archive/index/context.ts'
import { type IndexChanges, indexChat } from '../../shared/archive/index/index-chat.ts'
import { enqueueJob } from '../../shared/jobs/job-queue.ts'
import { type BatchResult, failed } from '../../shared/platform/batch.ts'
import { config } from '../../shared/platform/config.ts'
import { pauseBefore, withinDeadline } from '../../shared/platform/deadline.ts'
import { measured } from '../../shared/platform/metrics.ts'
import type { WorkerWrites } from '../../shared/platform/writes.ts'
import { licenseIndexesTexts } from '../../shared/table/accounts.ts'
import { openTable, tableClient } from '../../shared/table/client.ts'

type Image = Parameters<typeof unmarshall>[0]
interface StreamEvent {
  Records: {
    dynamodb?: { Keys?: Image; NewImage?: Image; OldImage?: Image; SequenceNumber?: string }
  }[]
}

const client = tableClient()
// of the Lambda's 30 s
const deadlineMs = 20_000
const chatsAtOnce = 8

/** The records of one chat: what they make stale, and which of them comes first. */
interface Work {
  first: number
  stale: IndexChanges
}

/**
 * The stream's worker for the index. Records come at least once, in order per item. Of what can change again
 * they only say that it did, and what the table holds now is indexed; events are taken from the records. A
 * chat's are taken together. Where a chat fails, the batch comes again from its first record on.
 */
const indexAll = async ({ Records }: StreamEvent): Promise<BatchResult> => {
  const chats = new Map<string, Work>()
  for (const [index, { dynamodb = {} }] of Records.entries()) {
    const { pk, sk } = unmarshall(dynamodb.Keys ?? {})
    const change = indexChangesOf({
      key: { pk: String(pk), sk: String(sk) },
      before: dynamodb.OldImage && unmarshall(dynamodb.OldImage),
      after: dynamodb.NewImage && unmarshall(dynamodb.NewImage),
    })
    if (change === undefined) continue
    const known = chats.get(change.chat)
    const stale = known === undefined ? change.stale : mergeChanges(known.stale, change.stale)
    chats.set(change.chat, { first: known?.first ?? index, stale })
  }
  const failures = await withinDeadline(async (deadline) => {
    const table = openTable<WorkerWrites['index']>({
      client,
      tableName: config.tableName(),
      signal: deadline.signal,
    })
    const licenses = new Map<string, Promise<boolean>>()
    const ctx = {
      ...table,
      now: () => Date.now(),
      endsAt: Date.now() + deadlineMs,
      pause: (tries: number) => pauseBefore(tries, deadline),
      goOn: (job: IndexJob) => enqueueJob(job, 0, deadline.signal),
      indexesTexts: (license: string) => {
        const known = licenses.get(license) ?? licenseIndexesTexts(table.read, license)
        licenses.set(license, known)
        return known
      },
    }
    const limit = pLimit(chatsAtOnce)
    const failed = await Promise.all(
      [...chats].map(([chat, { first, stale }]) =>
        limit(() =>
          indexChat(ctx, chat, stale).then(
            () => undefined,
            (error: unknown) => ({ first, error }),
          ),
        ),
      ),
    )
    return failed.filter((one) => one !== undefined)
  }, deadlineMs)
  const [earliest] = failures.toSorted((one, other) => one.first - other.first)
  return {
    batchItemFailures:
      earliest === undefined
        ? []
        : failed(Records[earliest.first]?.dynamodb?.SequenceNumber ?? '', 'index', earliest.error),
  }
}

export const handler = measured('worker', 'index', indexAll)
