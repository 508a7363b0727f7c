import { request } from 'node:http'
import { once } from 'node:events'
import { afterAll, describe, expect, test } from 'vitest'
import type { HttpEvent } from '../../infra/local/gateway/http-event.ts'
import { type HttpApi, startHttpApi } from '../../infra/local/gateway/http-api.ts'
import type { RequestEntry } from '../../infra/local/gateway/settings.ts'
import { HandClock } from '../support/gateway-probe.ts'

const apis: HttpApi[] = []
afterAll(() => Promise.all(apis.map((api) => api.close())))

type Answer = (event: HttpEvent) => unknown

/** An API with one route, `POST /echo`, and what is no route's; the events that they got, and the log. */
const startProbe = async (answer: Answer, clock = new HandClock()) => {
  const events: HttpEvent[] = []
  const log: RequestEntry[] = []
  const handler = (event: unknown) => {
    events.push(event as HttpEvent)
    return answer(event as HttpEvent)
  }
  const api = await startHttpApi({
    apiId: 'probe',
    port: 0,
    clock,
    routes: new Map([
      ['POST /echo', { handler }],
      ['$default', { handler }],
    ]),
    onRequest: (entry) => log.push(entry),
  })
  apis.push(api)
  return { api, events, log, clock }
}

const ok = () => ({ statusCode: 200, headers: { 'content-type': 'text/plain', 'x-own': 1 }, body: 'done' })

describe('the local HTTP API', () => {
  test('hands a request over in payload format 2.0, and its result back', async () => {
    const { api, events, log } = await startProbe(ok)
    const response = await fetch(`${api.url}/echo?a=1&a=2&b=x%20y`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Many': 'one', Authorization: 'Bearer t' },
      body: '{"ä":1}',
    })
    expect([response.status, await response.text(), response.headers.get('x-own')]).toEqual([
      200,
      'done',
      '1',
    ])
    const [event] = events
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /echo',
      rawPath: '/echo',
      rawQueryString: 'a=1&a=2&b=x%20y',
      queryStringParameters: { a: '1,2', b: 'x y' },
      headers: { 'content-type': 'application/json', 'x-many': 'one', authorization: 'Bearer t' },
      requestContext: {
        apiId: 'probe',
        http: { method: 'POST', path: '/echo', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
        routeKey: 'POST /echo',
        stage: '$default',
        time: '29/Nov/2023:08:04:04 +0000',
        timeEpoch: Date.UTC(2023, 10, 29, 8, 4, 4),
      },
      body: '{"ä":1}',
      isBase64Encoded: false,
    })
    expect(response.headers.get('apigw-requestid')).toBe(event!.requestContext.requestId)
    expect(log).toMatchObject([{ api: 'probe', route: 'POST /echo', connectionId: '-', outcome: 'ok' }])
  })

  test('has no body where there is none, base64 where it is no text, and one route for the rest', async () => {
    const { api, events } = await startProbe(ok)
    await fetch(`${api.url}/echo/`, { method: 'POST' })
    await fetch(`${api.url}/echo`, { headers: { accept: '*/*' } })
    const bytes = new Uint8Array([0, 255, 7])
    await fetch(`${api.url}/echo`, { method: 'POST', body: bytes, headers: { 'content-type': 'image/png' } })
    const zipped = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    await fetch(`${api.url}/echo`, { method: 'POST', body: bytes, headers: zipped })
    expect(events.map(({ routeKey, body, isBase64Encoded }) => [routeKey, body, isBase64Encoded])).toEqual([
      ['$default', undefined, false],
      ['$default', undefined, false],
      ['POST /echo', 'AP8H', true],
      ['POST /echo', 'AP8H', true],
    ])
  })

  test.each<[what: string, answer: Answer, outcome: string]>([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
      'failed',
    ],
    ['answers what is none', () => ({ statusCode: 'x' }), 'failed'],
  ])('answers 500 in its own words where the function %s', async (_, answer, outcome) => {
    const { api, log } = await startProbe(answer)
    const response = await fetch(`${api.url}/echo`, { method: 'POST' })
    expect([response.status, await response.json()]).toEqual([500, { message: 'Internal Server Error' }])
    expect(log).toMatchObject([{ outcome }])
  })

  test('answers 503 where the function takes too long', async () => {
    const held = Promise.withResolvers<void>()
    const { api, clock, events } = await startProbe(async () => {
      held.resolve()
      await new Promise(() => {})
    })
    const asked = fetch(`${api.url}/echo`, { method: 'POST' })
    await held.promise
    clock.advance(30_000)
    const response = await asked
    expect([response.status, await response.json()]).toEqual([503, { message: 'Service Unavailable' }])
    expect(events).toHaveLength(1)
  })

  test('takes no more than 10 MB, and outlives a client that goes away', async () => {
    const { api, events } = await startProbe(ok)
    const response = await fetch(`${api.url}/echo`, {
      method: 'POST',
      body: 'x'.repeat(10 * 1024 * 1024 + 1),
    })
    expect([response.status, await response.json()]).toEqual([413, { message: 'Request Entity Too Large' }])
    const gone = request(`${api.url}/echo`, { method: 'POST', headers: { 'content-length': 100 } })
    gone.on('error', () => {})
    gone.write('half of it')
    await once(gone, 'socket')
    gone.destroy()
    await api.idle()
    expect(events).toEqual([])
    expect((await fetch(`${api.url}/echo`, { method: 'POST' })).status).toBe(200)
  })
})
