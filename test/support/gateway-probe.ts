import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi'
import type { Context } from 'aws-lambda'
import { onTestFinished } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import type { ConnectEvent, GatewayEvent, MessageEvent } from '../../infra/local/gateway/events.ts'
import type { Clock, GatewayOptions, Route } from '../../infra/local/gateway/settings.ts'
import { type Gateway, startGateway } from '../../infra/local/gateway/gateway.ts'

/** A clock that stands still until a test moves it. */
export class HandClock implements Clock {
  #now = Date.UTC(2023, 10, 29, 8, 4, 4)
  #due: { at: number; fn: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, fn: () => void): () => void {
    const entry = { at: this.#now + ms, fn }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter((each) => each !== entry)
    }
  }

  /** Moves on, stopping at each timer on the way. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#due = this.#due.filter((each) => each !== next)
      this.#now = next.at
      next.fn()
    }
    this.#now = end
  }

  get timers(): number {
    return this.#due.length
  }
}

/** Values that come one by one, for a test that awaits each. */
class Arrivals<T> {
  readonly all: T[] = []
  #taken = 0
  #waiting: (() => void)[] = []

  add(value: T): void {
    this.all.push(value)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async next(): Promise<T> {
    const index = this.#taken++
    while (this.all.length <= index) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this.all[index] as T
  }
}

export class ProbeClient {
  readonly socket: WebSocket
  readonly frames = new Arrivals<string>()
  readonly opened: Promise<void>
  readonly closed: Promise<{ code: number; reason: string }>

  constructor(url: string, protocols: string[] = [], options: ClientOptions = {}) {
    this.socket = new WebSocket(url, protocols, options)
    this.socket.on('message', (data: Buffer) => this.frames.add(data.toString()))
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', () => resolve())
      this.socket.on('error', reject)
    })
    this.opened.catch(() => {})
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    onTestFinished(() => this.socket.terminate())
  }

  next(): Promise<string> {
    return this.frames.next()
  }

  async nextJson(): Promise<unknown> {
    return JSON.parse(await this.next())
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** A round trip: the gateway has read all that was sent before, and all it sent before has arrived. */
  async ping(): Promise<void> {
    const pong = new Promise((resolve) => this.socket.once('pong', resolve))
    this.socket.ping()
    await pong
  }
}

export async function openClient(gateway: Gateway, options: ClientOptions = {}): Promise<ProbeClient> {
  const client = new ProbeClient(gateway.url, [], options)
  await client.opened
  return client
}

/** A client and the id that the gateway gave it. */
export async function openKnownClient(gateway: Gateway): Promise<{ client: ProbeClient; id: string }> {
  const before = new Set(gateway.connections())
  const client = await openClient(gateway)
  const id = gateway.connections().find((each) => !before.has(each))
  if (id === undefined) throw new Error('The gateway does not list its new connection')
  return { client, id }
}

/** What a refused handshake was answered with. */
export function refusalOf(
  url: string,
  options: ClientOptions = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, options)
    socket.on('open', () => {
      socket.terminate()
      reject(new Error('The handshake was accepted'))
    })
    socket.on('error', reject)
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
      })
    })
  })
}

type ProbeHandler = (event: MessageEvent, context: Context) => unknown

export function oneWay(handler: ProbeHandler = () => ({ statusCode: 200 })): Route {
  return { twoWay: false, handler }
}

export function twoWay(handler: ProbeHandler): Route {
  return { twoWay: true, handler }
}

export function connecting(handler: (event: ConnectEvent, context: Context) => unknown): Route {
  return { twoWay: false, handler }
}

/** A route that does what `answer` says, and keeps its events. */
export function recorded<E extends GatewayEvent>(
  answer: (event: E) => unknown = () => ({ statusCode: 200 }),
) {
  const events = new Arrivals<E>()
  const handler = (event: E, _context: Context) => {
    events.add(event)
    return answer(event)
  }
  return { events, route: { twoWay: false, handler } satisfies Route }
}

/** A handler's result that the test gives when it likes. */
export function held<T = unknown>() {
  return Promise.withResolvers<T>()
}

export async function startProbe(
  routes: Record<string, Route> = {},
  options: Partial<Omit<GatewayOptions, 'routes'>> = {},
): Promise<Gateway> {
  const gateway = await startGateway({
    apiId: 'probe12345',
    stage: 'prod',
    port: 0,
    ...options,
    routes: new Map(Object.entries(routes)),
  })
  onTestFinished(() => gateway.close())
  return gateway
}

/** The real SDK client, without its retries. */
export function managementApi(endpoint: string, maxSockets = 50): ApiGatewayManagementApiClient {
  const client = new ApiGatewayManagementApiClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
    requestHandler: { httpAgent: { maxSockets } },
  })
  onTestFinished(() => client.destroy())
  return client
}
