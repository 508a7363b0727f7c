import { NodeHttpHandler as SocketHandler } from '@smithy/node-http-handler'
import { type DirectAnswer, directTo } from './direct.ts'

// Stands for the SDK's own handler in the bundles of tests: what a server of the same process answers directly goes over no
// socket. Everything else does, and so does all that ships.

export * from '@smithy/node-http-handler'

export class NodeHttpHandler extends SocketHandler {
  override async handle(
    request: Parameters<SocketHandler['handle']>[0],
    options?: Parameters<SocketHandler['handle']>[1],
  ): ReturnType<SocketHandler['handle']> {
    const asked: unknown = request.body
    const isWhole = asked instanceof Uint8Array
    const answer = isWhole ? directTo(request.port)?.({ headers: request.headers, body: asked }) : undefined
    if (answer === undefined) return super.handle(request, options)
    const { status, headers, body } = await unlessAborted(
      answer,
      options?.abortSignal as AbortSignal | undefined,
    )
    return { response: { statusCode: status, headers, body } }
  }
}

const unlessAborted = (
  answer: Promise<DirectAnswer>,
  signal: AbortSignal | undefined,
): Promise<DirectAnswer> => {
  if (signal === undefined) return answer
  return new Promise((resolve, reject) => {
    // as the SDK's own handler calls it
    const abort = () => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    void answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
