import {
  type ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { describe, expect, test } from 'vitest'
import type { DisconnectEvent } from '../../infra/local/gateway/events.ts'
import type { Gateway } from '../../infra/local/gateway/gateway.ts'
import {
  HandClock,
  held,
  managementApi,
  openClient,
  openKnownClient,
  recorded,
  startProbe,
} from '../support/gateway-probe.ts'

const absent = 'AAAAAAAAAAAAAAA='

function post(api: ApiGatewayManagementApiClient, ConnectionId: string, Data: string | Uint8Array = 'x') {
  return api.send(new PostToConnectionCommand({ ConnectionId, Data }))
}

/** The raw answer, as callers without the SDK see it. */
async function raw(gateway: Gateway, path: string, method = 'POST', body: string | null = 'x') {
  const response = await fetch(new URL(path, gateway.callbackUrl), {
    method,
    body: method === 'POST' ? body : null,
  })
  return {
    status: response.status,
    type: response.headers.get('x-amzn-errortype'),
    body: await response.text(),
  }
}

describe('POST', () => {
  test('answers 200 and sends the body verbatim as one text message', async () => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)
    const kinds: boolean[] = []
    client.socket.on('message', (_data, isBinary) => kinds.push(isBinary))

    for (const text of ['{"a": 1 }\n', '', '\u{1f600}']) {
      const { $metadata } = await post(managementApi(gateway.callbackUrl), id, Buffer.from(text))
      expect($metadata.httpStatusCode).toBe(200)
      expect(await client.next()).toBe(text)
    }
    expect(kinds).toEqual([false, false, false])
  })

  test('sends up to 128 KB, in frames of 32 KB', async () => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)
    const network: Buffer[] = []
    const { _socket } = client.socket as unknown as { _socket: NodeJS.ReadableStream }
    _socket.on('data', (chunk: Buffer) => network.push(chunk))
    const body = 'ä'.repeat(64 * 1024)

    await post(managementApi(gateway.callbackUrl), id, body)

    expect(await client.next()).toBe(body)
    const bytes = Buffer.concat(network)
    const headers = [0, 1, 2, 3].map((n) => bytes.readUInt32BE(n * (4 + 32 * 1024)).toString(16))
    expect(headers).toEqual(['17e8000', '7e8000', '7e8000', '807e8000'])
  })

  test('answers 413 PayloadTooLargeException to a body over 128 KB, and leaves the caller connected', async () => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl)

    await expect(post(api, id, 'x'.repeat(128 * 1024 + 1))).rejects.toMatchObject({
      name: 'PayloadTooLargeException',
      $metadata: { httpStatusCode: 413 },
    })
    await expect(post(api, id, 'x'.repeat(2 * 1024 * 1024))).rejects.toThrow(/128 KB/)
    await post(api, id, 'after')
    expect(await client.next()).toBe('after')
  })

  test('answers 410 GoneException with an empty body to a connection that never was or has closed', async () => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)
    client.socket.close()
    await client.closed

    for (const each of [absent, id]) {
      await expect(post(managementApi(gateway.callbackUrl), each)).rejects.toMatchObject({
        name: 'GoneException',
        $metadata: { httpStatusCode: 410 },
      })
      const path = `/prod/@connections/${encodeURIComponent(each)}`
      expect(await raw(gateway, path)).toEqual({ status: 410, type: 'GoneException', body: '' })
    }
  })

  test.each([
    'abc',
    'AAAAAAAAAAAAAAA',
    'AAAAAAAAAAAAAA==',
    'AAAAAAAAAAAAAAAA=',
    'AAAAAAA/AAAAAAA=',
    'ä',
    '%',
  ])('answers 400 BadRequestException to the malformed id %s', async (id) => {
    const gateway = await startProbe()

    await expect(post(managementApi(gateway.callbackUrl), id)).rejects.toMatchObject({
      name: 'BadRequestException',
      message: expect.stringContaining('Invalid connectionId'),
      $metadata: { httpStatusCode: 400 },
    })
  })

  test('answers 400 to a broken percent escape', async () => {
    expect(await raw(await startProbe(), '/prod/@connections/%E0%A4%A')).toMatchObject({ status: 400 })
  })

  test('answers 403 ForbiddenException on another stage', async () => {
    const gateway = await startProbe()
    const { id } = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl.replace('/prod', '/test'))

    await expect(post(api, id)).rejects.toMatchObject({
      name: 'ForbiddenException',
      $metadata: { httpStatusCode: 403 },
    })
  })

  test('takes the path with @ or %40 and the id escaped or not, but no doubled slash', async () => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)
    const escaped = id.replace('=', '%3D')

    for (const path of [`@connections/${id}`, `%40connections/${escaped}`, `@connections/${escaped}?a=1`]) {
      expect((await raw(gateway, `/prod/${path}`, 'POST', path)).status, path).toBe(200)
      expect(await client.next()).toBe(path)
    }
    for (const path of [
      `/prod//@connections/${id}`,
      `/@connections/${id}`,
      '/prod/@connections',
      `/prod/${id}`,
    ]) {
      expect((await raw(gateway, path)).status, path).toBe(403)
    }
    expect((await raw(gateway, `/prod/@connections/${id}`, 'PUT')).status).toBe(403)
  })

  test('replaces bytes that are no UTF-8, so that the client is not closed for them', async () => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)

    await post(managementApi(gateway.callbackUrl), id, new Uint8Array([0x61, 0xff, 0x62]))

    expect(await client.next()).toBe('a\ufffdb')
  })

  test('answers 200 while the client reads nothing, and 429 LimitExceededException once it is too slow', async () => {
    const gateway = await startProbe({}, { limits: { slowReaderBytes: 256 * 1024 } })
    const { client, id } = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl)
    const body = 'x'.repeat(128 * 1024)
    client.socket.pause()

    let accepted = 0
    const refusal: unknown = await (async () => {
      for (;;) {
        await post(api, id, body)
        accepted += 1
      }
    })().catch((error: unknown) => error)

    expect(refusal).toMatchObject({ name: 'LimitExceededException', $metadata: { httpStatusCode: 429 } })
    expect(accepted).toBeGreaterThan(1)
    expect(client.frames.all).toEqual([])
    client.socket.resume()
    for (let n = 0; n < accepted; n += 1) expect(await client.next()).toBe(body)
    await post(api, id, 'after')
    expect(await client.next()).toBe('after')
  })

  test.each([
    ['lost', 'lose'],
    ['gone', 'gone'],
  ] as const)('to a client whose network was cut is %s', async (posts, how) => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)

    gateway.drop(id, { clean: false, posts })
    await client.closed
    const sent = post(managementApi(gateway.callbackUrl), id)

    if (how === 'lose') expect((await sent).$metadata.httpStatusCode).toBe(200)
    else await expect(sent).rejects.toMatchObject({ name: 'GoneException' })
  })

  test('to a half-dead client hangs until its caller gives up, and holds up nobody', async () => {
    const gateway = await startProbe()
    const half = await openKnownClient(gateway)
    const other = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl)
    const abort = new AbortController()
    gateway.drop(half.id, { clean: false, posts: 'hang' })

    const command = new PostToConnectionCommand({ ConnectionId: half.id, Data: 'x' })
    const hanging = api.send(command, { abortSignal: abort.signal })
    await post(api, other.id, 'through')
    expect(await other.client.next()).toBe('through')
    await gateway.idle()
    abort.abort()

    await expect(hanging).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('500 at once over 256 sockets all arrive', async () => {
    const gateway = await startProbe()
    const clients = await Promise.all(Array.from({ length: 50 }, () => openClient(gateway)))
    const ids = gateway.connections()
    const api = managementApi(gateway.callbackUrl, 256)

    await Promise.all(Array.from({ length: 500 }, (_, n) => post(api, ids[n % 50] ?? absent, `${n}`)))
    await Promise.all(clients.map((client) => client.ping()))

    const received = clients.flatMap((client) => client.frames.all.map(Number)).sort((a, b) => a - b)
    expect(received).toEqual(Array.from({ length: 500 }, (_, n) => n))
  })
})

describe('GET', () => {
  test('tells since when a connection is there, when it was last active, and whose it is', async () => {
    const clock = new HandClock()
    const gateway = await startProbe({}, { clock })
    const client = await openClient(gateway, { headers: { 'User-Agent': 'probe/1' } })
    const [id = ''] = gateway.connections()
    const api = managementApi(gateway.callbackUrl)
    clock.advance(1500)
    client.send('x')
    await client.ping()

    const connection = await api.send(new GetConnectionCommand({ ConnectionId: id }))

    expect(connection.$metadata.httpStatusCode).toBe(200)
    expect(connection.ConnectedAt).toEqual(new Date('2023-11-29T08:04:04.000Z'))
    expect(connection.LastActiveAt).toEqual(new Date('2023-11-29T08:04:05.500Z'))
    expect(connection.Identity).toEqual({ SourceIp: '127.0.0.1', UserAgent: 'probe/1' })
    expect(JSON.parse((await raw(gateway, `/prod/@connections/${id}`, 'GET')).body)).toEqual({
      connectedAt: '2023-11-29T08:04:04.000Z',
      identity: { sourceIp: '127.0.0.1', userAgent: 'probe/1' },
      lastActiveAt: '2023-11-29T08:04:05.500Z',
    })
  })

  test('answers 410 GoneException where it is not there', async () => {
    const api = managementApi((await startProbe()).callbackUrl)

    const sent = api.send(new GetConnectionCommand({ ConnectionId: absent }))

    await expect(sent).rejects.toMatchObject({ name: 'GoneException' })
  })
})

describe('DELETE', () => {
  test('answers 204, closes the socket with 1000, and leads to $disconnect', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route })
    const { client, id } = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl)

    const { $metadata } = await api.send(new DeleteConnectionCommand({ ConnectionId: id }))

    expect($metadata.httpStatusCode).toBe(204)
    expect(await client.closed).toMatchObject({ code: 1000 })
    const { requestContext } = await events.next()
    expect(requestContext).toMatchObject({ connectionId: id, disconnectStatusCode: 1000 })
    await expect(post(api, id)).rejects.toMatchObject({ name: 'GoneException' })
    const again = api.send(new DeleteConnectionCommand({ ConnectionId: id }))
    await expect(again).rejects.toMatchObject({ name: 'GoneException' })
    await gateway.idle()
    expect(events.all).toHaveLength(1)
  })
})

describe('a fault of a POST', () => {
  test('answers as it is told, and delivers nothing unless told so', async () => {
    const gateway = await startProbe()
    const { client, id } = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl)

    gateway.setFaults({ post: () => ({ status: 429, errorType: 'LimitExceededException' }) })
    await expect(post(api, id, 'a')).rejects.toMatchObject({ name: 'LimitExceededException' })
    gateway.setFaults({ post: () => ({ status: 500, deliver: true }) })
    await expect(post(api, id, 'b')).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } })
    gateway.setFaults({ post: () => ({ lose: true }) })
    await post(api, id, 'c')
    gateway.setFaults({ post: ({ connectionId }) => (connectionId === id ? undefined : { hang: true }) })
    await post(api, id, 'd')

    expect(await client.next()).toBe('b')
    expect(await client.next()).toBe('d')
  })

  test('holds it until the hook settles or its delay is over, and idle waits for it', async () => {
    const clock = new HandClock()
    const gateway = await startProbe({}, { clock })
    const { client, id } = await openKnownClient(gateway)
    const api = managementApi(gateway.callbackUrl)
    const entered = held<void>()
    const hold = held<{ delayMs: number }>()
    gateway.setFaults({ post: () => (entered.resolve(), hold.promise) })

    const sent = post(api, id, 'held')
    await entered.promise
    let isIdle = false
    const idle = gateway.idle().then(() => (isIdle = true))
    hold.resolve({ delayMs: 100 })
    await client.ping()
    expect(isIdle).toBe(false)
    expect(client.frames.all).toEqual([])
    clock.advance(100)

    await idle
    await client.ping()
    expect(client.frames.all).toEqual(['held'])
    await sent
  })
})
