import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  DynamoDBStreamsServiceException,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
  type _Record,
} from '@aws-sdk/client-dynamodb-streams'
import { localClientConfig } from '../engine/engine.ts'

export type Start = 'LATEST' | 'TRIM_HORIZON'

/**
 * A place in a shard: behind `last`, or at `start` before the first record; without an iterator at the
 * shard's end.
 */
export type Reader = { shardId: string; start: Start; iterator: string | undefined; last: string | undefined }

/** A table's stream, whose shards are read by their iterators. */
export interface Shards {
  list(): Promise<Shard[]>
  /** A reader at the start of a shard, or behind its record `last`, where that is still in the stream. */
  open(shardId: string, start: Start, last?: string): Promise<Reader>
  /** The next records of a shard, with the reader moved behind them. */
  read(reader: Reader): Promise<_Record[]>
  close(): void
}

export const openShards = (endpoint: string, streamArn: string): Shards => {
  const streams = new DynamoDBStreamsClient(localClientConfig(endpoint))

  const iterate = async ({ shardId, start, last }: Omit<Reader, 'iterator'>) => {
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

  return {
    list: async () => {
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
    },
    open: async (shardId, start, last) => {
      const place = { shardId, start, last }
      const iterator = await iterate(place).catch((error: unknown) => {
        if (last === undefined || !(error instanceof DynamoDBStreamsServiceException)) throw error
        return iterate({ shardId, start, last: undefined })
      })
      return { ...place, iterator }
    },
    read: async (reader) => {
      if (!reader.iterator) return []
      try {
        const answer = await streams.send(new GetRecordsCommand({ ShardIterator: reader.iterator }))
        const { Records: records = [] } = answer
        reader.last = records.at(-1)?.dynamodb?.SequenceNumber ?? reader.last
        reader.iterator = answer.NextShardIterator
        return records
      } catch (error) {
        // an iterator that expired or went bad: read on behind the last record; throws where the engine is
        // away
        if (!(error instanceof DynamoDBStreamsServiceException)) throw error
        reader.iterator = await iterate(reader)
        return []
      }
    },
    close: () => streams.destroy(),
  }
}

/**
 * The shards that are to be read from now on: at first those that are open, later each that is new, a child
 * only when its parent has been read to its end. `known`: shards that are read, have been or need not be.
 */
export const shardsToRead = (
  shards: readonly Shard[],
  { start, known, reading }: { start: Start; known: ReadonlySet<string>; reading: ReadonlySet<string> },
): { read: string[]; skip: string[] } => {
  const [read, skip]: [string[], string[]] = [[], []]
  const parents = new Set(shards.map(({ ParentShardId }) => ParentShardId))
  const unread = new Set(shards.flatMap(({ ShardId: id }) => (id && !known.has(id) ? [id] : [])))
  for (const { ShardId: id, ParentShardId: parent } of shards) {
    if (!id || known.has(id)) continue
    if (start === 'LATEST') (parents.has(id) ? skip : read).push(id)
    else if (!parent || !(reading.has(parent) || unread.has(parent))) read.push(id)
  }
  return { read, skip }
}
