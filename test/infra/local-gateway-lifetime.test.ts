import { PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi'
import { describe, expect, test } from 'vitest'
import type { DisconnectEvent, MessageEvent } from '../../infra/local/gateway/events.ts'
import { startGateway } from '../../infra/local/gateway/gateway.ts'
import {
  HandClock,
  held,
  managementApi,
  openClient,
  openKnownClient,
  ProbeClient,
  recorded,
  refusalOf,
  startProbe,
  twoWay,
} from '../support/gateway-probe.ts'

const minuteMs = 60_000

describe('a connection', () => {
  test('is closed with 1001 after 10 minutes without a message, whatever it pings', async () => {
    const clock = new HandClock()
    const { events, route } = recorded<DisconnectEvent>()
    const client = await openClient(await startProbe({ $disconnect: route }, { clock }))

    clock.advance(9 * minuteMs)
    await client.ping()
    clock.advance(minuteMs)

    expect(await client.closed).toEqual({ code: 1001, reason: 'Going away' })
    expect((await events.next()).requestContext).toMatchObject({
      disconnectStatusCode: 1001,
      disconnectReason: 'Going away',
    })
  })

  test('stays open as long as messages come or go within each 10 minutes', async () => {
    const clock = new HandClock()
    const gateway = await startProbe({ $default: twoWay(() => ({ body: 'pong' })) }, { clock })
    const { client, id } = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl)

    for (let round = 0; round < 4; round += 1) {
      clock.advance(9 * minuteMs)
      client.send('ping')
      expect(await client.next()).toBe('pong')
      clock.advance(9 * minuteMs)
      await api.send(new PostToConnectionCommand({ ConnectionId: id, Data: 'push' }))
      expect(await client.next()).toBe('push')
    }
    clock.advance(10 * minuteMs)
    expect(await client.closed).toMatchObject({ code: 1001 })
  })

  test('is closed with 1001 at the age of 2 hours, busy or not', async () => {
    const clock = new HandClock()
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe(
      { $default: twoWay(() => ({ body: 'pong' })), $disconnect: route },
      { clock },
    )
    const client = await openClient(gateway)

    for (let minutes = 0; minutes < 119; minutes += 7) {
      clock.advance(7 * minuteMs)
      client.send('ping')
      expect(await client.next()).toBe('pong')
    }
    expect(clock.now()).toBe(Date.UTC(2023, 10, 29, 10, 3, 4))
    clock.advance(minuteMs)

    expect(await client.closed).toEqual({ code: 1001, reason: 'Going away' })
    expect((await events.next()).requestContext.disconnectStatusCode).toBe(1001)
  })

  test('takes over new limits at once', async () => {
    const clock = new HandClock()
    const gateway = await startProbe({}, { clock })
    const client = await openClient(gateway)
    clock.advance(5000)

    gateway.setLimits({ idleMs: 6000 })
    clock.advance(999)
    expect(gateway.connections()).toHaveLength(1)
    clock.advance(1)

    expect(await client.closed).toMatchObject({ code: 1001 })
  })

  test('leaves no timer and no trace behind', async () => {
    const clock = new HandClock()
    const gateway = await startProbe({ $default: twoWay(() => ({ body: 'pong' })) }, { clock })
    const client = await openClient(gateway)
    client.send('ping')
    await client.next()

    client.socket.close()
    await client.closed
    await gateway.idle()

    expect(clock.timers).toBe(0)
    expect(gateway.connections()).toEqual([])
  })
})

describe('the event of $disconnect', () => {
  test('has four stub headers, how it ended, no query and no body', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route })
    const client = new ProbeClient(`${gateway.url}?license_id=1`)
    await client.opened

    client.socket.close(1000, 'done')

    const event = await events.next()
    const host = 'probe12345.execute-api.us-east-1.localhost'
    expect(event).toEqual({
      headers: { Host: host, 'x-api-key': '', 'X-Forwarded-For': '', 'x-restapi': '' },
      multiValueHeaders: { Host: [host], 'x-api-key': [''], 'X-Forwarded-For': [''], 'x-restapi': [''] },
      requestContext: expect.objectContaining({
        routeKey: '$disconnect',
        eventType: 'DISCONNECT',
        disconnectStatusCode: 1000,
        disconnectReason: 'done',
        messageDirection: 'IN',
        extendedRequestId: event.requestContext.requestId,
      }),
      isBase64Encoded: false,
    })
    expect(event.requestContext).not.toHaveProperty('messageId')
  })

  test('says 1005 of a client that closed without a code, and 1006 of one that was lost', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route })

    ;(await openClient(gateway)).socket.close()
    expect((await events.next()).requestContext).toMatchObject({
      disconnectStatusCode: 1005,
      disconnectReason: 'Client-side close frame status not set',
    })
    ;(await openClient(gateway)).socket.terminate()
    expect((await events.next()).requestContext.disconnectStatusCode).toBe(1006)
  })
})

describe('$disconnect', () => {
  test('may fail, and its result is ignored', async () => {
    const { events, route } = recorded<DisconnectEvent>(() => Promise.reject(new Error('no')))
    const gateway = await startProbe({ $disconnect: route })
    const client = await openClient(gateway)

    client.socket.close()
    await client.closed
    await gateway.idle()

    expect(events.all).toHaveLength(1)
    await openClient(gateway)
  })

  test('comes once the client saw its socket closed and the gateway is idle', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route })
    const clients = await Promise.all(Array.from({ length: 30 }, () => openClient(gateway)))

    for (const [n, client] of clients.entries()) {
      client.socket.close()
      await client.closed
      await gateway.idle()
      expect(events.all).toHaveLength(n + 1)
    }
  })

  test('is lost, repeated or late by minutes where a fault says so, even behind a new connection', async () => {
    const clock = new HandClock()
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route }, { clock })
    const leave = async () => {
      const { client, id } = await openKnownClient(gateway)
      client.socket.close()
      await client.closed
      await gateway.idle()
      return id
    }

    gateway.setFaults({ disconnect: () => ({ lose: true }) })
    await leave()
    expect(events.all).toHaveLength(0)

    gateway.setFaults({ disconnect: () => ({ times: 2 }) })
    const twice = await leave()
    expect(events.all.map(({ requestContext }) => requestContext.connectionId)).toEqual([twice, twice])

    gateway.setFaults({ disconnect: () => ({ delayMs: 3 * minuteMs }) })
    const late = await leave()
    await openClient(gateway)
    expect(events.all).toHaveLength(2)
    clock.advance(3 * minuteMs)
    await gateway.idle()
    expect(events.all[2]?.requestContext.connectionId).toBe(late)
    expect(gateway.connections()).toHaveLength(1)
  })
})

describe('drop', () => {
  test('closes with 1001 and runs $disconnect where it is clean', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route })
    const { client, id } = await openKnownClient(gateway)

    gateway.drop(id, { clean: true })

    expect(await client.closed).toMatchObject({ code: 1001 })
    expect((await events.next()).requestContext.connectionId).toBe(id)
  })

  test('cuts the network and never runs $disconnect where it is not', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route })
    const { client, id } = await openKnownClient(gateway)

    gateway.drop(id, { clean: false })

    expect(await client.closed).toMatchObject({ code: 1006 })
    await gateway.idle()
    expect(events.all).toEqual([])
    expect(gateway.connections()).toEqual([])
  })

  test('leaves a connection that looks alive, until it has been idle for too long', async () => {
    const clock = new HandClock()
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route }, { clock })
    const { client, id } = await openKnownClient(gateway)

    gateway.drop(id, { clean: false, posts: 'lost' })
    await client.closed
    await gateway.idle()
    expect(gateway.connections()).toEqual([id])
    expect(events.all).toEqual([])
    clock.advance(10 * minuteMs)

    expect((await events.next()).requestContext).toMatchObject({
      connectionId: id,
      disconnectStatusCode: 1001,
    })
    expect(gateway.connections()).toEqual([])
  })

  test('names the connection that it cannot find', async () => {
    const gateway = await startProbe()

    expect(() => gateway.drop('nobody', { clean: true })).toThrow('There is no connection nobody to drop.')
  })
})

describe('a fault of an invocation', () => {
  test('fails it before or after its handler ran', async () => {
    const { events, route } = recorded<MessageEvent>(() => ({ body: 'done' }))
    const gateway = await startProbe({ $default: { ...route, twoWay: true } })
    const client = await openClient(gateway)

    gateway.setFaults({ invocation: () => ({ fail: 'before' }) })
    client.send('a')
    expect(await client.nextJson()).toMatchObject({ message: 'Internal server error' })
    expect(events.all).toHaveLength(0)
    gateway.setFaults({
      invocation: ({ route: key }) => (key === '$default' ? { fail: 'after' } : undefined),
    })
    client.send('b')
    expect(await client.nextJson()).toMatchObject({ message: 'Internal server error' })
    expect(events.all).toHaveLength(1)
    gateway.setFaults({})
    client.send('c')
    expect(await client.next()).toBe('done')
  })

  test('delays it by the clock', async () => {
    const clock = new HandClock()
    const { events, route } = recorded<MessageEvent>()
    const gateway = await startProbe(
      { $default: route },
      { clock, faults: { invocation: () => ({ delayMs: 50 }) } },
    )
    const client = await openClient(gateway)

    client.send('a')
    await client.ping()
    clock.advance(49)
    await client.ping()
    expect(events.all).toEqual([])
    clock.advance(1)

    expect((await events.next()).body).toBe('a')
  })
})

describe('close', () => {
  test('closes all connections with 1001, runs their $disconnect, and waits for what runs', async () => {
    const clock = new HandClock()
    const entered = held<void>()
    const result = held()
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startGateway({
      apiId: 'a',
      stage: 'prod',
      port: 0,
      clock,
      routes: new Map([
        ['$disconnect', route],
        ['$default', twoWay(() => (entered.resolve(), result.promise))],
      ]),
    })
    const clients = await Promise.all([openClient(gateway), openClient(gateway)])
    clients[0]?.send('x')
    await entered.promise

    let isClosed = false
    const closing = gateway.close().then(() => (isClosed = true))
    for (const client of clients) expect(await client.closed).toMatchObject({ code: 1001 })
    expect((await refusalOf(gateway.url)).status).toBe(503)
    expect(isClosed).toBe(false)
    result.resolve({ statusCode: 200 })
    await closing
    await gateway.close()

    expect(events.all).toHaveLength(2)
    expect(clock.timers).toBe(0)
    await expect(fetch(gateway.callbackUrl)).rejects.toThrow()
  })

  test('frees its port at once for the next', async () => {
    const gateway = await startProbe()
    await openClient(gateway)
    const port = Number(new URL(gateway.callbackUrl).port)

    await gateway.close()

    await openClient(await startProbe({}, { port }))
  })

  test('does not wait for clients that never answer its closing handshake, or for late $disconnects', async () => {
    const clock = new HandClock()
    const { events, route } = recorded<DisconnectEvent>()
    const faults = { disconnect: () => ({ delayMs: 1000 }) }
    const gateway = await startProbe({ $disconnect: route }, { clock, faults })
    const client = await openClient(gateway)
    const left = await openClient(gateway)
    left.socket.close()
    await left.closed
    client.socket.pause()

    await gateway.close()

    expect(clock.timers).toBe(0)
    expect(events.all).toEqual([])
  })
})

describe('2,000 idle sockets', () => {
  test('cost little memory each', async () => {
    const gateway = await startProbe()
    const open = (count: number) => Promise.all(Array.from({ length: count }, () => openClient(gateway)))
    await open(100)
    const before = process.memoryUsage().rss

    for (let n = 0; n < 10; n += 1) await open(200)

    expect(gateway.connections()).toHaveLength(2100)
    // Both ends live in this process.
    expect((process.memoryUsage().rss - before) / 2000).toBeLessThan(100 * 1024)
  })
})
