import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The text of a file that only its owner may read, made at the first call; of two first calls at once, both
 * get the same.
 */
export async function openSecretFile(file: string, make: () => string | Promise<string>): Promise<string> {
  const existing = await read(file)
  if (existing !== undefined) return existing
  await mkdir(dirname(file), { recursive: true })
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, await make(), { flag: 'wx', mode: 0o600 })
  try {
    // a link appears whole, and never in the place of another
    await link(draft, file).catch(unless('EEXIST'))
  } finally {
    await rm(draft)
  }
  const made = await read(file)
  if (made !== undefined) return made
  throw new Error(`${file} was deleted while it was made`)
}

const read = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(unless('ENOENT'))

/** Lets one expected failure pass as undefined. */
const unless =
  (code: string) =>
  (error: unknown): undefined => {
    if (!(error instanceof Error && 'code' in error && error.code === code)) throw error
  }
