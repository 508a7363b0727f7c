import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { listenOn } from '../../infra/local/listen-on.ts'
import { isConnected, post } from '../../shared/delivery/connections.ts'
import { invokeFanOut } from '../../shared/delivery/fan-out.ts'
import { signatureOf } from '../support/signature.ts'

const seen: { request: IncomingMessage; body: string }[] = []
let answers: (number | 'cut' | 'hang')[] = []
const server = createServer((request, response) => {
  void text(request).then((body) => {
    seen.push({ request, body })
    const answer = answers.shift() ?? 500
    if (answer === 'cut') response.destroy()
    else if (answer !== 'hang') response.writeHead(answer).end()
  })
})
const secret = 'a-secret'
const never = new AbortController().signal
beforeAll(async () => {
  const port = await listenOn(server, 0, '127.0.0.1')
  Object.assign(process.env, {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_SESSION_TOKEN: 'session',
    FAN_OUT_URL: `http://127.0.0.1:${port}/2015-03-31/functions/chat-fan-out/invocations`,
    AGENT_CALLBACK_URL: `http://127.0.0.1:${port}/v1`,
    CUSTOMER_CALLBACK_URL: `http://127.0.0.1:${port}/v1`,
  })
})
afterEach(() => {
  seen.length = 0
  answers = []
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

const expectSigned = (service: string) => {
  const { request, body } = seen[0]!
  const { id, scope, signed, signature, expected } = signatureOf(request, body, secret)
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  expect([id, scope]).toEqual(['AKID', `${today}/eu-west-1/${service}/aws4_request`])
  expect(signed).toEqual(expect.arrayContaining(['host', 'x-amz-date', 'x-amz-security-token']))
  expect(request.headers['x-amz-security-token']).toBe('session')
  expect(signature).toBe(expected)
}

test('a frame is posted by a request that is signed as AWS asks for', async () => {
  answers = [200]
  const frame = '{"text":"Grüße 👋"}'
  expect(await post('agent', 'L0SM9cOF-_HcCIh=', frame, never)).toBe('sent')
  const { request, body } = seen[0]!
  expect([request.method, request.url, body]).toEqual(['POST', '/v1/@connections/L0SM9cOF-_HcCIh%3D', frame])
  expect(request.headers['content-length']).toBe(String(Buffer.byteLength(frame)))
  expectSigned('execute-api')
})

test.each([
  [410, 'gone'],
  [429, 'failed'],
  [403, 'failed'],
  [413, 'failed'],
  [500, 'failed'],
] as const)('a post that is answered %s is %s, and is not repeated', async (answer, outcome) => {
  answers = [answer]
  expect(await post('customer', 'AAAAAAAAAAAAAAA=', '{}', never)).toBe(outcome)
  expect(seen).toHaveLength(1)
})

test('a post whose connection breaks is repeated twice, and then failed', async () => {
  answers = ['cut', 'cut', 200]
  expect(await post('agent', 'AAAAAAAAAAAAAAA=', '{}', never)).toBe('sent')
  answers = ['cut', 'cut', 'cut']
  expect(await post('agent', 'AAAAAAAAAAAAAAA=', '{}', never)).toBe('failed')
  expect(seen).toHaveLength(6)
})

test('a post that is not answered is late once its time is over', async () => {
  answers = ['hang']
  const over = new AbortController()
  const posted = post('agent', 'AAAAAAAAAAAAAAA=', '{}', over.signal)
  await expect.poll(() => seen.length).toBe(1)
  over.abort()
  expect(await posted).toBe('late')
})

test.each([
  [200, true],
  [410, false],
  // nobody knows
  [429, true],
  [500, true],
] as const)('a connection that is asked for and answered %s is there: %s', async (answer, there) => {
  answers = [answer]
  expect(await isConnected('customer', 'AAAAAAAAAAAAAAA=', never)).toBe(there)
  expect(seen.map(({ request }) => [request.method, request.url])).toEqual([
    ['GET', '/v1/@connections/AAAAAAAAAAAAAAA%3D'],
  ])
})

test('a connection that is asked for and not answered for counts as there', { tags: ['full'] }, async () => {
  answers = ['cut', 'cut', 410]
  expect(await isConnected('customer', 'AAAAAAAAAAAAAAA=', never)).toBe(false)
  answers = ['cut', 'cut', 'cut']
  expect(await isConnected('customer', 'AAAAAAAAAAAAAAA=', never)).toBe(true)
  answers = ['hang']
  expect(await isConnected('customer', 'AAAAAAAAAAAAAAA=', never)).toBe(true)
})

test('a slice is handed over by an asynchronous invocation that is signed as AWS asks for', async () => {
  answers = [202]
  const slice = { frames: ['{"text":"Grüße 👋"}'], deliveries: [] }
  await invokeFanOut(slice, never)
  const { request, body } = seen[0]!
  expect([request.method, request.url, request.headers['x-amz-invocation-type']]).toEqual([
    'POST',
    '/2015-03-31/functions/chat-fan-out/invocations',
    'Event',
  ])
  expect(JSON.parse(body)).toEqual(slice)
  expectSigned('lambda')
})

test('a slice that is not taken throws, saying so', async () => {
  const slice = { frames: [], deliveries: [] }
  answers = ['cut', 202]
  await invokeFanOut(slice, never)
  answers = [503]
  await expect(invokeFanOut(slice, never)).rejects.toThrow('The fan-out was refused with status 503')
  expect(seen).toHaveLength(3)
})

test('a slice that takes too long is not handed over again', async () => {
  answers = ['hang']
  const over = new AbortController()
  const invoked = invokeFanOut({ frames: [], deliveries: [] }, over.signal)
  await expect.poll(() => seen.length).toBe(1)
  over.abort()
  await expect(invoked).rejects.toThrow()
  expect(seen).toHaveLength(1)
})
