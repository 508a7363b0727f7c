import type { Context } from 'aws-lambda'
import type { DisconnectEvent, GatewayEvent } from './events.ts'
import type { HttpEvent } from './http-event.ts'

/** The time of the gateway: tests hand in one that they move by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `fn` once, after `ms`; the function returned calls it off. */
  after(ms: number, fn: () => void): () => void
}

const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * A Lambda as the gateway sees it. Declared as a method, so that a handler which takes one kind of
 * event only, or `unknown`, fits without a cast.
 */
export type LambdaHandler = { invoke(event: GatewayEvent | HttpEvent, context: Context): unknown }['invoke']

export interface Route {
  /** A route with a RouteResponse: the result's `body` goes to the client as one message. */
  readonly twoWay: boolean
  readonly handler: LambdaHandler
  /** `context.functionName`; without it `<apiId>-<route>`. */
  readonly functionName?: string
}

export interface Limits {
  /** The client is told that its request timed out; the Lambda runs on. */
  integrationTimeoutMs: number
  /** What `context.getRemainingTimeInMillis()` counts down from; at zero the invocation has failed. */
  lambdaTimeoutMs: number
  /** Time without a message in either direction; pings are no messages. */
  idleMs: number
  maxAgeMs: number
  inboundFrameBytes: number
  inboundMessageBytes: number
  /** Largest body of a POST, and of a route response. */
  outboundBytes: number
  /** Larger messages leave in several frames of this size. */
  outboundFrameBytes: number
  /** A POST to a client that has so many bytes or more still to read answers 429. */
  slowReaderBytes: number
}

const defaultLimits: Readonly<Limits> = {
  integrationTimeoutMs: 29_000,
  lambdaTimeoutMs: 20_000,
  idleMs: 600_000,
  maxAgeMs: 7_200_000,
  inboundFrameBytes: 32 * 1024,
  inboundMessageBytes: 128 * 1024,
  outboundBytes: 128 * 1024,
  outboundFrameBytes: 32 * 1024,
  slowReaderBytes: 1024 * 1024,
}

export interface PostFault {
  /** Waits so long, then goes on with the rest of the fault, or with the post. */
  readonly delayMs?: number
  /** Never answers. */
  readonly hang?: true
  /** Answers 200 and delivers nothing, as to a client that is gone unnoticed. */
  readonly lose?: true
  /** Answers this status, with `x-amzn-ErrorType: <errorType>`, and delivers nothing. */
  readonly status?: number
  readonly errorType?: string
  /** Delivers the message first, so that a caller who tries again delivers it twice. */
  readonly deliver?: true
}

interface InvocationFault {
  readonly delayMs?: number
  /** The invocation fails, `before` its handler ran or `after` it ran to its end. */
  readonly fail?: 'before' | 'after'
}

interface DisconnectFault {
  readonly delayMs?: number
  readonly lose?: true
  /** How often `$disconnect` is invoked: 1 unless told. */
  readonly times?: number
}

type Maybe<T> = T | undefined | Promise<T | undefined>

/** What goes wrong, on purpose. A hook that returns a promise holds its request until it settles. */
export interface Faults {
  /** Before each POST to a connection that is there to take it. */
  post?(post: { readonly connectionId: string; readonly body: Buffer }): Maybe<PostFault>
  /** Before each invocation, `$connect` and `$disconnect` among them. */
  invocation?(call: {
    readonly route: string
    readonly event: GatewayEvent | HttpEvent
  }): Maybe<InvocationFault>
  /** Before the `$disconnect` of a connection that ended. */
  disconnect?(event: DisconnectEvent): Maybe<DisconnectFault>
}

/** One per invocation, when it has answered, or failed to. */
export interface RequestEntry {
  /** When it began, in ms since 1970. */
  readonly time: number
  /** Whose endpoint: its `apiId`. */
  readonly api: string
  readonly route: string
  /** `-`: over HTTP. */
  readonly connectionId: string
  readonly requestId: string
  readonly ms: number
  /**
   * `error: <type>`: a two-way answer whose JSON has `payload.error.type`. `failed`: threw, or answered
   * something malformed. `timeout`: over the time of the Lambda or of the integration.
   */
  readonly outcome: 'ok' | 'failed' | 'timeout' | `error: ${string}`
  /** What a failed invocation threw, or what was wrong with its result. */
  readonly error?: unknown
}

export interface GatewayOptions {
  readonly apiId: string
  readonly stage: string
  readonly host?: '127.0.0.1'
  /** 0: any free port. */
  readonly port: number
  /** By route key: `$connect`, `$disconnect`, `$default` and actions. Looked up at each event. */
  readonly routes: ReadonlyMap<string, Route>
  readonly clock?: Clock
  readonly limits?: Partial<Limits>
  /** Milliseconds to wait before each message's invocation. */
  readonly jitter?: () => number
  readonly faults?: Faults
  /** Called once per invocation. */
  readonly onRequest?: (entry: RequestEntry) => void
}

/** The options with their defaults. Limits, faults and jitter change at run time. */
export interface GatewaySettings {
  readonly apiId: string
  readonly stage: string
  readonly routes: ReadonlyMap<string, Route>
  readonly clock: Clock
  limits: Limits
  faults: Faults
  jitter: () => number
  readonly onRequest: ((entry: RequestEntry) => void) | undefined
}

export const noJitter = () => 0

export function settingsOf(options: GatewayOptions): GatewaySettings {
  const { apiId, stage, routes, clock = systemClock, faults = {}, jitter = noJitter, onRequest } = options
  const limits = { ...defaultLimits, ...options.limits }
  return { apiId, stage, routes, clock, limits, faults, jitter, onRequest }
}
