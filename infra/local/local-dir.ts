import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { lockFolder } from './lock.ts'

const root = join(import.meta.dirname, '../..')
const other = process.env['AGENT_CHAT_LOCAL_DIR'] || undefined

/** Where the local stack keeps its data, its key and its log; `AGENT_CHAT_LOCAL_DIR` names another place. */
export const localDir = other ?? join(root, '.local')
/** Where it bundles the handlers to: with a folder of its own it leaves those of other stacks alone. */
export const localDist = join(other ?? root, 'dist')

const stackFile = join(localDir, 'stack.json')

/** What a running stack says of itself, for `npm run admin` and for a second start. */
interface RunningStack {
  agent_url: string
  endpoint: string
  table: string
  issuer: string
  audience: string
  token_url: string
}

/** Makes this the only stack on these data, until it ends. */
export const lockLocalDir = async (): Promise<void> => {
  await lockFolder(localDir, async (pid) => {
    const url = await announcedUrl()
    return (
      `The stack already runs on ${localDir}, as process ${pid}${url === undefined ? '' : ` at ${url}`}: ` +
      'stop it first, or give this one another folder with AGENT_CHAT_LOCAL_DIR.'
    )
  })
  // of a run that was killed
  await rm(stackFile, { force: true })
}

/** Says where the stack runs; the function returned takes it back. */
export const announce = async (stack: RunningStack): Promise<() => Promise<void>> => {
  await writeFile(stackFile, JSON.stringify(stack))
  return () => rm(stackFile, { force: true })
}

/** Where the stack of this folder says that it runs; undefined while it is about to. */
const announcedUrl = async (): Promise<string | undefined> => {
  try {
    const text = await readFile(stackFile, 'utf8')
    return z.parse(z.object({ agent_url: z.string() }), JSON.parse(text)).agent_url
  } catch {
    return undefined
  }
}
