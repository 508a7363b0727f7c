import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import * as z from 'zod/mini'

const project = 'chat-test'
const email = 'sender@chat-test.iam.gserviceaccount.com'
/** All of a message's strings, as FCM counts them. */
const mostBytes = 4096

const Body = z.strictObject({
  message: z.strictObject({
    token: z.string(),
    notification: z.strictObject({ title: z.string(), body: z.string() }),
    data: z.record(z.string(), z.string()),
    android: z.optional(
      z.strictObject({
        priority: z.enum(['HIGH', 'NORMAL']),
        ttl: z.string().check(z.regex(/^\d+s$/)),
        notification: z.strictObject({ tag: z.string() }),
      }),
    ),
    apns: z.optional(
      z.strictObject({
        headers: z.record(z.string(), z.string()),
        payload: z.strictObject({ aps: z.record(z.string(), z.unknown()) }),
      }),
    ),
  }),
})
type SentMessage = z.output<typeof Body>['message']

/** What FCM answers to a message; `hang`: nothing, and the connection stays open. */
export type FcmAnswer = 'hang' | { status: number; body?: object; retryAfter?: string }

const refusal = (code: number, status: string, message: string, details: object[]): FcmAnswer => ({
  status: code,
  body: { error: { code, status, message, details } },
})
const fcmError = (errorCode: string) => ({
  '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError',
  errorCode,
})
const violation = (field: string) => ({
  '@type': 'type.googleapis.com/google.rpc.BadRequest',
  fieldViolations: [{ field, description: `Invalid value at '${field}'` }],
})

/** FCM's answers, as its reference has them. */
export const answers = {
  unregistered: refusal(404, 'NOT_FOUND', 'Requested entity was not found.', [fcmError('UNREGISTERED')]),
  noSuchProject: refusal(404, 'NOT_FOUND', 'Requested entity was not found.', []),
  badToken: refusal(400, 'INVALID_ARGUMENT', 'The registration token is not a valid FCM registration token', [
    fcmError('INVALID_ARGUMENT'),
  ]),
  badArgument: refusal(400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.', []),
  badTokenField: refusal(400, 'INVALID_ARGUMENT', 'Invalid registration', [
    fcmError('INVALID_ARGUMENT'),
    violation('message.token'),
  ]),
  badValue: refusal(400, 'INVALID_ARGUMENT', "Invalid value at 'message.data[0].value'", [
    violation('message.data[0].value'),
  ]),
  tooBig: refusal(400, 'INVALID_ARGUMENT', 'Message is too big', [fcmError('INVALID_ARGUMENT')]),
  otherSender: refusal(403, 'PERMISSION_DENIED', 'SenderId mismatch', [fcmError('SENDER_ID_MISMATCH')]),
  unauthenticated: refusal(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.', []),
  quota: refusal(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', [fcmError('QUOTA_EXCEEDED')]),
  internal: refusal(500, 'INTERNAL', 'Internal error encountered.', [fcmError('INTERNAL')]),
  unavailable: { status: 503 },
} as const satisfies Record<string, FcmAnswer>

export interface FcmServer {
  url: string
  /** The JSON of the service account that this server believes. */
  serviceAccount: string
  /** What was accepted, in order. */
  sent: SentMessage[]
  /** Every message asked for, with when, by `performance.now()`, and its `Connection` header. */
  asked: { token: string; atMs: number; connection: string | undefined }[]
  /** How many access tokens were given out. */
  exchanges(): number
  /** What is answered to messages for a token, one after the other; afterwards they are accepted again. */
  answer(token: string, ...answers: (FcmAnswer | (() => Promise<FcmAnswer>))[]): void
  /** What the token endpoint answers next, one after the other. */
  exchange(...statuses: number[]): void
  /** No access token given out so far is good any more. */
  revoke(): void
  stop(): Promise<void>
}

/** A server that speaks the messages API of FCM and Google's token endpoint, strict in what it takes. */
export const startFcmServer = async (): Promise<FcmServer> => {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
  const valid = new Set<string>()
  const sent: SentMessage[] = []
  const asked: FcmServer['asked'] = []
  const planned = new Map<string, (FcmAnswer | (() => Promise<FcmAnswer>))[]>()
  const exchangeStatuses: number[] = []
  let exchanges = 0

  const reply = (response: ServerResponse, answer: FcmAnswer): void => {
    if (answer === 'hang') return
    const { status, body, retryAfter } = answer
    if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body === undefined ? '<html>Sorry</html>' : JSON.stringify(body))
  }

  const giveToken = async (body: string): Promise<FcmAnswer> => {
    const status = exchangeStatuses.shift()
    if (status !== undefined) return { status, body: { error: 'invalid_grant', error_description: 'No.' } }
    const form = new URLSearchParams(body)
    const { payload } = await jwtVerify(form.get('assertion') ?? '', publicKey, {
      issuer: email,
      audience: `${url}/token`,
    })
    if (
      form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer' ||
      payload['scope'] !== 'https://www.googleapis.com/auth/firebase.messaging'
    )
      return { status: 400, body: { error: 'invalid_scope' } }
    exchanges += 1
    const access_token = `ya29.${crypto.randomUUID()}`
    valid.add(access_token)
    return { status: 200, body: { access_token, expires_in: 3599, token_type: 'Bearer' } }
  }

  const take = async (request: IncomingMessage, body: string): Promise<FcmAnswer> => {
    const parsed = Body.safeParse(JSON.parse(body))
    if (!parsed.success) return answers.badValue
    const { message } = parsed.data
    const { connection } = request.headers
    asked.push({ token: message.token, atMs: performance.now(), connection })
    const next = planned.get(message.token)?.shift()
    if (next !== undefined) return typeof next === 'function' ? next() : next
    if (!valid.has((request.headers.authorization ?? '').replace(/^Bearer /, '')))
      return answers.unauthenticated
    if (Buffer.byteLength(body) > mostBytes) return answers.tooBig
    sent.push(message)
    return { status: 200, body: { name: `projects/${project}/messages/${sent.length}` } }
  }

  const server = createServer((request, response) => {
    const run = async (): Promise<FcmAnswer> => {
      const body = await text(request)
      if (request.method === 'POST' && request.url === '/token') return giveToken(body)
      if (request.method === 'POST' && request.url === `/v1/projects/${project}/messages:send`)
        return take(request, body)
      return answers.noSuchProject
    }
    run().then(
      (answer) => reply(response, answer),
      (error: unknown) => reply(response, { status: 400, body: { error: String(error) } }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    serviceAccount: JSON.stringify({
      type: 'service_account',
      project_id: project,
      private_key_id: 'k1',
      private_key: await exportPKCS8(privateKey),
      client_email: email,
      token_uri: `${url}/token`,
    }),
    sent,
    asked,
    exchanges: () => exchanges,
    answer: (token, ...next) => void planned.set(token, next),
    exchange: (...statuses) => void exchangeStatuses.push(...statuses),
    revoke: () => valid.clear(),
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
