import { DescribeTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  DynamoDBStreamsServiceException,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
} from '@aws-sdk/client-dynamodb-streams'
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { tableDefinition } from '../../stack/table-definition.ts'
import { localClientConfig } from '../engine/engine.ts'
import { openMarks } from './checkpoint.ts'
import { toEventRecord } from './stream-records.ts'
import { pause, runWorker, type StreamWorker } from './stream-worker.ts'

export type LocalStream = {
  /**
   * Resolves when every record written before the call has been handled (or given up) by every worker.
   * What the workers themselves write meanwhile is not waited for.
   */
  settled(): Promise<void>
  stop(): Promise<void>
}

type Start = 'LATEST' | 'TRIM_HORIZON'
/**
 * A place in a shard: behind `last`, or at `start` before the first record; without an iterator at the
 * shard's end.
 */
type Reader = { shardId: string; start: Start; iterator: string | undefined; last: string | undefined }
type Receiver = Pick<ReturnType<typeof runWorker>, 'push'>

const { partitionKey, sortKey } = tableDefinition
const markerKey = 'LOCAL#MARKER'
const discoverMs = 5000
/** After as many there may be more at once. */
const manyRecords = 100

/**
 * Polls the table's stream and hands its records to the workers, each at its own pace, as Lambda's event
 * source mappings do. They begin with the first record written after this resolved. A worker with a
 * checkpoint begins behind that one, and with all that the engine still has where it knows no place: such a
 * worker gets some records twice.
 *
 * @param pollMs the wait between polls, 25 by default; four times this after two idle seconds
 */
export async function startStream(settings: {
  endpoint: string
  tableName: string
  workers: StreamWorker[]
  pollMs?: number
}): Promise<LocalStream> {
  const { endpoint, tableName, pollMs = 25 } = settings
  const table = new DynamoDBClient(localClientConfig(endpoint))
  const streams = new DynamoDBStreamsClient(localClientConfig(endpoint))
  const workers = settings.workers.map((worker) => openWorker(worker))
  const stopping = new AbortController()
  const markers = new Map<string, () => void>()
  const stopped = Promise.withResolvers<void>()
  let wakeUp = new AbortController()

  const streamArn = await findStream(table, tableName)
  const known = new Set<string>()
  const readers = new Map<string, Reader>()
  await discover('LATEST')
  for (const worker of workers) await worker.catchUp()
  const polling = poll()

  /** A worker, and where it has come to. */
  function openWorker({ checkpoint, ...worker }: StreamWorker) {
    const marks = checkpoint && openMarks(checkpoint)
    const onFailure: StreamWorker['onFailure'] = (failure) => {
      marks?.giveUp()
      worker.onFailure?.(failure)
    }
    const running = runWorker({ ...worker, onFailure })
    const markRead = ({ shardId, last }: Reader) => {
      if (last !== undefined) marks?.add({ stream: streamArn, shardId, last }, running)
    }
    /** Gives the worker what stands in the stream behind its checkpoint. */
    const catchUp = async () => {
      if (checkpoint === undefined) return
      const known = await checkpoint.read()
      for (const { ShardId: shardId } of await listShards()) {
        if (shardId === undefined) continue
        const last = known?.stream === streamArn ? known.shards[shardId] : undefined
        const reader: Reader = { shardId, start: 'TRIM_HORIZON', iterator: undefined, last }
        markRead(reader)
        reader.iterator = await iterate(reader).catch((error: unknown) => {
          // the place is no longer in the stream
          if (!(error instanceof DynamoDBStreamsServiceException)) throw error
          return iterate({ ...reader, last: undefined })
        })
        while ((await read(reader, [running])) > 0) markRead(reader)
      }
    }
    return { ...running, markRead, catchUp }
  }

  /** Starts reading shards that are new, a child only when its parent has been read to its end. */
  async function discover(start: Start) {
    const shards = await listShards()
    const parents = new Set(shards.map(({ ParentShardId }) => ParentShardId))
    const unread = new Set(shards.map(({ ShardId }) => ShardId).filter((id) => id && !known.has(id)))
    for (const { ShardId: shardId, ParentShardId: parentId } of shards) {
      if (!shardId || known.has(shardId)) continue
      if (start === 'TRIM_HORIZON' && parentId && (readers.has(parentId) || unread.has(parentId))) continue
      if (start === 'TRIM_HORIZON' || !parents.has(shardId)) {
        const reader: Reader = { shardId, start, iterator: undefined, last: undefined }
        reader.iterator = await iterate(reader)
        readers.set(shardId, reader)
      }
      known.add(shardId)
    }
  }

  async function listShards(): Promise<Shard[]> {
    const shards: Shard[] = []
    let after: string | undefined
    do {
      const { StreamDescription: page } = await streams.send(
        new DescribeStreamCommand({ StreamArn: streamArn, ...(after && { ExclusiveStartShardId: after }) }),
      )
      shards.push(...(page?.Shards ?? []))
      after = page?.LastEvaluatedShardId
    } while (after)
    return shards
  }

  async function iterate({ shardId, start, last }: Reader) {
    const answer = await streams.send(
      new GetShardIteratorCommand({
        StreamArn: streamArn,
        ShardId: shardId,
        ShardIteratorType: last ? 'AFTER_SEQUENCE_NUMBER' : start,
        SequenceNumber: last,
      }),
    )
    return answer.ShardIterator
  }

  async function poll() {
    let discoverAt = Date.now() + discoverMs
    let busyAt = Date.now()
    while (!stopping.signal.aborted) {
      let found = 0
      try {
        if (readers.size === 0 || Date.now() > discoverAt) {
          await discover('TRIM_HORIZON')
          discoverAt = Date.now() + discoverMs
        }
        for (const reader of readers.values()) {
          const records = await read(reader, workers)
          found += records
          if (records > 0) for (const worker of workers) worker.markRead(reader)
          if (reader.iterator) continue
          readers.delete(reader.shardId)
          discoverAt = 0
        }
      } catch {
        // The engine is away for the moment; the readers keep their places.
        await pause(250, stopping.signal)
      }
      if (found > 0) busyAt = Date.now()
      // also behind a few records: DynamoDB Local does one thing at a time, and a poll is the longest of them
      if (found < manyRecords) await pause(Date.now() - busyAt > 2000 ? pollMs * 4 : pollMs, wakeUp.signal)
    }
  }

  async function read(reader: Reader, receivers: Receiver[]): Promise<number> {
    if (!reader.iterator) return 0
    try {
      const answer = await streams.send(new GetRecordsCommand({ ShardIterator: reader.iterator }))
      for (const record of answer.Records ?? []) {
        reader.last = record.dynamodb?.SequenceNumber
        take(toEventRecord(record, streamArn), receivers)
      }
      reader.iterator = answer.NextShardIterator
      return answer.Records?.length ?? 0
    } catch (error) {
      // an iterator that expired or went bad: read on behind the last record; throws where the engine is away
      if (!(error instanceof DynamoDBStreamsServiceException)) throw error
      reader.iterator = await iterate(reader)
      return 0
    }
  }

  function take(record: ReturnType<typeof toEventRecord>, receivers: Receiver[]) {
    const { Keys, NewImage, OldImage } = record.dynamodb ?? {}
    if (Keys?.[partitionKey]?.S === markerKey) {
      markers.get(NewImage?.['nonce']?.S ?? '')?.()
      return
    }
    // DynamoDB writes no record where nothing changed; the embedded engine does.
    if (record.eventName === 'MODIFY' && isDeepStrictEqual(NewImage, OldImage)) return
    for (const worker of receivers) worker.push(record)
  }

  return {
    async settled() {
      const nonce = randomUUID()
      const seen = Promise.withResolvers<void>()
      const handled = workers.map(() => Promise.withResolvers<void>())
      markers.set(nonce, () => {
        workers.forEach((worker, index) => worker.whenHandled(() => handled[index]?.resolve()))
        seen.resolve()
      })
      await table.send(
        new PutItemCommand({
          TableName: tableName,
          Item: { [partitionKey]: { S: markerKey }, [sortKey]: { S: markerKey }, nonce: { S: nonce } },
        }),
      )
      wakeUp.abort()
      wakeUp = new AbortController()
      await Promise.race([Promise.all([seen, ...handled].map(({ promise }) => promise)), stopped.promise])
      markers.delete(nonce)
      if (stopping.signal.aborted) throw new Error('The stream was stopped before it had settled')
    },
    async stop() {
      stopping.abort()
      wakeUp.abort()
      await polling
      await Promise.all(workers.map((worker) => worker.stop()))
      stopped.resolve()
      table.destroy()
      streams.destroy()
    },
  }
}

async function findStream(table: DynamoDBClient, tableName: string): Promise<string> {
  const { Table } = await table.send(new DescribeTableCommand({ TableName: tableName }))
  if (!Table?.LatestStreamArn) throw new Error(`Table ${tableName} has no stream`)
  return Table.LatestStreamArn
}
