import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as z from 'zod/mini'

/** A process: ids are given again, so that its id alone does not tell whether it still runs. */
const Holder = z.object({ pid: z.int(), began: z.string() })
type Holder = z.output<typeof Holder>

/**
 * Makes this process the only one that works in a folder, until it ends. A lock whose process has ended is
 * taken over.
 * @param describe a sentence about the process that has the lock
 * @throws Error with that sentence
 */
export async function lockFolder(dir: string, describe: (pid: number) => Promise<string>): Promise<void> {
  await mkdir(dir, { recursive: true })
  const file = join(dir, 'lock')
  const own = `${file}.${randomUUID()}`
  const aside = `${own}.stale`
  const text = JSON.stringify({ pid: process.pid, began: (await beganAt(process.pid)) ?? '' })
  await writeFile(own, text, { flag: 'wx' })
  try {
    // a link appears whole, and never in the place of another
    while (!(await succeeds(link(own, file), 'EEXIST'))) {
      const found = await readFile(file, 'utf8').catch(() => '')
      const holder = holderIn(found)
      if (holder !== undefined && (await beganAt(holder.pid)) === holder.began)
        throw new Error(await describe(holder.pid))
      if (!(await succeeds(rename(file, aside), 'ENOENT'))) continue
      // another start may have taken over what was stale, just before this rename
      if ((await readFile(aside, 'utf8')) !== found) await succeeds(link(aside, file), 'EEXIST')
      await rm(aside)
    }
  } finally {
    await rm(own)
  }
  process.once('exit', () => rmSync(file, { force: true }))
}

const holderIn = (text: string): Holder | undefined => {
  try {
    return Holder.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** When a process began, in the system's own terms; undefined where none of this id runs. */
const beganAt = async (pid: number): Promise<string | undefined> => {
  try {
    switch (process.platform) {
      case 'linux': {
        const text = await readFile(`/proc/${pid}/stat`, 'utf8')
        // behind the name, which may hold anything: field 3 is the state, field 22 the time
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
        return fields[0] === 'Z' ? undefined : fields[19]
      }
      case 'win32':
        process.kill(pid, 0)
        return ''
      default: {
        const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
        const { stdout } = await promisify(execFile)('ps', ['-p', String(pid), '-o', 'lstart='], { env })
        return stdout.trim()
      }
    }
  } catch {
    return undefined
  }
}

/** Resolves to whether it did; one failure is expected. */
const succeeds = (done: Promise<void>, expected: string): Promise<boolean> =>
  done.then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === expected) return false
      throw error
    },
  )
