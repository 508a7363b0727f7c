import type { NodeHttpHandler } from '@smithy/node-http-handler'

// Servers of this process that answer without a socket, by port. Bundles of tests have modules of their own:
// they meet here.

interface DirectRequest {
  headers: Record<string, string>
  body: Uint8Array
}
interface DirectAnswer {
  status: number
  headers: Record<string, string>
  body: Uint8Array
}
type Direct = (request: DirectRequest) => Promise<DirectAnswer>

const key = Symbol.for('agent-chat: servers of this process')
const servers = ((globalThis as Record<symbol, unknown>)[key] ??= new Map()) as Map<number, Direct>

const directTo = (port: number | undefined): Direct | undefined =>
  port === undefined ? undefined : servers.get(port)

export const answerDirectly = (port: number, direct: Direct): void => void servers.set(port, direct)
export const answerNoMore = (port: number): void => void servers.delete(port)

type Handle = NodeHttpHandler['handle']

/** What an SDK's own handler does, where a server of this process answers directly; else undefined. */
export const handleDirectly = (...[request, options]: Parameters<Handle>): ReturnType<Handle> | undefined => {
  const asked: unknown = request.body
  if (!(asked instanceof Uint8Array)) return undefined
  const answers = directTo(request.port)
  if (answers === undefined) return undefined
  const ask = () => answers({ headers: request.headers, body: asked })
  return unlessAborted(ask, options?.abortSignal as AbortSignal | undefined).then(
    ({ status, headers, body }) => ({ response: { statusCode: status, headers, body } }),
  )
}

const unlessAborted = (
  ask: () => Promise<DirectAnswer>,
  signal: AbortSignal | undefined,
): Promise<DirectAnswer> => {
  if (signal === undefined) return ask()
  return new Promise((resolve, reject) => {
    // as the SDK's own handler calls it
    const abort = () => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    void ask()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}
