import { sessionOfToken } from '../account/token-session.ts'
import { tokenChecks, type TokenIdentity, verifyToken } from '../account/tokens.ts'
import { errorShown, isJsonObject, readPayload } from '../protocol/envelope.ts'
import { type ErrorDetail, errorTable, ProtocolError } from '../protocol/errors.ts'
import { stringifyJson } from '../protocol/json.ts'
import { limits } from '../protocol/limits.ts'
import type { SocketItem } from '../table/sockets.ts'
import { countFailedLogin } from './count-request.ts'
import type { Incoming, Receiving, Result } from './incoming.ts'

/**
 * A request as an HTTP API hands it over (payload format 2.0), as far as it is used. Names are in lower case.
 */
export interface HttpRequest {
  requestContext: { requestId?: string; http: { method: string; path: string; sourceIp: string } }
  headers?: Readonly<Record<string, string | undefined>>
  body?: string
  isBase64Encoded?: boolean
}

// as long as browsers keep it
const preflightS = 7200

/** What a page of any origin may be told; whose license it is, a preflight does not say. */
const anyOrigin = { 'access-control-allow-origin': '*' }

/** Answers a preflight: whether the page's origin may ask for anything is said to the request itself. */
export const preflight = (): Result => ({
  statusCode: 204,
  headers: {
    ...anyOrigin,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization, content-type, idempotency-key',
    'access-control-max-age': preflightS,
  },
})

/** A JSON body with its status; `origin`: the one that may read it, `*` any, undefined none. */
const jsonResult = (
  statusCode: number,
  body: string,
  { origin, ...more }: { origin?: string | undefined } & Record<string, string | undefined> = {},
): Result => ({
  statusCode,
  headers: {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    vary: 'origin',
    ...(origin !== undefined && { 'access-control-allow-origin': origin }),
    'access-control-expose-headers': 'retry-after',
    ...more,
  },
  body,
})

/** The error as the whole body, its code as the status. */
export const refuseHttp = (error: ProtocolError, origin: string | undefined): Result => {
  const { code } = errorTable[error.type]
  return jsonResult(code, JSON.stringify(errorShown(error)), {
    origin,
    ...(code === 401 && { 'www-authenticate': 'Bearer' }),
    ...(error.retryAfterS !== undefined && { 'retry-after': String(error.retryAfterS) }),
  })
}

/**
 * Takes a request over HTTP: its token's agent asks, who is not online by it. An `Idempotency-Key` stands in
 * for the `custom_id` that an event has not.
 */
export const receiveHttp = (request: HttpRequest): Incoming => {
  const { headers = {} } = request
  const { sourceIp: ip } = request.requestContext.http
  const { payload, faults } = readBody(request)
  let origin: string | undefined = '*'
  let identity: TokenIdentity | undefined

  const countingFailures = async <T>(ctx: Receiving, attempt: () => Promise<T>): Promise<T> => {
    try {
      return await attempt()
    } catch (error) {
      await countFailedLogin(ctx, error, async () => ip)
      throw error
    }
  }
  const verify = (ctx: Receiving): Promise<TokenIdentity> =>
    countingFailures(ctx, async () => (identity ??= await verifyToken(bearerOf(headers), tokenChecks())))
  return {
    payload: withCustomId(payload, headers['idempotency-key']),
    faults,
    connection: undefined,
    admit: async (ctx) => void (await verify(ctx)),
    arrive: async (ctx): Promise<SocketItem> => {
      const token = await verify(ctx)
      const { session, license } = await countingFailures(ctx, () =>
        sessionOfToken({ read: ctx.read, now: () => Date.now() }, token),
      )
      // until it is known to be one of the license's
      origin = undefined
      origin = originFor(headers['origin'], license.origins)
      const nowS = Math.floor(Date.now() / 1000)
      return { connection: '', connected_at: nowS, ttl: token.expiresAt, ip, session }
    },
    answer: (answer) => jsonResult(200, stringifyJson(answer ?? {}), { origin }),
    refuse: (error) => refuseHttp(error, origin),
  }
}

/** The token of `Authorization: Bearer <token>`; throws `auth`, which says so. */
const bearerOf = (headers: NonNullable<HttpRequest['headers']>): string => {
  const token = /^Bearer +(\S+)$/i.exec(headers['authorization'] ?? '')?.[1]
  if (token !== undefined) return token
  const message = 'Required: "Bearer", a space, and an access token'
  throw new ProtocolError('auth', { details: [{ path: 'Authorization', message }] })
}

const readBody = ({ headers = {}, body = '', isBase64Encoded = false }: HttpRequest) => {
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
  const fault = (path: string, message: string) => ({ payload: undefined, faults: [{ path, message }] })
  if (bytes.length > limits.requestBytes)
    return fault('', `The body is longer than ${limits.requestBytes / 1024} KiB`)
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (bytes.length > 0 && type !== 'application/json')
    return fault('Content-Type', 'Must be application/json')
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  if (encoding !== 'identity') return fault('Content-Encoding', 'The body must not be compressed')
  const { payload, faults } = readPayload(bytes.toString())
  return { payload, faults: [...faults, ...faultsOfKey(headers['idempotency-key'])] }
}

const faultsOfKey = (key: string | undefined): ErrorDetail[] =>
  key === undefined || (key !== '' && Buffer.byteLength(key) <= limits.idBytes)
    ? []
    : [{ path: 'Idempotency-Key', message: `Must have 1-${limits.idBytes} bytes` }]

const withCustomId = (payload: unknown, key: string | undefined): unknown => {
  if (key === undefined || !isJsonObject(payload)) return payload
  const { event } = payload
  if (!isJsonObject(event) || (event['custom_id'] ?? undefined) !== undefined) return payload
  return { ...payload, event: { ...event, custom_id: key } }
}

/**
 * The origin that may read the answer; undefined: the request comes from no page. Throws where it comes from
 * one that is not the license's.
 */
const originFor = (origin: string | undefined, allowed: readonly string[]): string | undefined => {
  if (allowed.length === 0) return '*'
  if (origin === undefined || allowed.includes(origin.toLowerCase())) return origin
  const message = 'Pages of this origin may not use the license'
  throw new ProtocolError('authorization', { details: [{ path: 'Origin', message }] })
}
