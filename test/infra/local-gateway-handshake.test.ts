import { PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { ConnectEvent, DisconnectEvent } from '../../infra/local/gateway/events.ts'
import { startGateway } from '../../infra/local/gateway/gateway.ts'
import {
  HandClock,
  held,
  connecting,
  managementApi,
  oneWay,
  openClient,
  ProbeClient,
  recorded,
  refusalOf,
  startProbe,
  twoWay,
} from '../support/gateway-probe.ts'

const id = /^[\w-]{15}=$/

describe('$connect', () => {
  test('runs before the upgrade is answered', async () => {
    const { events, route } = recorded<ConnectEvent>(() => result.promise)
    const result = held()
    const gateway = await startProbe({ $connect: route })
    const client = new ProbeClient(gateway.url)

    await events.next()
    expect(client.socket.readyState).toBe(client.socket.CONNECTING)
    expect(gateway.connections()).toEqual([])
    result.resolve({ statusCode: 204 })

    await client.opened
    expect(gateway.connections()).toEqual([events.all[0]?.requestContext.connectionId])
  })

  test.each([300, 302, 401, 402, 403, 404, 429, 500, 503, 599])(
    'answers the handshake with its own status where that is %d',
    async (statusCode) => {
      const gateway = await startProbe({
        $connect: connecting(() => ({ statusCode, headers: { 'X-Own': 'a' }, body: 'hidden' })),
      })

      const refusal = await refusalOf(gateway.url)

      expect(refusal.status).toBe(statusCode)
      expect(refusal.headers).not.toHaveProperty('x-own')
      expect(refusal.body).toBe('')
      expect(gateway.connections()).toEqual([])
    },
  )

  test.each<[string, () => unknown]>([
    ['throws', () => Promise.reject(new Error('no'))],
    ['returns nothing', () => undefined],
    ['returns no status', () => ({})],
    ['returns an unknown key', () => ({ statusCode: 200, policy: 'allow' })],
    ['returns a body that is no string', () => ({ statusCode: 200, body: 1 })],
    ['returns an impossible status', () => ({ statusCode: 1000 })],
    ['returns an informational status', () => ({ statusCode: 101 })],
    [
      'returns a subprotocol that would break out of its header',
      () => ({
        statusCode: 200,
        headers: { 'Sec-WebSocket-Protocol': 'a\r\nSet-Cookie: b' },
      }),
    ],
  ])('answers the handshake with 502 where it %s', async (_how, handler) => {
    const gateway = await startProbe({ $connect: connecting(handler) })

    const refusal = await refusalOf(gateway.url)

    expect(refusal.status).toBe(502)
    expect(JSON.parse(refusal.body)).toEqual({
      message: 'Internal server error',
      connectionId: expect.stringMatching(id),
      requestId: expect.stringMatching(id),
    })
  })

  test.each([
    ['Lambda', { lambdaTimeoutMs: 5000 }],
    ['integration', { integrationTimeoutMs: 5000, lambdaTimeoutMs: 6000 }],
  ])('answers the handshake with 502 where it takes longer than the %s may', async (_whose, limits) => {
    const clock = new HandClock()
    const never = held()
    const { events, route } = recorded<ConnectEvent>(() => never.promise)
    const gateway = await startProbe({ $connect: route }, { clock, limits })

    const refusal = refusalOf(gateway.url)
    await events.next()
    clock.advance(6000)

    expect((await refusal).status).toBe(502)
  })

  test('is not needed: without it everyone is let in', async () => {
    const gateway = await startProbe()

    await openClient(gateway)

    expect(gateway.connections()).toEqual([expect.stringMatching(id)])
  })

  test('cannot be sent to: a POST to its connection answers 410 until it has returned', async () => {
    const gateway = await startProbe({
      $connect: connecting(async ({ requestContext }) => {
        const post = new PostToConnectionCommand({ ConnectionId: requestContext.connectionId, Data: 'early' })
        const name = await api.send(post).then(
          () => 'sent',
          (error: Error) => error.name,
        )
        return { statusCode: name === 'GoneException' ? 200 : 500 }
      }),
      $default: twoWay(() => ({ body: 'first' })),
    })
    const api = managementApi(gateway.callbackUrl)

    const client = await openClient(gateway)
    client.send('x')

    expect(await client.next()).toBe('first')
  })

  test('is followed by $disconnect where the client did not wait for it', async () => {
    const result = held()
    const arriving = recorded<ConnectEvent>(() => result.promise)
    const leaving = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $connect: arriving.route, $disconnect: leaving.route })
    const client = new ProbeClient(gateway.url)
    const event = await arriving.events.next()

    client.socket.terminate()
    await client.closed
    result.resolve({ statusCode: 200 })

    const { requestContext } = await leaving.events.next()
    expect(requestContext).toMatchObject({
      connectionId: event.requestContext.connectionId,
      disconnectStatusCode: 1006,
    })
    expect(gateway.connections()).toEqual([])
  })
})

describe('the event of $connect', () => {
  test('has headers and query, each once and as lists, and no body', async () => {
    const { events, route } = recorded<ConnectEvent>()
    const gateway = await startProbe({ $connect: route })
    const client = new ProbeClient(`${gateway.url}/?license_id=1&a=x&a=y%20z&__proto__=p`, [], {
      headers: { Origin: 'https://app.example', 'User-Agent': 'probe/1', 'x-twice': ['1', '2'] as never },
    })
    await client.opened

    const event = await events.next()
    expect(Object.keys(event).sort()).toEqual([
      'headers',
      'isBase64Encoded',
      'multiValueHeaders',
      'multiValueQueryStringParameters',
      'queryStringParameters',
      'requestContext',
    ])
    expect(event.isBase64Encoded).toBe(false)
    expect(event.headers).toMatchObject({
      Host: 'probe12345.execute-api.us-east-1.localhost',
      Origin: 'https://app.example',
      'User-Agent': 'probe/1',
      'Sec-WebSocket-Version': '13',
      'X-Forwarded-For': '127.0.0.1',
      'X-Forwarded-Proto': 'https',
      'x-twice': '2',
    })
    expect(event.multiValueHeaders).toMatchObject({ Origin: ['https://app.example'], 'x-twice': ['1', '2'] })
    expect(Object.entries(event.queryStringParameters ?? {})).toEqual([
      ['license_id', '1'],
      ['a', 'y z'],
      ['__proto__', 'p'],
    ])
    expect(event.multiValueQueryStringParameters?.['a']).toEqual(['x', 'y z'])
    expect(event.requestContext).toMatchObject({ routeKey: '$connect', eventType: 'CONNECT' })
    expect(event.requestContext).not.toHaveProperty('messageId')
  })

  test('omits the query where there is none', async () => {
    const { events, route } = recorded<ConnectEvent>()
    await openClient(await startProbe({ $connect: route }))

    const event = await events.next()
    expect(event).not.toHaveProperty('queryStringParameters')
    expect(event).not.toHaveProperty('multiValueQueryStringParameters')
  })

  test('and all later ones have ids of 16 characters that end in = and never repeat', async () => {
    const { events, route } = recorded<ConnectEvent>()
    const gateway = await startProbe({ $connect: route })
    await Promise.all(Array.from({ length: 20 }, () => openClient(gateway)))

    const ids = events.all.flatMap(({ requestContext: { connectionId, requestId } }) => [
      connectionId,
      requestId,
    ])
    expect(new Set(ids).size).toBe(40)
    for (const each of ids) {
      expect(each).toMatch(id)
      expect(Buffer.from(each, 'base64url')).toHaveLength(11)
    }
  })
})

describe('the handshake', () => {
  test('takes over Sec-WebSocket-Protocol from the answer of $connect, and no other header', async () => {
    const gateway = await startProbe({
      $connect: connecting(() => ({
        statusCode: 200,
        headers: { 'sec-websocket-protocol': 'chat.v2', 'X-Own': 'a', 'Set-Cookie': 'b' },
      })),
    })
    const client = new ProbeClient(gateway.url, ['chat.v1', 'chat.v2'])
    const [response] = await once(client.socket, 'upgrade')
    await client.opened

    expect(client.socket.protocol).toBe('chat.v2')
    expect(Object.keys(response.headers).sort()).toEqual([
      'connection',
      'sec-websocket-accept',
      'sec-websocket-protocol',
      'upgrade',
    ])
  })

  test('chooses no subprotocol of its own', async () => {
    const gateway = await startProbe({ $connect: oneWay() })

    await expect(new ProbeClient(gateway.url, ['chat.v1']).opened).rejects.toThrow('no subprotocol')
  })

  test('offers no compression', async () => {
    const client = new ProbeClient((await startProbe()).url, [], { perMessageDeflate: true })
    await client.opened

    expect(client.socket.extensions).toBe('')
  })

  test('is accepted with a trailing slash and a query, and refused with 403 elsewhere', async () => {
    const gateway = await startProbe()
    const origin = gateway.url.replace('/prod', '')

    for (const path of ['/prod', '/prod/', '/prod?a=1', '/prod/?a=1']) {
      await new ProbeClient(`${origin}${path}`).opened
    }
    for (const path of ['/', '/test', '/prod/x', '/Prod', '/prod//']) {
      expect((await refusalOf(`${origin}${path}`)).status, path).toBe(403)
    }
  })

  test('that is malformed is refused before $connect runs', async () => {
    const { events, route } = recorded<ConnectEvent>()
    const gateway = await startProbe({ $connect: route })
    const socket = connect(Number(new URL(gateway.callbackUrl).port), '127.0.0.1')
    socket.write('GET /prod HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')

    const [reply] = await once(socket, 'data')

    expect(String(reply)).toMatch(/^HTTP\/1\.1 400 /)
    expect(events.all).toEqual([])
  })
})

describe('the port', () => {
  test('answers a plain GET on the endpoint with 426', async () => {
    const { callbackUrl } = await startProbe()

    for (const url of [callbackUrl, `${callbackUrl}/`, `${callbackUrl}?a=1`]) {
      const response = await fetch(url)
      expect(response.status, url).toBe(426)
      expect(response.headers.get('upgrade')).toBe('websocket')
    }
  })

  test('answers 426 to whoever offers another upgrade', async () => {
    const gateway = await startProbe()
    const socket = connect(Number(new URL(gateway.callbackUrl).port), '127.0.0.1')
    socket.write('GET /prod HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')

    const [reply] = await once(socket, 'data')
    socket.destroy()

    expect(String(reply)).toMatch(/^HTTP\/1\.1 426 /)
  })

  test('that is taken is named by the error', async () => {
    const { callbackUrl } = await startProbe()
    const port = Number(new URL(callbackUrl).port)

    await expect(startGateway({ apiId: 'a', stage: 'prod', port, routes: new Map() })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is in use`,
    )
  })
})
