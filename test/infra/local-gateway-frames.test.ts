import * as fc from 'fast-check'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { FrameLengths } from '../../infra/local/gateway/frame-lengths.ts'
import type { DisconnectEvent, MessageEvent } from '../../infra/local/gateway/events.ts'
import type { Gateway } from '../../infra/local/gateway/gateway.ts'
import { openClient, recorded, startProbe, twoWay } from '../support/gateway-probe.ts'

const frameBytes = 32 * 1024
const lengthRoute = twoWay((event) => ({ body: `${Buffer.byteLength(event.body)}` }))

/** A client's frame, byte for byte; the mask is zero. */
function frame(bytes: number, { opcode = 1, isFinal = true } = {}): Buffer {
  const first = (isFinal ? 0x80 : 0) | opcode
  const header =
    bytes < 126
      ? [first, 0x80 | bytes]
      : bytes < 65_536
        ? [first, 0x80 | 126, bytes >> 8, bytes & 255]
        : [first, 0x80 | 127, 0, 0, 0, 0, bytes >>> 24, (bytes >> 16) & 255, (bytes >> 8) & 255, bytes & 255]
  return Buffer.concat([Buffer.from([...header, 0, 0, 0, 0]), Buffer.alloc(bytes, 'x')])
}

/** A client of bare TCP, to send what no WebSocket library would. */
async function openBare(gateway: Gateway): Promise<Socket> {
  const socket = connect(Number(new URL(gateway.callbackUrl).port), '127.0.0.1')
  socket.write(
    'GET /prod HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await once(socket, 'data')
  return socket
}

describe('a text message', () => {
  test('of one frame of 32 KB is taken, one byte more closes with 1009', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const client = await openClient(await startProbe({ $default: lengthRoute, $disconnect: route }))

    client.send('x'.repeat(frameBytes))
    expect(await client.next()).toBe(`${frameBytes}`)
    client.send('x'.repeat(frameBytes + 1))

    expect(await client.closed).toMatchObject({ code: 1009 })
    expect((await events.next()).requestContext.disconnectStatusCode).toBe(1009)
    expect(client.frames.all).toHaveLength(1)
  })

  test('of several frames is taken up to 128 KB, and closes with 1009 above that', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const client = await openClient(await startProbe({ $default: lengthRoute, $disconnect: route }))
    const part = 'x'.repeat(frameBytes)

    for (const isLast of [false, false, false, true]) client.socket.send(part, { fin: isLast })
    expect(await client.next()).toBe(`${4 * frameBytes}`)
    for (const isLast of [false, false, false, false]) client.socket.send(part, { fin: isLast })
    client.socket.send('x', { fin: true })

    expect(await client.closed).toMatchObject({ code: 1009 })
    expect((await events.next()).requestContext.disconnectStatusCode).toBe(1009)
  })

  test('of several frames closes with 1009 where one of them is over 32 KB', async () => {
    const client = await openClient(await startProbe({ $default: lengthRoute }))

    client.socket.send('x', { fin: false })
    client.socket.send('x'.repeat(frameBytes + 1), { fin: true })

    expect(await client.closed).toMatchObject({ code: 1009 })
  })

  test('of many times the limit closes with 1009, too', async () => {
    const client = await openClient(await startProbe({ $default: lengthRoute }))

    client.send('x'.repeat(4 * 1024 * 1024))

    expect(await client.closed).toMatchObject({ code: 1009 })
  })

  test('that comes before one that is too long is still handled, and none after it', async () => {
    const { events, route } = recorded<MessageEvent>()
    const gateway = await startProbe({ $default: route }, { limits: { inboundFrameBytes: 100 } })
    const socket = await openBare(gateway)
    const [reply] = [once(socket, 'data')]

    socket.write(Buffer.concat([frame(1), frame(100), frame(101), frame(2)]))

    const [close] = await reply
    expect(Buffer.from(close).readUInt16BE(2)).toBe(1009)
    await gateway.idle()
    expect(events.all.map(({ body }) => body.length)).toEqual([1, 100])
    socket.destroy()
  })

  test('that is no UTF-8 closes with 1007', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const client = await openClient(await startProbe({ $default: lengthRoute, $disconnect: route }))

    client.socket.send(Buffer.from([0x61, 0xff]), { binary: false })

    expect(await client.closed).toMatchObject({ code: 1007 })
    expect((await events.next()).requestContext.disconnectStatusCode).toBe(1007)
    expect(client.frames.all).toEqual([])
  })
})

describe('a binary frame', () => {
  test.each([0, 1, frameBytes])('of %d bytes closes with 1003', async (bytes) => {
    const messages = recorded<MessageEvent>()
    const { events, route } = recorded<DisconnectEvent>()
    const client = await openClient(await startProbe({ $default: messages.route, $disconnect: route }))

    client.socket.send(Buffer.alloc(bytes))
    client.send('not read any more')

    expect(await client.closed).toMatchObject({ code: 1003 })
    expect((await events.next()).requestContext.disconnectStatusCode).toBe(1003)
    expect(messages.events.all).toEqual([])
  })
})

describe('a client that breaks the protocol', () => {
  test('by a frame without a mask is closed with 1002', async () => {
    const { events, route } = recorded<DisconnectEvent>()
    const gateway = await startProbe({ $disconnect: route })
    const socket = await openBare(gateway)

    socket.write(Buffer.from([0x81, 0x01, 0x61]))

    expect((await events.next()).requestContext.disconnectStatusCode).toBe(1002)
    expect(gateway.connections()).toEqual([])
    socket.destroy()
  })
})

describe('the lengths of frames', () => {
  const anyFrame = fc.record({
    bytes: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(125, 126, 1000, 65_535, 65_536)),
    opcode: fc.constantFrom(0, 1, 2, 8, 9, 10),
    isFinal: fc.boolean(),
  })

  test('are read right however the network cuts the bytes', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(99, 1000, 65_535, 65_536),
        (frames, cuts, limit) => {
          const lengths = new FrameLengths(limit)
          const stream = Buffer.concat(frames.map((each) => frame(each.bytes, each)))
          let isTooLong = false
          for (let at = 0, n = 0; at < stream.length && !isTooLong; n += 1) {
            const chunk = stream.subarray(at, at + (cuts[n % cuts.length] ?? 1))
            isTooLong = lengths.exceededBy(chunk)
            at += chunk.length
          }

          const firstTooLong = frames.findIndex(({ bytes }) => bytes > limit)
          const before = firstTooLong < 0 ? frames : frames.slice(0, firstTooLong)
          expect(isTooLong).toBe(firstTooLong >= 0)
          expect(lengths.messages).toBe(before.filter(({ isFinal, opcode }) => isFinal && opcode < 8).length)
        },
      ),
    )
  })
})
