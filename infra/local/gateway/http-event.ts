import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** A request as an HTTP API hands it to a Lambda: payload format 2.0. */
export interface HttpEvent {
  readonly version: '2.0'
  readonly routeKey: string
  readonly rawPath: string
  readonly rawQueryString: string
  /** Names in lower case; values of one name are joined with commas. */
  readonly headers: Readonly<Record<string, string>>
  readonly queryStringParameters?: Readonly<Record<string, string>>
  readonly requestContext: {
    readonly accountId: string
    readonly apiId: string
    readonly domainName: string
    readonly domainPrefix: string
    readonly http: {
      readonly method: string
      readonly path: string
      readonly protocol: string
      readonly sourceIp: string
      readonly userAgent: string
    }
    readonly requestId: string
    readonly routeKey: string
    readonly stage: '$default'
    /** `29/Nov/2023:08:04:04 +0000` */
    readonly time: string
    readonly timeEpoch: number
  }
  readonly body?: string
  readonly isBase64Encoded: boolean
}

// what is not text comes as base64
const text = /^(text\/|application\/(json|javascript|xml)\b)/i

export const httpEvent = (
  request: IncomingMessage,
  body: Buffer,
  { apiId, routeKey, now }: { apiId: string; routeKey: string; now: number },
): HttpEvent => {
  const { method = 'GET', url = '/', httpVersion, socket } = request
  // no `URL`: a client may send what is none
  const [rawPath = '/', ...rest] = url.split('?')
  const search = rest.join('?')
  const searchParams = new URLSearchParams(search)
  const headers = headersOf(request)
  const isText = text.test(headers['content-type'] ?? '') && headers['content-encoding'] === undefined
  const path = decoded(rawPath)
  const query = [...new Set(searchParams.keys())].map((name) => [name, searchParams.getAll(name).join(',')])
  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: search,
    headers,
    ...(query.length > 0 && { queryStringParameters: Object.fromEntries(query) }),
    requestContext: {
      accountId: '000000000000',
      apiId,
      // reserved for the local machine, as the WebSocket API's
      domainName: `${apiId}.execute-api.us-east-1.localhost`,
      domainPrefix: apiId,
      http: {
        method,
        path,
        protocol: `HTTP/${httpVersion}`,
        sourceIp: socket.remoteAddress ?? '127.0.0.1',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: `${randomBytes(11).toString('base64url')}=`,
      routeKey,
      stage: '$default',
      time: requestTime(now),
      timeEpoch: now,
    },
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  }
}

const decoded = (path: string): string => {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

const headersOf = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name === 'connection' ? [] : [[name, [value].flat().join(',')]],
    ),
  )

const requestTime = (now: number): string => {
  const [, day, month, year, time] = new Date(now).toUTCString().split(' ')
  return `${day}/${month}/${year}:${time} +0000`
}
