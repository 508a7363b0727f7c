import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { createHash, createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listenOn } from '../../infra/local/listen-on.ts'
import { invokeFanOut } from '../../shared/push/fan-out.ts'

const seen: { request: IncomingMessage; body: string }[] = []
let status = 202
const server = createServer((request, response) => {
  void text(request).then((body) => {
    seen.push({ request, body })
    response.writeHead(status).end()
  })
})
const secret = 'a-secret'
beforeAll(async () => {
  const port = await listenOn(server, 0, '127.0.0.1')
  Object.assign(process.env, {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_SESSION_TOKEN: 'session',
    FAN_OUT_URL: `http://127.0.0.1:${port}/2015-03-31/functions/chat-fan-out/invocations`,
  })
})
afterAll(() => void server.close())

const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()

/** Signature version 4, written anew from AWS's description of it. */
const signatureOf = ({ request, body }: (typeof seen)[number], signed: readonly string[]): string => {
  const date = String(request.headers['x-amz-date'])
  const canonical = [
    request.method,
    request.url,
    '',
    ...signed.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    '',
    signed.join(';'),
    sha256(body),
  ].join('\n')
  const scope = [date.slice(0, 8), 'eu-west-1', 'lambda', 'aws4_request']
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${secret}`)
  return hmac(key, ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(canonical)].join('\n')).toString('hex')
}

test('a slice is handed over by an asynchronous invocation that is signed as AWS asks for', async () => {
  const slice = { frames: ['{"text":"Grüße 👋"}'], deliveries: [] }
  await invokeFanOut(slice, new AbortController().signal)
  const [sent] = seen.splice(0)
  const { headers, method, url } = sent!.request
  expect([method, url, headers['x-amz-invocation-type']]).toEqual([
    'POST',
    '/2015-03-31/functions/chat-fan-out/invocations',
    'Event',
  ])
  expect(JSON.parse(sent!.body)).toEqual(slice)
  expect(headers['x-amz-security-token']).toBe('session')
  const [, day, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=AKID\/(\d{8})\/eu-west-1\/lambda\/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w{64})$/.exec(
      String(headers.authorization),
    )!
  expect(day).toBe(new Date().toISOString().slice(0, 10).replaceAll('-', ''))
  expect(names!.split(';')).toEqual(expect.arrayContaining(['host', 'x-amz-date', 'x-amz-security-token']))
  expect(signature).toBe(signatureOf(sent!, names!.split(';')))
})

test('what is not taken throws, once it was asked for again', async () => {
  status = 503
  await expect(invokeFanOut({ frames: [], deliveries: [] }, new AbortController().signal)).rejects.toThrow(
    'The fan-out was refused: 503',
  )
  expect(seen.splice(0)).toHaveLength(2)
})
