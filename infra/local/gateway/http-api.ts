import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import * as z from 'zod/mini'
import { InFlight } from '../in-flight.ts'
import { listenOn } from '../listen-on.ts'
import { httpEvent } from './http-event.ts'
import { type Ending, invoke } from './invoke.ts'
import { type Faults, type GatewayOptions, type RequestEntry, type Route, settingsOf } from './settings.ts'

/** An HTTP API on this machine. */
export interface HttpApi {
  /** `http://127.0.0.1:<port>`; paths follow. */
  readonly url: string
  setFaults(faults: Pick<Faults, 'invocation'>): void
  /** Resolves once no invocation is under way. */
  idle(): Promise<void>
  /** Waits for what is under way, frees the port. */
  close(): Promise<void>
}

type HttpApiOptions = Pick<GatewayOptions, 'apiId' | 'port' | 'clock' | 'limits' | 'faults' | 'onRequest'> & {
  /** By route key: `POST /path` and `$default`. */
  readonly routes: ReadonlyMap<string, Pick<Route, 'handler' | 'functionName'>>
}

const mostBytes = 10 * 1024 * 1024
const mostHeaderBytes = 10_240

const WithError = z.object({ error: z.object({ type: z.string() }) })

/**
 * Starts an API Gateway for HTTP APIs: each request becomes an invocation of its route's Lambda, and the
 * result the response.
 * @throws {Error} where the port is taken
 */
export const startHttpApi = async ({ routes, ...options }: HttpApiOptions): Promise<HttpApi> => {
  const settings = settingsOf({ ...options, stage: '', routes: new Map() })
  const { apiId, clock, limits, onRequest } = settings
  const work = new InFlight()

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const body = await bodyOf(request)
    if (body === undefined) return gatewayError(413, 'Request Entity Too Large')
    const key = routeKeyOf(request, routes)
    const route = routes.get(key)
    if (route === undefined) return gatewayError(404, 'Not Found')
    const time = clock.now()
    const event = httpEvent(request, body, { apiId, routeKey: key, now: time })
    const { requestId } = event.requestContext
    const ending = await run(route, event)
    const entry = { time, api: apiId, route: key, connectionId: '-', requestId, ms: clock.now() - time }
    onRequest?.({ ...entry, ...outcomeOf(ending) })
    return { ...answerOf(ending), requestId }
  }
  const run = async (
    { handler, functionName = apiId }: Pick<Route, 'handler' | 'functionName'>,
    event: ReturnType<typeof httpEvent>,
  ): Promise<Ending> => {
    const { fail } = (await settings.faults.invocation?.({ route: event.routeKey, event })) ?? {}
    const failed: Ending = { how: 'failed', error: new Error('A fault made this invocation fail') }
    if (fail === 'before') return failed
    const { answer: answered, over } = invoke({ handler, functionName, event }, clock, limits)
    void work.track(over)
    const ending = await answered
    return fail === 'after' ? failed : ending
  }

  const server = createServer({ maxHeaderSize: mostHeaderBytes }, (request, response) => {
    void work.track(
      answer(request).then(
        (answered) => respond(response, answered),
        () => response.destroy(), // the client went away
      ),
    )
  })
  const port = await listenOn(server, options.port, '127.0.0.1')
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    const ended = once(server, 'close')
    server.close()
    await work.none(() => true)
    server.closeAllConnections()
    await ended
  }
  return {
    url: `http://127.0.0.1:${port}`,
    setFaults: (faults) => {
      settings.faults = faults
    },
    idle: () => work.none(() => true),
    close: () => (closed ??= close()),
  }
}

interface Answer {
  status: number
  headers: Readonly<Record<string, string | number | boolean>>
  body: string | Buffer
  requestId?: string
}

const respond = (response: ServerResponse, { status, headers, body, requestId }: Answer): void => {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, String(value))
  if (requestId !== undefined) response.setHeader('apigw-requestid', requestId)
  response.writeHead(status).end(body)
}

/** What the gateway itself tells a client. */
const gatewayError = (status: number, message: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message }),
})

const routeKeyOf = ({ method, url = '/' }: IncomingMessage, routes: ReadonlyMap<string, unknown>): string => {
  const key = `${method} ${url.split('?')[0]}`
  return routes.has(key) ? key : '$default'
}

/** The whole body; undefined where it is larger than the gateway takes. */
const bodyOf = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= mostBytes) chunks.push(chunk)
  })
  await once(request, 'end')
  return bytes > mostBytes ? undefined : Buffer.concat(chunks)
}

const answerOf = (ending: Ending): Answer => {
  switch (ending.how) {
    case 'timeout':
      return gatewayError(503, 'Service Unavailable')
    case 'failed':
      return gatewayError(500, 'Internal Server Error')
    case 'ended': {
      const { statusCode = 200, headers, body = '', isBase64Encoded } = ending.result
      return {
        status: statusCode,
        headers: headers ?? {},
        body: isBase64Encoded ? Buffer.from(body, 'base64') : body,
      }
    }
  }
}

const outcomeOf = (ending: Ending): Pick<RequestEntry, 'outcome' | 'error'> => {
  if (ending.how === 'timeout') return { outcome: 'timeout' }
  if (ending.how === 'failed') return { outcome: 'failed', error: ending.error }
  const { statusCode = 200, body = '' } = ending.result
  if (statusCode < 400) return { outcome: 'ok' }
  const error = WithError.safeParse(JSON.parse(body))
  return error.success ? { outcome: `error: ${error.data.error.type}` } : { outcome: 'failed' }
}
