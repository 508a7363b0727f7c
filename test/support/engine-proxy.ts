import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { answerDirectly, answerNoMore } from './direct.ts'
import { type PricedAnswer, type PricedRequest, priceOf } from './capacity.ts'
import { type EngineAnswer, openEngineConnections, writing } from './engine-connections.ts'
import { runningLambda } from './lambda-name.ts'

export type Call = {
  operation: string
  request: PricedRequest & Record<string, unknown>
  /** `performance.now()` when the request was read and when the answer was on its way. */
  startedAt: number
  endedAt: number
  /** Of the answer that the client got; 0 where its connection was cut. */
  status: number
  /** The Lambda that made it, where its requests say so (`x-lambda`). */
  lambda?: string | undefined
  /** What the engine did: undefined where the call never got there, or nobody knows. */
  engine?: { sentAt: number; endedAt: number; status: number | 'unknown' }
  /** What DynamoDB would charge for it; 0 if a fault kept it from the engine. */
  rru: number
  wru: number
}

/** What goes wrong with a call. A fault with nothing but `delayMs` is a slow call that succeeds. */
export type Fault = {
  /** `TransactionConflictException`, `InternalServerError`, ... */
  errorType?: string
  /** 500 for the server's own errors, 400 for the others. */
  status?: number
  /** Further fields of the answer, such as `CancellationReasons`. */
  body?: Record<string, unknown>
  /** Cuts the connection instead of answering. */
  reset?: boolean
  /** Performs the call first, so that only its answer is lost. */
  afterWrite?: boolean
  delayMs?: number
}

/** Another transaction is under way on the first of so many items. */
export const conflictOf = (items: number): Fault => ({
  errorType: 'TransactionCanceledException',
  body: {
    CancellationReasons: Array.from({ length: items }, (_, i) => ({
      Code: i === 0 ? 'TransactionConflict' : 'None',
    })),
  },
})

/** Asked for each call; one that awaits holds the call until it resolves. */
type FaultFor = (
  call: Pick<Call, 'operation' | 'request' | 'lambda'>,
) => Fault | undefined | Promise<Fault | undefined>

type Recorded<T> = { result: T; calls: Call[]; sequentialDepth: number; rru: number; wru: number }
export type EngineProxy = {
  endpoint: string
  /** All calls that ended, in the order in which they did. Those to streams are passed on and not listed. */
  calls: Call[]
  /** Runs the function and tells about the calls that ended meanwhile, whoever made them. */
  record<T>(fn: () => Promise<T>): Promise<Recorded<T>>
  setFault(fault: FaultFor | undefined): void
  /** Makes each call take this much longer, so that calls made side by side do overlap. */
  setDelay(ms: number): void
  /** The engine behind it: one that was started anew has another address. */
  setTarget(endpoint: string): void
  stop(): Promise<void>
}

type Headers = IncomingMessage['headers']

const serverErrors = new Set(['InternalServerError', 'ServiceUnavailable', 'InternalFailure'])

/**
 * A proxy on loopback before a DynamoDB engine that counts, prices, delays and spoils its calls. `onCall` is
 * told of each call that ended, in place of the list, and unpriced; `onWritten` whenever the engine may hold
 * something new.
 */
export async function startEngineProxy(
  target: string,
  { onCall, onWritten }: { onCall?: (call: Call) => void; onWritten?: () => void } = {},
): Promise<EngineProxy> {
  let engine = openEngineConnections(target)
  const calls: Call[] = []
  let faultFor: FaultFor | undefined
  let delayMs = 0

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const exchange = await perform(request.headers, await buffer(request))
    if (exchange) answer(response, exchange)
    else response.destroy()
  }

  /** Undefined where the connection is cut. */
  async function perform(headers: Headers, body: Buffer): Promise<EngineAnswer | undefined> {
    const [service = '', operation = ''] = String(headers['x-amz-target'] ?? '').split('.')
    if (!service.startsWith('DynamoDB_')) return engine.post(headers, body)

    const text = body.toString()
    const call: Call = {
      operation,
      request: JSON.parse(text),
      startedAt: performance.now(),
      endedAt: 0,
      status: 0,
      lambda: headers['x-lambda']?.toString() ?? runningLambda(),
      rru: 0,
      wru: 0,
    }
    const fault = await faultFor?.(call)
    const lateBy = delayMs + (fault?.delayMs ?? 0)
    if (lateBy > 0) await wait(lateBy)
    const fails =
      fault !== undefined && (fault.reset || fault.errorType !== undefined || fault.status !== undefined)
    let exchange: EngineAnswer | undefined
    if (!fails || fault.afterWrite) {
      const isPriced = onCall === undefined
      const sentAt = performance.now()
      const ended = (status: number | 'unknown') => {
        call.engine = { sentAt, endedAt: performance.now(), status }
      }
      try {
        exchange = await engine.post(headers, isPriced ? pricing(call, text) : body)
      } catch {
        // the engine is away, or went in the middle of it
        ended('unknown')
        end(call)
        return undefined
      }
      ended(exchange.status)
      if (writing.test(operation)) onWritten?.()
      if (isPriced)
        Object.assign(
          call,
          priceOf(operation, call.request, JSON.parse(exchange.body.toString()) as PricedAnswer),
        )
    }
    if (fails) exchange = fault.reset ? undefined : failure(fault)
    call.status = exchange?.status ?? 0
    end(call)
    return exchange
  }

  function end(call: Call) {
    call.endedAt = performance.now()
    if (onCall === undefined) calls.push(call)
    else onCall(call)
  }

  const own = (server.address() as AddressInfo).port
  answerDirectly(own, ({ headers, body }) => {
    const { buffer: bytes, byteOffset, byteLength } = body
    return perform(headers, Buffer.from(bytes, byteOffset, byteLength)).then((exchange) => {
      if (exchange === undefined) throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
      return {
        status: exchange.status,
        headers: { 'content-type': exchange.contentType },
        body: exchange.body,
      }
    })
  })

  return {
    endpoint: `http://127.0.0.1:${own}`,
    calls,
    async record(fn) {
      const before = calls.length
      const result = await fn()
      const made = calls.slice(before)
      const total = (unit: 'rru' | 'wru') => made.reduce((sum, call) => sum + call[unit], 0)
      return {
        result,
        calls: made,
        sequentialDepth: sequentialDepth(made),
        rru: total('rru'),
        wru: total('wru'),
      }
    },
    setFault(fault) {
      faultFor = fault
    },
    setDelay(ms) {
      delayMs = ms
    },
    setTarget(endpoint) {
      engine.close()
      engine = openEngineConnections(endpoint)
    },
    async stop() {
      answerNoMore(own)
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      engine.close()
      await closed
    },
  }
}

/** The length of the longest chain of calls of which each began after the one before had ended. */
export function sequentialDepth(calls: Pick<Call, 'startedAt' | 'endedAt'>[]): number {
  let depth = 0
  let endedAt = -Infinity
  for (const call of calls.toSorted((a, b) => a.endedAt - b.endedAt)) {
    if (call.startedAt < endedAt) continue
    depth++
    endedAt = call.endedAt
  }
  return depth
}

/** The call's request, asking for what it takes. */
function pricing({ request }: Call, text: string): Buffer {
  const { ReturnConsumedCapacity: asked } = request
  if (asked === undefined && text !== '{}')
    return Buffer.from(text.replace('{', '{"ReturnConsumedCapacity":"TOTAL",'))
  return Buffer.from(
    JSON.stringify(asked === 'NONE' ? { ...request, ReturnConsumedCapacity: 'TOTAL' } : request),
  )
}

function answer(response: ServerResponse, { status, contentType, body }: EngineAnswer) {
  response.writeHead(status, { 'content-type': contentType, 'content-length': body.length }).end(body)
}

function failure({ errorType = 'InternalServerError', status, body = {} }: Fault): EngineAnswer {
  const text = JSON.stringify({
    __type: `com.amazonaws.dynamodb.v20120810#${errorType}`,
    message: 'Injected',
    ...body,
  })
  return {
    status: status ?? (serverErrors.has(errorType) ? 500 : 400),
    contentType: 'application/x-amz-json-1.0',
    body: Buffer.from(text),
  }
}
