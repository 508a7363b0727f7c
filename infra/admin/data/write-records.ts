import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { stringifyJson } from '../../../shared/protocol/json.ts'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { counted, type Io } from '../cli/output.ts'
import { openProgress } from '../cli/progress.ts'
import type { ExportRecord } from './export-records.ts'

/** Where lines go to. `end`: all are written; `drop`: not all will be. */
interface Sink {
  line(text: string): Promise<void>
  end(): Promise<void>
  drop(): Promise<void>
}

/**
 * Writes records, a line each, between a line that says of what they are and one that counts them. Resolves
 * to how many there were of each kind; undefined, with nothing written, where there are none.
 */
export const writeRecords = async (
  io: Io,
  file: string | undefined,
  of: Record<string, string>,
  records: AsyncIterable<ExportRecord>,
): Promise<ReadonlyMap<string, number> | undefined> => {
  const counts = new Map<string, number>()
  const progress = openProgress(io)
  let sink: Sink | undefined
  try {
    for await (const record of records) {
      sink ??= await openSink(io, file, of)
      await sink.line(stringifyJson(record))
      counts.set(record.record, (counts.get(record.record) ?? 0) + 1)
      progress.show(() => inWords(counts))
    }
    if (sink === undefined) return undefined
    await sink.line(JSON.stringify({ record: 'end', counts: Object.fromEntries(counts) }))
    await sink.end()
    return counts
  } catch (error) {
    await sink?.drop()
    throw error
  } finally {
    progress.clear()
  }
}

export const inWords = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([record, count]) => counted(count, record)).join(', ')

const openSink = async (io: Io, file: string | undefined, of: Record<string, string>): Promise<Sink> => {
  const sink = file === undefined ? toOut(io) : await toFile(file)
  await sink.line(
    JSON.stringify({ record: 'export', format: 1, ...of, exported_at: new Date(io.now()).toISOString() }),
  )
  return sink
}

const toOut = (io: Io): Sink => ({
  line: async (text) => {
    io.out(`${text}\n`)
    await io.drained?.()
  },
  end: async () => {},
  drop: async () => {},
})

/** A file that has its name once it is complete; for its owner's eyes only. */
const toFile = async (file: string): Promise<Sink> => {
  const exists = new AdminError(`${file} exists. Choose another --out.`)
  const isThere = async () =>
    open(file).then(
      async (found) => {
        await found.close()
        return true
      },
      () => false,
    )
  if (await isThere()) throw exists
  const partial = `${file}.partial`
  const handle = await openNew(partial)
  return {
    line: async (text) => void (await handle.write(`${text}\n`)),
    end: async () => {
      await handle.sync()
      await handle.close()
      if (await isThere()) throw exists
      await rename(partial, file)
    },
    drop: async () => {
      await handle.close().catch(() => {})
      await rm(partial, { force: true })
    },
  }
}

const openNew = async (file: string): Promise<FileHandle> => {
  // what a run that was killed has left
  await rm(file, { force: true })
  try {
    return await open(file, 'wx', 0o600)
  } catch (error) {
    throw new AdminError(
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
