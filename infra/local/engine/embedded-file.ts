import { rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const memory = '/dev/shm'
const leastRoom = 512 * 1024 * 1024

const hasRoom = (dir: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize >= leastRoom
  } catch {
    return false
  }
}

/** The folder for the file of an engine that keeps nothing: in memory, where this machine has one there. */
export const fleetingFolder = (): string => (hasRoom(memory) ? memory : tmpdir())

/**
 * Such a file. Once it is open it loses its name, so that nothing is left of it, whatever ends the engine.
 */
export const fleetingFile = (folder: string, port: number): string =>
  join(folder, `agent-chat-${process.pid}-${port}.db`)

export const removeFile = (file: string): void => {
  for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true })
}

/**
 * Gives an embedded engine's file an index on the numbers of its stream's records. With each record that the
 * engine writes it looks for the highest: without an index it reads all that the stream has held, and after
 * 10,000 records a transaction takes ten times as long.
 */
export const indexStream = (file: string): void => {
  const database = new DatabaseSync(file, { timeout: 5000 })
  const records = '_stream_records (table_name, CAST(sequence_number AS INTEGER))'
  database.exec(`CREATE INDEX IF NOT EXISTS stream_order ON ${records}`)
  database.close()
}
