import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { listenOn } from './listen-on.ts'

export interface FunctionServer {
  /** Where a function is invoked. */
  urlOf(name: string): string
  /** Resolves when nothing runs, and nothing that failed is to be tried again. */
  idle(): Promise<void>
  /** The events that were given up on, the oldest first. */
  failures(): { name: string; event: unknown; error: unknown }[]
  /** Runs before each attempt, which fails where it rejects; `undefined`: nothing does. */
  setHold(hold: ((event: unknown) => void | Promise<void>) | undefined): void
  /** Answers an invocation with this status, and does not take it. */
  setFault(fault: (() => number | undefined) | undefined): void
  stop(): Promise<void>
}

// as deployed: an event that failed is tried twice more
const attempts = 3
const mostBytes = 1024 * 1024
const invocations = /^\/2015-03-31\/functions\/([\w-]+)\/invocations$/

/**
 * Takes asynchronous invocations as Lambda's API does: 202 at once, then the function runs, twice more where
 * it fails.
 *
 * @param retryDelayMs before the second and the third attempt; Lambda waits one and two minutes
 */
export const startFunctionServer = async (
  functions: Readonly<Record<string, (event: unknown) => unknown>>,
  { retryDelayMs = 1000 } = {},
): Promise<FunctionServer> => {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const failed: { name: string; event: unknown; error: unknown }[] = []
  let hold: ((event: unknown) => void | Promise<void>) | undefined
  let fault: (() => number | undefined) | undefined

  const run = async (name: string, event: unknown): Promise<void> => {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      try {
        await hold?.(event)
        await functions[name]?.(event)
        return
      } catch (error) {
        if (attempt < attempts)
          await wait(retryDelayMs, undefined, { signal: stopping.signal }).catch(() => {})
        else return void failed.push({ name, event, error })
      }
    }
  }

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const invocation = invocationOf(request, await text(request), functions)
    if (Array.isArray(invocation)) return invocation
    const status = fault?.()
    if (status !== undefined) return [status, 'ServiceException']
    const underWay = run(invocation.name, invocation.event).finally(() => running.delete(underWay))
    running.add(underWay)
    return [202]
  }

  const server = createServer((request, response) => {
    answer(request).then(
      ([status, type]) =>
        response
          .writeHead(status, type === undefined ? {} : { 'x-amzn-errortype': type })
          .end(type === undefined ? '' : JSON.stringify({ Type: 'User', Message: type })),
      () => response.destroy(), // the client went away
    )
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  return {
    urlOf: (name) => `http://127.0.0.1:${port}/2015-03-31/functions/${name}/invocations`,
    idle: async () => {
      while (running.size > 0) await Promise.all(running)
    },
    failures: () => [...failed],
    setHold: (given) => (hold = given),
    setFault: (given) => (fault = given),
    stop: async () => {
      stopping.abort()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await Promise.all([closed, ...running])
    },
  }
}

type Answer = [status: number, type?: string]

/** What a request invokes, or how it is refused. */
const invocationOf = (
  { method, url = '', headers }: IncomingMessage,
  body: string,
  functions: Readonly<Record<string, unknown>>,
): { name: string; event: unknown } | Answer => {
  const name = method === 'POST' ? invocations.exec(url)?.[1] : undefined
  if (name === undefined || !Object.hasOwn(functions, name)) return [404, 'ResourceNotFoundException']
  // an invocation that waits for its result is not needed here, and would otherwise be taken for an event
  if (headers['x-amz-invocation-type'] !== 'Event') return [400, 'InvalidParameterValueException']
  if (headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=') !== true)
    return [403, 'MissingAuthenticationTokenException']
  if (Buffer.byteLength(body) > mostBytes) return [413, 'RequestTooLargeException']
  const event = eventOf(body)
  return event === undefined ? [400, 'InvalidRequestContentException'] : { name, event }
}

const eventOf = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
