import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Connection } from './connection.ts'
import type { GatewaySettings, PostFault } from './settings.ts'

/** What the management API needs of the gateway. */
export interface Managed {
  readonly settings: GatewaySettings
  /** A connection that a POST would reach: none before its `$connect` returned, none once it closes. */
  connection(connectionId: string): Connection | undefined
  deleteConnection(connection: Connection): void
  /** Waits on the gateway's clock. */
  pause(ms: number): Promise<void>
}

interface Reply {
  readonly status: number
  readonly errorType?: string
  readonly json?: unknown
}

/** A request of the management API. `too large`: of its body no more is known. */
export interface Asked {
  readonly method: string
  /** With a query, perhaps. */
  readonly url: string
  readonly body: Buffer | 'too large'
}

/** What goes out for it. */
export interface Written {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** 15 characters of base64url and `=`: 11 bytes. */
const wellFormedId = /^[\w-]{15}=$/

/**
 * The connection-management API, `/{stage}/@connections/{id}`, as `@aws-sdk/client-apigatewaymanagementapi`
 * speaks it, and 426 for a plain GET. Undefined: it hangs, for good.
 */
export async function answerConnections(managed: Managed, asked: Asked): Promise<Written | undefined> {
  const reply = await replyTo(managed, asked)
  return reply === 'never' ? undefined : written(reply)
}

/** The same of a request that came in. Settles when the reply is handed over, or never will be. */
export async function answerHttp(
  managed: Managed,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request, managed.settings.limits.outboundBytes)
  if (body === 'aborted') return
  const { method = '', url = '/' } = request
  const answer = await answerConnections(managed, { method, url, body })
  if (answer !== undefined) response.writeHead(answer.status, answer.headers).end(answer.body)
}

async function replyTo(managed: Managed, { method, url, body }: Asked): Promise<Reply | 'never'> {
  const { stage } = managed.settings
  const [path = ''] = url.split('?')
  if (method === 'GET' && !/^\/[^/]+\/(@|%40)/i.test(path)) {
    return { status: 426, json: { message: 'Upgrade Required' } }
  }
  const [, pathStage, id = ''] = /^\/([^/]+)\/(?:@|%40)connections\/([^/]+)$/i.exec(path) ?? []
  if (pathStage !== stage) return forbidden

  const connectionId = decoded(id)
  if (connectionId === undefined || !wellFormedId.test(connectionId)) {
    return {
      status: 400,
      errorType: 'BadRequestException',
      json: { message: `Invalid connectionId: ${connectionId ?? id}`, connectionId: connectionId ?? id },
    }
  }
  if (body === 'too large' || body.length > managed.settings.limits.outboundBytes) return tooLarge
  const connection = managed.connection(connectionId)
  if (connection === undefined) return gone

  switch (method) {
    case 'POST':
      return post(managed, connection, body)
    case 'GET':
      return { status: 200, json: described(connection) }
    case 'DELETE':
      managed.deleteConnection(connection)
      return { status: 204 }
    default:
      return forbidden
  }
}

const gone: Reply = { status: 410, errorType: 'GoneException' }
const forbidden: Reply = { status: 403, errorType: 'ForbiddenException', json: { message: 'Forbidden' } }
const tooLarge: Reply = {
  status: 413,
  errorType: 'PayloadTooLargeException',
  json: { message: 'Message size exceeds 128 KB' },
}
const limitExceeded: Reply = {
  status: 429,
  errorType: 'LimitExceededException',
  json: { message: 'Limit exceeded' },
}

async function post(managed: Managed, connection: Connection, body: Buffer): Promise<Reply | 'never'> {
  const { faults } = managed.settings
  const fault = await faults.post?.({ connectionId: connection.connectionId, body })
  if (fault?.delayMs !== undefined) await managed.pause(fault.delayMs)
  if (fault !== undefined && isFinal(fault)) {
    if (fault.deliver) deliver(managed, connection, body)
    if (fault.hang) return 'never'
    const { status = 200, errorType } = fault
    return { status, ...(errorType === undefined ? {} : { errorType }) }
  }
  if (connection.unnoticed === 'hangs') return 'never'
  if (connection.unnoticed === 'lost') return { status: 200 }
  if (!connection.isThere) return gone
  if (connection.unreadBytes >= managed.settings.limits.slowReaderBytes) return limitExceeded
  deliver(managed, connection, body)
  return { status: 200 }
}

function isFinal(fault: PostFault): boolean {
  return fault.hang === true || fault.lose === true || fault.status !== undefined
}

function deliver({ settings }: Managed, connection: Connection, body: Buffer): void {
  // A text frame must be UTF-8, or the client closes the connection.
  const text = isUtf8(body) ? body : body.toString()
  connection.send(text, settings.clock.now(), settings.limits.outboundFrameBytes)
}

function described({ connectedAt, lastActiveAt, sourceIp, userAgent }: Connection) {
  return {
    connectedAt: new Date(connectedAt).toISOString(),
    identity: { sourceIp, ...(userAgent === undefined ? {} : { userAgent }) },
    lastActiveAt: new Date(lastActiveAt).toISOString(),
  }
}

function written({ status, errorType, json }: Reply): Written {
  const body = json === undefined ? '' : JSON.stringify(json)
  const headers = {
    'x-amzn-RequestId': randomUUID(),
    ...(errorType === undefined ? {} : { 'x-amzn-ErrorType': errorType }),
    ...(status === 426 ? { Upgrade: 'websocket', Connection: 'Upgrade' } : {}),
    ...(status === 204
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) }),
  }
  return { status, headers, body }
}

/** Reads to the end even what is too large: a reply before that would break the caller's connection. */
function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'too large' | 'aborted'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
    })
    request.on('end', () => resolve(bytes > maxBytes ? 'too large' : Buffer.concat(chunks)))
    request.on('error', () => resolve('aborted'))
    request.on('close', () => resolve('aborted'))
  })
}

function decoded(id: string): string | undefined {
  try {
    return decodeURIComponent(id)
  } catch {
    return undefined // a broken percent escape is a malformed id
  }
}
