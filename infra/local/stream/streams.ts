import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { _Record } from '@aws-sdk/client-dynamodb-streams'
import { isDeepStrictEqual } from 'node:util'
import { localClientConfig } from '../engine/engine.ts'
import { openMarks } from './checkpoint.ts'
import { openMarkers } from './markers.ts'
import { startPolling } from './poll-shards.ts'
import { openShards, type Reader, type Shards } from './shards.ts'
import { toEventRecord } from './stream-records.ts'
import { runWorker, type StreamWorker } from './stream-worker.ts'

export type LocalStream = {
  /**
   * Resolves when every record written before the call has been handled (or given up) by every worker.
   * What the workers themselves write meanwhile is not waited for.
   */
  settled(): Promise<void>
  stop(): Promise<void>
}

type Receiver = Pick<ReturnType<typeof runWorker>, 'push'>

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
  const streamArn = await findStream(table, tableName)
  const shards = openShards(endpoint, streamArn)
  const markers = openMarkers(table, tableName)
  const stopped = Promise.withResolvers<never>()
  stopped.promise.catch(() => {})

  const handOut = (records: readonly _Record[], receivers: readonly Receiver[]) => {
    for (const record of records.map((each) => toEventRecord(each, streamArn))) {
      const { NewImage, OldImage } = record.dynamodb ?? {}
      if (markers.take(record)) continue
      // DynamoDB writes no record where nothing changed; the embedded engine does.
      if (record.eventName === 'MODIFY' && isDeepStrictEqual(NewImage, OldImage)) continue
      for (const receiver of receivers) receiver.push(record)
    }
  }
  const workers = settings.workers.map((worker) => openWorker(worker, { streamArn, shards, handOut }))
  const polling = await startPolling(
    shards,
    pollMs,
    (records, reader) => {
      handOut(records, workers)
      for (const worker of workers) worker.markRead(reader)
    },
    async () => {
      for (const worker of workers) await worker.catchUp()
    },
  )

  return {
    async settled() {
      const seen = Promise.withResolvers<void>()
      const handled = workers.map(() => Promise.withResolvers<void>())
      const takeBack = await markers.write(() => {
        workers.forEach((worker, index) => worker.whenHandled(() => handled[index]?.resolve()))
        seen.resolve()
      })
      polling.wakeUp()
      const all = Promise.all([seen, ...handled].map(({ promise }) => promise))
      await Promise.race([all, stopped.promise]).finally(takeBack)
    },
    async stop() {
      await polling.stop()
      await Promise.all(workers.map((worker) => worker.stop()))
      stopped.reject(new Error('The stream was stopped before it had settled'))
      table.destroy()
      shards.close()
    },
  }
}

/** A worker, and where it has come to. */
function openWorker(
  { checkpoint, ...worker }: StreamWorker,
  {
    streamArn,
    shards,
    handOut,
  }: {
    streamArn: string
    shards: Shards
    handOut: (records: readonly _Record[], receivers: readonly Receiver[]) => void
  },
) {
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
    for (const { ShardId: shardId } of await shards.list()) {
      if (shardId === undefined) continue
      const last = known?.stream === streamArn ? known.shards[shardId] : undefined
      const reader = await shards.open(shardId, 'TRIM_HORIZON', last)
      markRead(reader)
      for (let records = await shards.read(reader); records.length > 0; records = await shards.read(reader)) {
        handOut(records, [running])
        markRead(reader)
      }
    }
  }
  return { ...running, markRead, catchUp }
}

async function findStream(table: DynamoDBClient, tableName: string): Promise<string> {
  const { Table } = await table.send(new DescribeTableCommand({ TableName: tableName }))
  if (!Table?.LatestStreamArn) throw new Error(`Table ${tableName} has no stream`)
  return Table.LatestStreamArn
}
