import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

type Values = Record<string, string>
type MultiValues = Record<string, string[]>

/** `@types/aws-lambda` lacks several of these fields. */
interface RequestContext {
  readonly routeKey: string
  readonly eventType: 'CONNECT' | 'MESSAGE' | 'DISCONNECT'
  /** The same as `requestId`. */
  readonly extendedRequestId: string
  /** `29/Nov/2023:08:04:04 +0000` */
  readonly requestTime: string
  readonly messageDirection: 'IN'
  readonly stage: string
  /** Milliseconds since 1970. */
  readonly connectedAt: number
  readonly requestTimeEpoch: number
  readonly identity: { readonly userAgent?: string; readonly sourceIp: string }
  readonly requestId: string
  readonly domainName: string
  readonly connectionId: string
  readonly apiId: string
}

export interface ConnectEvent {
  readonly headers: Values
  readonly multiValueHeaders: MultiValues
  readonly queryStringParameters?: Values
  readonly multiValueQueryStringParameters?: MultiValues
  readonly requestContext: RequestContext & { readonly eventType: 'CONNECT' }
  readonly isBase64Encoded: false
}

export interface MessageEvent {
  readonly requestContext: RequestContext & { readonly eventType: 'MESSAGE'; readonly messageId: string }
  /** The frame's text as it came: not always JSON. */
  readonly body: string
  readonly isBase64Encoded: false
}

export interface DisconnectEvent {
  readonly headers: Values
  readonly multiValueHeaders: MultiValues
  readonly requestContext: RequestContext & {
    readonly eventType: 'DISCONNECT'
    readonly disconnectStatusCode: number
    readonly disconnectReason: string
  }
  readonly isBase64Encoded: false
}

export type GatewayEvent = ConnectEvent | MessageEvent | DisconnectEvent

/** Where an event comes from: what the events of a connection have in common. */
export interface Origin {
  readonly apiId: string
  readonly stage: string
  readonly connectionId: string
  readonly connectedAt: number
  readonly sourceIp: string
  readonly userAgent: string | undefined
}

/** A connection, request or message id: 11 random bytes, so 16 characters ending in `=`. */
export function newId(): string {
  return `${randomBytes(11).toString('base64url')}=`
}

/** Reserved for the local machine: an endpoint that was derived from an event leads nowhere, and shows. */
function domainName(apiId: string): string {
  return `${apiId}.execute-api.us-east-1.localhost`
}

export function connectEvent(origin: Origin, request: IncomingMessage, now: number): ConnectEvent {
  return {
    ...handshakeHeaders(origin, request),
    ...queryParameters(request.url ?? ''),
    requestContext: { ...requestContext(origin, '$connect', now), eventType: 'CONNECT' },
    isBase64Encoded: false,
  }
}

export function messageEvent(origin: Origin, route: string, body: string, now: number): MessageEvent {
  const context = requestContext(origin, route, now)
  return {
    requestContext: { ...context, messageId: newId(), eventType: 'MESSAGE' },
    body,
    isBase64Encoded: false,
  }
}

export function disconnectEvent(origin: Origin, code: number, reason: string, now: number): DisconnectEvent {
  const host = domainName(origin.apiId)
  return {
    headers: { Host: host, 'x-api-key': '', 'X-Forwarded-For': '', 'x-restapi': '' },
    multiValueHeaders: { Host: [host], 'x-api-key': [''], 'X-Forwarded-For': [''], 'x-restapi': [''] },
    requestContext: {
      ...requestContext(origin, '$disconnect', now),
      eventType: 'DISCONNECT',
      disconnectStatusCode: code,
      disconnectReason: reason,
    },
    isBase64Encoded: false,
  }
}

/** What the gateway itself tells a client; spaced as the real one spaces it. */
export function errorFrame(
  message: 'Forbidden' | 'Internal server error' | 'Endpoint request timed out',
  { requestContext }: GatewayEvent,
): string {
  const { connectionId, requestId } = requestContext
  return `{"message": "${message}", "connectionId":"${connectionId}", "requestId":"${requestId}"}`
}

function requestContext(origin: Origin, routeKey: string, now: number): Omit<RequestContext, 'eventType'> {
  const { apiId, stage, connectionId, connectedAt, sourceIp, userAgent } = origin
  const requestId = newId()
  return {
    routeKey,
    extendedRequestId: requestId,
    requestTime: requestTime(now),
    messageDirection: 'IN',
    stage,
    connectedAt,
    requestTimeEpoch: now,
    identity: { ...(userAgent === undefined ? {} : { userAgent }), sourceIp },
    requestId,
    domainName: domainName(apiId),
    connectionId,
    apiId,
  }
}

/** `29/Nov/2023:08:04:04 +0000` */
function requestTime(now: number): string {
  const [, day, month, year, time] = new Date(now).toUTCString().split(' ')
  return `${day}/${month}/${year}:${time} +0000`
}

function handshakeHeaders(
  origin: Origin,
  request: IncomingMessage,
): Pick<ConnectEvent, 'headers' | 'multiValueHeaders'> {
  const all = new Map<string, string[]>()
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? ''
    if (/^(connection|upgrade|host|x-forwarded-(for|port|proto)|x-amzn-trace-id)$/i.test(name)) continue
    all.set(name, [...(all.get(name) ?? []), request.rawHeaders[i + 1] ?? ''])
  }
  all.set('Host', [domainName(origin.apiId)])
  all.set('X-Amzn-Trace-Id', [traceId(origin.connectedAt)])
  all.set('X-Forwarded-For', [origin.sourceIp])
  all.set('X-Forwarded-Port', ['443'])
  all.set('X-Forwarded-Proto', ['https'])
  return { headers: lastOfEach(all), multiValueHeaders: Object.fromEntries(all) }
}

function queryParameters(url: string) {
  const query = url.indexOf('?')
  const all = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(query < 0 ? '' : url.slice(query))) {
    all.set(name, [...(all.get(name) ?? []), value])
  }
  if (all.size === 0) return {}
  return { queryStringParameters: lastOfEach(all), multiValueQueryStringParameters: Object.fromEntries(all) }
}

function lastOfEach(all: ReadonlyMap<string, string[]>): Values {
  return Object.fromEntries([...all].map(([name, values]) => [name, values.at(-1) ?? '']))
}

function traceId(now: number): string {
  const seconds = Math.floor(now / 1000)
    .toString(16)
    .padStart(8, '0')
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')}`
}
