import { renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'

/** Up to where a worker has handled a stream: the last record of each shard, by the shard's id. */
const Position = z.object({ stream: z.string(), shards: z.record(z.string(), z.string()) })
type Position = z.output<typeof Position>

/** Where a worker goes on in the next run, however this one ends. */
export interface Checkpoint {
  /** Undefined where it is not known. */
  read(): Promise<Position | undefined>
  save(position: Position): void
}

/**
 * A checkpoint that is kept in a file.
 * @param done resolves once what the worker has put off is done too
 */
export const openCheckpoint = (file: string, done: () => Promise<void>): Checkpoint => ({
  read: async () => {
    try {
      return z.parse(Position, JSON.parse(await readFile(file, 'utf8')))
    } catch {
      return undefined
    }
  },
  save: (position) => {
    const text = JSON.stringify(position)
    void done()
      .then(() => {
        // a rename appears whole
        writeFileSync(`${file}.new`, text)
        renameSync(`${file}.new`, file)
      })
      // the next run then does more again than it need
      .catch(() => {})
  },
})

/**
 * Saves up to where a worker has handled what was read. What it has given up on is handed out again by the
 * next run.
 */
export const openMarks = (checkpoint: Checkpoint) => {
  const read: Position['shards'] = {}
  let isUnderWay = false
  let hasGivenUp = false
  // one at a time goes through the worker's queue: each ends a batch
  const mark = (stream: string, worker: { whenHandled(callback: () => void): void }) => {
    isUnderWay = true
    const shards = { ...read }
    worker.whenHandled(() => {
      isUnderWay = false
      if (hasGivenUp) return
      checkpoint.save({ stream, shards })
      if (!isDeepStrictEqual(shards, read)) mark(stream, worker)
    })
  }
  return {
    /** Notes the last record of a shard that the worker was given. */
    add(
      { stream, shardId, last }: { stream: string; shardId: string; last: string },
      worker: Parameters<typeof mark>[1],
    ) {
      read[shardId] = last
      if (!isUnderWay) mark(stream, worker)
    },
    giveUp() {
      hasGivenUp = true
    },
  }
}
