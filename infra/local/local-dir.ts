import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'

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
}

/** Says where the stack runs; the function returned takes it back. */
export const announce = async (stack: RunningStack): Promise<() => Promise<void>> => {
  await writeFile(stackFile, JSON.stringify(stack))
  return () => rm(stackFile, { force: true })
}

/** The URL of a stack that runs on these data already. One that was killed has left its file, but does not answer. */
export const alreadyRunning = async (): Promise<string | undefined> => {
  try {
    const { agent_url } = z.parse(
      z.object({ agent_url: z.string() }),
      JSON.parse(await readFile(stackFile, 'utf8')),
    )
    const { status } = await fetch(agent_url.replace(/^ws/, 'http'), { signal: AbortSignal.timeout(2000) })
    // what the gateway answers to whoever does not speak WebSocket
    return status === 426 ? agent_url : undefined
  } catch {
    return undefined
  }
}
