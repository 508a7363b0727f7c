import { renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import * as z from 'zod/mini'

/** Up to where a worker has handled a stream: the last record of each shard, by the shard's id. */
const Position = z.object({ stream: z.string(), shards: z.record(z.string(), z.string()) })
export type Position = z.output<typeof Position>

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
