import type { _Record } from '@aws-sdk/client-dynamodb-streams'
import { pause } from './pause.ts'
import { type Reader, type Shards, shardsToRead, type Start } from './shards.ts'

const discoverMs = 5000
const idleMs = 2000
/** After as many there may be more at once. */
const manyRecords = 100

type OnRecords = (records: _Record[], reader: Reader) => void

interface Poller {
  /** The next poll begins at once. */
  wakeUp(): void
  stop(): Promise<void>
}

/** The places in those shards that are read. */
const openReaders = (shards: Shards) => {
  const readers = new Map<string, Reader>()
  const known = new Set<string>()
  let discoverAt = 0

  const discover = async (start: Start): Promise<void> => {
    const reading = new Set(readers.keys())
    const { read, skip } = shardsToRead(await shards.list(), { start, known, reading })
    for (const shardId of skip) known.add(shardId)
    for (const shardId of read) {
      readers.set(shardId, await shards.open(shardId, start))
      known.add(shardId)
    }
    discoverAt = Date.now() + discoverMs
  }
  return {
    discover,
    /** Reads on in each shard; resolves to how many records there were. */
    async readAll(onRecords: OnRecords): Promise<number> {
      if (readers.size === 0 || Date.now() > discoverAt) await discover('TRIM_HORIZON')
      let found = 0
      for (const reader of readers.values()) {
        const records = await shards.read(reader)
        found += records.length
        if (records.length > 0) onRecords(records, reader)
        if (reader.iterator) continue
        readers.delete(reader.shardId)
        discoverAt = 0
      }
      return found
    },
  }
}

/**
 * Reads the shards of a stream from their ends on, and those that come after them from their beginnings.
 * Resolves once it has a place in each: what is written from then on reaches `onRecords`, behind `prepare`.
 */
export const startPolling = async (
  shards: Shards,
  pollMs: number,
  onRecords: OnRecords,
  prepare: () => Promise<void>,
): Promise<Poller> => {
  const readers = openReaders(shards)
  const stopping = new AbortController()
  let wakeUp = new AbortController()

  const poll = async () => {
    let busyAt = Date.now()
    while (!stopping.signal.aborted) {
      let found = 0
      try {
        found = await readers.readAll(onRecords)
      } catch {
        // The engine is away for the moment; the readers keep their places.
        await pause(250, stopping.signal)
      }
      if (found > 0) busyAt = Date.now()
      // also behind a few records: DynamoDB Local does one thing at a time, and a poll is the longest of them
      const isIdle = Date.now() - busyAt > idleMs
      if (found < manyRecords) await pause(isIdle ? pollMs * 4 : pollMs, wakeUp.signal)
    }
  }

  await readers.discover('LATEST')
  await prepare()
  const polling = poll()
  return {
    wakeUp: () => {
      wakeUp.abort()
      wakeUp = new AbortController()
    },
    stop: async () => {
      stopping.abort()
      wakeUp.abort()
      await polling
    },
  }
}
