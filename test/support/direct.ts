import type { NodeHttpHandler } from '@smithy/node-http-handler'

// Servers of this process that answer without a socket, by port. Bundles of tests have modules of their own:
// they meet here.

interface DirectRequest {
  method: string
  path: string
  headers: Record<string, string>
  body: Uint8Array
}
interface DirectAnswer {
  status: number
  headers: Readonly<Record<string, string>>
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
  const answers = directTo(request.port)
  const asked = bytesOf(request.body)
  if (answers === undefined || asked === undefined) return undefined
  const { method, path, headers } = request
  const ask = () => answers({ method, path, headers, body: asked })
  return unlessAborted(ask, options?.abortSignal as AbortSignal | undefined).then((answer) => ({
    response: { statusCode: answer.status, headers: answer.headers, body: readable(answer.body) },
  }))
}

/** Undefined of a body that is still to be read. */
const bytesOf = (body: unknown): Uint8Array | undefined => {
  if (body === undefined || typeof body === 'string') return Buffer.from(body ?? '')
  return body instanceof Uint8Array ? body : undefined
}

/** Bytes for those who take a body as such, and for those who read it as a stream. */
const readable = (bytes: Uint8Array) =>
  Object.assign(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
    async *[Symbol.asyncIterator]() {
      yield bytes
    },
  })

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
