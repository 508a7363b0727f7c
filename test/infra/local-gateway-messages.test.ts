import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MessageEvent } from '../../infra/local/gateway/events.ts'
import type { RequestEntry } from '../../infra/local/gateway/settings.ts'
import {
  HandClock,
  held,
  oneWay,
  openClient,
  openKnownClient,
  recorded,
  startProbe,
  twoWay,
} from '../support/gateway-probe.ts'

const id = /^[\w-]{15}=$/
const echoRoute = twoWay((event) => ({ statusCode: 200, body: event.requestContext.routeKey }))
const gatewayError = (message: string) => ({
  message,
  connectionId: expect.stringMatching(id),
  requestId: expect.stringMatching(id),
})

describe('the event of a message', () => {
  test('has only requestContext, body and isBase64Encoded, and its body is the frame verbatim', async () => {
    const { events, route } = recorded<MessageEvent>()
    const client = await openClient(await startProbe({ $default: route }))
    const body = '\ufeff { "action" : "none",\t"text":"\u{1f600} \u0000" }\n'

    client.send(body)

    const event = await events.next()
    expect(Object.keys(event).sort()).toEqual(['body', 'isBase64Encoded', 'requestContext'])
    expect(event.body).toBe(body)
    expect(event.isBase64Encoded).toBe(false)
  })

  test('has a requestContext with exactly the fields of the real one', async () => {
    const { events, route } = recorded<MessageEvent>()
    const clock = new HandClock()
    const gateway = await startProbe({ hello: route }, { clock })
    const client = await openClient(gateway, { headers: { 'User-Agent': 'probe/1' } })
    const [connectionId] = gateway.connections()
    clock.advance(1000)

    client.send({ action: 'hello' })

    const { requestContext } = await events.next()
    expect(requestContext).toEqual({
      routeKey: 'hello',
      messageId: expect.stringMatching(id),
      eventType: 'MESSAGE',
      extendedRequestId: requestContext.requestId,
      requestTime: '29/Nov/2023:08:04:05 +0000',
      messageDirection: 'IN',
      stage: 'prod',
      connectedAt: Date.UTC(2023, 10, 29, 8, 4, 4),
      requestTimeEpoch: Date.UTC(2023, 10, 29, 8, 4, 5),
      identity: { userAgent: 'probe/1', sourceIp: '127.0.0.1' },
      requestId: expect.stringMatching(id),
      domainName: 'probe12345.execute-api.us-east-1.localhost',
      connectionId,
      apiId: 'probe12345',
    })
    expect(requestContext.messageId).not.toBe(requestContext.requestId)
  })

  test('leaves out the user agent of a client that names none, rather than saying null', async () => {
    const { events, route } = recorded<MessageEvent>()
    const client = await openClient(await startProbe({ $default: route }))

    client.send('x')

    expect(Object.keys((await events.next()).requestContext.identity)).toEqual(['sourceIp'])
  })
})

describe('the route of a message', () => {
  test('is the one whose key equals its action, and else $default', async () => {
    const client = await openClient(await startProbe({ hello: echoRoute, $default: echoRoute }))

    for (const [body, route] of [
      ['{"action":"hello"}', 'hello'],
      ['{"action":"none","action":"hello"}', 'hello'],
      ['{"action":"Hello"}', '$default'],
      ['{"action":"hello "}', '$default'],
      ['{"action":"other"}', '$default'],
      ['{"action":["hello"]}', '$default'],
      ['{"action":1}', '$default'],
      ['{"action":null}', '$default'],
      ['{"action":""}', '$default'],
      ['{"action":"constructor"}', '$default'],
      ['{"action":"__proto__"}', '$default'],
      ['{"__proto__":{"action":"hello"}}', '$default'],
      ['[{"action":"hello"}]', '$default'],
      ['{action:"hello"}', '$default'],
      ['"hello"', '$default'],
      ['null', '$default'],
      ['', '$default'],
      ['{"action":"hello"', '$default'],
      ['['.repeat(32 * 1024), '$default'],
    ] as const) {
      client.send(body)
      expect(await client.next(), body.slice(0, 50)).toBe(route)
    }
  })

  test('is never $connect or $disconnect, whatever the client says', async () => {
    const connect = recorded()
    const disconnect = recorded()
    const gateway = await startProbe({
      $connect: connect.route,
      $disconnect: disconnect.route,
      $default: echoRoute,
    })
    const client = await openClient(gateway)

    for (const action of ['$connect', '$disconnect', '$default']) {
      client.send({ action })
      expect(await client.next()).toBe('$default')
    }
    expect(connect.events.all).toHaveLength(1)
    expect(disconnect.events.all).toHaveLength(0)
  })

  test('is refused with Forbidden where there is none and no $default, and the socket stays open', async () => {
    const client = await openClient(await startProbe({ hello: echoRoute, $connect: oneWay() }))

    client.send({ action: '$connect' })
    const refusal = await client.next()

    expect(refusal).toMatch(/^\{"message": "Forbidden", "connectionId":"[^"]+", "requestId":"[^"]+"\}$/)
    client.send({ action: 'hello' })
    expect(await client.next()).toBe('hello')
  })

  test('is found for any text without a crash', async () => {
    const client = await openClient(await startProbe({ $default: twoWay((event) => ({ body: event.body })) }))

    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), async (text) => {
        const wellFormed = text.toWellFormed()
        client.send(wellFormed)
        expect(await client.next()).toBe(wellFormed)
      }),
      { numRuns: 100 },
    )
  })
})

describe('an invocation that fails', () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['returns nothing', () => undefined],
    ['returns null', () => null],
    ['returns a string', () => 'ok'],
    ['returns an unknown key', () => ({ statusCode: 200, cookies: [] })],
    ['returns a body that is no string', () => ({ statusCode: 200, body: { a: 1 } })],
    ['returns a body of null', () => ({ statusCode: 200, body: null })],
    ['returns what is no JSON', () => circular],
    ['returns a status that is no number', () => ({ statusCode: 'OK' })],
  ])(
    'gives Internal server error and leaves the socket open, where the handler %s',
    async (_how, handler) => {
      const gateway = await startProbe({ two: twoWay(handler), one: oneWay(handler), fine: echoRoute })
      const client = await openClient(gateway)

      for (const action of ['two', 'one']) {
        client.send({ action })
        expect(await client.nextJson()).toEqual(gatewayError('Internal server error'))
      }
      client.send({ action: 'fine' })
      expect(await client.next()).toBe('fine')
    },
  )

  test('is also one that runs over the time of its Lambda, whose context counts it down', async () => {
    const clock = new HandClock()
    const remaining: number[] = []
    const entered = held<void>()
    const never = held()
    const gateway = await startProbe(
      {
        $default: twoWay((_event, context) => {
          remaining.push(context.getRemainingTimeInMillis())
          clock.advance(1500)
          remaining.push(context.getRemainingTimeInMillis())
          entered.resolve()
          return never.promise
        }),
      },
      { clock, limits: { lambdaTimeoutMs: 5000 } },
    )
    const client = await openClient(gateway)

    client.send('x')
    await entered.promise
    clock.advance(3500)

    expect(await client.nextJson()).toEqual(gatewayError('Internal server error'))
    expect(remaining).toEqual([5000, 3500])
    await gateway.idle()
  })

  test('is told apart from one that is too large to send, which fails as well', async () => {
    const answer = (body: string) => twoWay(() => ({ statusCode: 200, body }))
    const largest = 'x'.repeat(128 * 1024)
    const client = await openClient(await startProbe({ fits: answer(largest), not: answer(`${largest}x`) }))

    client.send({ action: 'fits' })
    expect(await client.next()).toBe(largest)
    client.send({ action: 'not' })
    expect(await client.nextJson()).toEqual(gatewayError('Internal server error'))
  })
})

describe('a request that takes over 29 seconds', () => {
  test('is told that it timed out, while its Lambda runs on to its end', async () => {
    const clock = new HandClock()
    const entered = held<void>()
    const result = held()
    const entries: RequestEntry[] = []
    const gateway = await startProbe(
      { slow: twoWay(() => (entered.resolve(), result.promise)), fine: echoRoute },
      { clock, limits: { lambdaTimeoutMs: 60_000 }, onRequest: (entry) => entries.push(entry) },
    )
    const client = await openClient(gateway)

    client.send({ action: 'slow' })
    await entered.promise
    clock.advance(28_999)
    client.send({ action: 'fine' })
    expect(await client.next()).toBe('fine')
    clock.advance(1)
    const timedOut = await client.next()

    expect(timedOut).toMatch(
      /^\{"message": "Endpoint request timed out", "connectionId":"[^"]+", "requestId":"[^"]+"\}$/,
    )
    expect(entries).toMatchObject([
      { route: 'fine', outcome: 'ok' },
      { route: 'slow', outcome: 'timeout', ms: 29_000 },
    ])
    let isIdle = false
    const idle = gateway.idle().then(() => (isIdle = true))
    await client.ping()
    expect(isIdle).toBe(false)
    result.resolve({ statusCode: 200, body: 'too late' })
    await idle
    await client.ping()
    expect(client.frames.all).toEqual(['fine', timedOut])
  })
})

describe('the answer of a route', () => {
  test('goes out verbatim as one text message where the route is two-way, whatever its status', async () => {
    const bodies = ['{"a": 1 }\n', 'no json', '\u{1f600}', 'ä'.repeat(60_000)]
    const gateway = await startProbe({
      $default: twoWay((event) => ({
        statusCode: 500,
        headers: { a: 'b' },
        body: bodies[Number(event.body)],
      })),
    })
    const client = await openClient(gateway)
    const kinds: boolean[] = []
    client.socket.on('message', (_data, isBinary) => kinds.push(isBinary))

    for (const [index, body] of bodies.entries()) {
      client.send(`${index}`)
      expect(await client.next()).toBe(body)
    }
    expect(kinds).toEqual([false, false, false, false])
  })

  test('is an empty text frame where a two-way route has no body', async () => {
    const client = await openClient(await startProbe({ $default: twoWay(() => ({ statusCode: 200 })) }))

    client.send('x')

    expect(await client.next()).toBe('')
  })

  test('is discarded where the route is one-way, whatever its status', async () => {
    const gateway = await startProbe({
      one: oneWay(() => ({ statusCode: 500, body: 'to nobody' })),
      two: echoRoute,
    })
    const client = await openClient(gateway)

    client.send({ action: 'one' })
    await client.ping()
    await gateway.idle()
    client.send({ action: 'two' })

    expect(await client.next()).toBe('two')
  })

  test('goes nowhere, and harms nobody, where its client is gone by then', async () => {
    const entered = held<void>()
    const result = held()
    const gateway = await startProbe({ $default: twoWay(() => (entered.resolve(), result.promise)) })
    const client = await openClient(gateway)

    client.send('x')
    await entered.promise
    client.socket.close()
    await client.closed
    result.resolve({ statusCode: 200, body: 'late' })

    await gateway.idle()
    expect(gateway.connections()).toEqual([])
  })
})

describe('two quick messages of one socket', () => {
  test('run side by side, and their answers may overtake each other', async () => {
    const results = new Map([
      ['first', held()],
      ['second', held()],
    ])
    const { events, route } = recorded<MessageEvent>((event) => results.get(event.body)?.promise)
    const client = await openClient(await startProbe({ $default: { ...route, twoWay: true } }))

    client.send('first')
    client.send('second')
    await events.next()
    await events.next()
    results.get('second')?.resolve({ statusCode: 200, body: 'second' })
    expect(await client.next()).toBe('second')
    results.get('first')?.resolve({ statusCode: 200, body: 'first' })
    expect(await client.next()).toBe('first')
  })

  test('are reordered by jitter, which may be set and taken away at run time', async () => {
    const clock = new HandClock()
    const { events, route } = recorded<MessageEvent>()
    const waits = [20, 10]
    const gateway = await startProbe({ $default: route }, { clock, jitter: () => waits.shift() ?? 0 })
    const client = await openClient(gateway)

    client.send('first')
    client.send('second')
    await client.ping()
    expect(events.all).toEqual([])
    clock.advance(20)
    expect((await events.next()).body).toBe('second')
    expect((await events.next()).body).toBe('first')

    gateway.setJitter(() => 5)
    client.send('third')
    await client.ping()
    gateway.setJitter(undefined)
    client.send('fourth')
    expect((await events.next()).body).toBe('fourth')
    clock.advance(5)
    expect((await events.next()).body).toBe('third')
  })
})

describe('the Lambda context', () => {
  test('has its own request id and names its function', async () => {
    const gateway = await startProbe({
      hello: twoWay((_event, context) => ({ body: `${context.functionName} ${context.awsRequestId}` })),
      named: {
        twoWay: true,
        functionName: 'chat-named',
        handler: async (_event, context) => ({ body: context.functionName }),
      },
    })
    const client = await openClient(gateway)

    client.send({ action: 'hello' })
    expect(await client.next()).toMatch(/^probe12345-hello [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    client.send({ action: 'named' })
    expect(await client.next()).toBe('chat-named')
  })
})

describe('the request log', () => {
  test('has one entry per invocation, with the error type of a two-way answer', async () => {
    const entries: RequestEntry[] = []
    const answer = (body: string) => ({ statusCode: 200, body })
    const error = JSON.stringify({
      success: false,
      payload: { error: { type: 'chat_inactive', message: '' } },
    })
    const thrown = new Error('bug')
    const gateway = await startProbe(
      {
        ok: twoWay(() => answer('{"payload":{}}')),
        refused: twoWay(() => answer(error)),
        silent: oneWay(() => answer(error)),
        broken: twoWay(() => Promise.reject(thrown)),
      },
      { onRequest: (entry) => entries.push(entry) },
    )
    const { client, id: connectionId } = await openKnownClient(gateway)

    for (const action of ['ok', 'refused', 'silent', 'broken', 'unknown']) {
      client.send({ action })
      await client.ping()
      await gateway.idle()
    }

    expect(entries).toEqual(
      [
        { route: 'ok', outcome: 'ok' },
        { route: 'refused', outcome: 'error: chat_inactive' },
        { route: 'silent', outcome: 'ok' },
        { route: 'broken', outcome: 'failed', error: thrown },
      ].map((entry) => ({
        ...entry,
        api: 'probe12345',
        connectionId,
        requestId: expect.stringMatching(id),
        time: expect.any(Number),
        ms: expect.any(Number),
      })),
    )
  })
})
