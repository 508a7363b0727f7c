import type { Context } from 'aws-lambda'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A bundle's `handler`; without a context it gets one of this run's own. */
export type Handler = (event: unknown, context?: Pick<Context, 'awsRequestId'>) => unknown

/** What a stack's functions find in their environment. */
export type Settings = Record<string, string | undefined>

/** Makes handlers, by the bundle's name (`agent/login`), that find these settings in their environment. */
export type LoadHandlers = (settings: Settings) => (name: string) => Promise<Handler>

/** `name`: the bundle, such as `agent/login`. `run` may be called often, with other events. */
export type Around = (
  lambda: { name: string; event: unknown },
  run: (event: unknown) => Promise<unknown>,
) => Promise<unknown>
const asItIs: Around = ({ event }, run) => run(event)

/**
 * The bundles of `dist`, as they ship: their environment is that of this process, which can so run one stack
 * of them.
 */
export const bundlesIn =
  (dist: string): LoadHandlers =>
  (settings) => {
    Object.assign(process.env, settings)
    return async (name) => {
      const file = join(dist, name, 'index.mjs')
      if (!existsSync(file)) throw new Error(`${file} is missing: npm run build makes it`)
      const { handler }: { handler: Handler } = await import(pathToFileURL(file).href)
      return handler
    }
  }

/** Handlers, each loaded once: by `load`, or when it is first invoked. One that failed is tried again. */
export const openHandlers = (loadHandler: (name: string) => Promise<Handler>, around: Around = asItIs) => {
  const loaded = new Map<string, Promise<Handler>>()
  const load = (name: string): Promise<Handler> => {
    const known = loaded.get(name)
    if (known !== undefined) return known
    const handler = loadHandler(name)
    loaded.set(name, handler)
    handler.catch(() => loaded.delete(name)) // whoever awaits it sees the failure
    return handler
  }
  const handler =
    (name: string): Handler =>
    async (event, context = { awsRequestId: randomUUID() }) => {
      const invoked = await load(name)
      return around({ name, event }, async (given) => invoked(given, context))
    }
  return { load, handler }
}
