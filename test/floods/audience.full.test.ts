import { once } from 'node:events'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { pushed } from '../../shared/protocol/envelope.ts'
import { deliver } from '../../shared/delivery/deliver.ts'
import { invokeFanOut, type Slice } from '../../shared/delivery/fan-out.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { crowd, type Listener } from '../support/crowd.ts'
import { type License, startWorld, useSettings, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // each socket that goes would have the stream's worker read all others of its agent
  world = await startWorld({ stream: false })
  useSettings(world)
})
afterEach(() => {
  world.gateway.setFaults({})
  world.functions.setHold(undefined)
  world.functions.setFault(undefined)
})

const rowsOf = ({ id }: License) => readAgentSockets(world.table.read, id)
const isOpen = ({ socket }: Listener) => socket.readyState === WebSocket.OPEN
const got = (listeners: readonly Listener[], action: string): number[] =>
  listeners.map(({ frames }) => frames.filter((frame) => frame.includes(`"action":"${action}"`)).length)
/** Resolves once each has as many frames, or more, of this action. */
const allGot = (listeners: readonly Listener[], action: string, count = 1) =>
  vi.waitFor(() => expect(got(listeners, action).filter((n) => n < count)).toEqual([]), {
    timeout: 60_000,
    interval: 20,
  })
const leave = async (listeners: readonly Listener[]) => {
  // nobody looks at what a $disconnect does, which is dear a thousand times
  world.gateway.setFaults({ disconnect: () => ({ lose: true }) })
  await Promise.all(
    listeners.filter(isOpen).map(({ socket }) => {
      socket.close()
      return once(socket, 'close')
    }),
  )
  await world.settled()
}

describe('a broadcast to 1,000 sockets', { timeout: 240_000 }, () => {
  test('a tenth of them dead, is answered before it is posted, and reaches every living one', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const { listeners, connections } = await crowd(world, license, 'ben', 999)
    const dead = connections.slice(0, 100)
    for (const [n, id] of dead.entries())
      world.gateway.drop(id, { clean: false, posts: n % 2 === 0 ? 'gone' : 'hang' })
    await vi.waitFor(() => expect(listeners.filter(isOpen)).toHaveLength(899), { timeout: 30_000 })
    const living = listeners.filter(isOpen)

    const slices: Slice[] = []
    const held = Promise.withResolvers<void>()
    world.functions.setHold((slice) => {
      slices.push(slice as Slice)
      return held.promise
    })
    await ann.ok('send_broadcast', { content: { text: 'all hands' } })
    // nobody was posted to: that is left to two runs
    expect(got(living, 'incoming_broadcast').every((n) => n === 0)).toBe(true)
    expect(slices.map(({ deliveries }) => deliveries.length)).toEqual([500, 500])
    held.resolve()
    await allGot(living, 'incoming_broadcast')
    await world.settled()
    expect(await ann.received()).toContainEqual(expect.objectContaining({ action: 'incoming_broadcast' }))
    // those that are gone have lost their rows
    for (let tries = 0; tries < 2; tries += 1) await world.queue.flush()
    const left = (await rowsOf(license)).map(({ connection }) => connection)
    expect(left.filter((id) => dead.indexOf(id) % 2 === 0)).toEqual([])
    expect(left).toHaveLength(950)
    await leave(living)
  })
})

describe('a push to many', () => {
  const taken = () => {
    const slices: unknown[] = []
    world.functions.setHold((slice) => void slices.push(slice))
    return slices
  }
  /** As an action's function does it. */
  const delivering = () => ({
    handOver: invokeFanOut,
    write: world.table.write,
    signal: new AbortController().signal,
    postingMs: 1000,
    nowMs: Date.now(),
  })
  const send = async (license: License, frames: readonly string[]) =>
    deliver({
      ...delivering(),
      rows: await rowsOf(license),
      pushes: frames.map((frame) => ({ to: () => true, frame })),
    })
  const frame = (thread: string) => pushed('thread_closed', { chat_id: 'c', thread_id: thread })

  test('to 100 is posted by the action’s own function, to one more it is handed over', async () => {
    const license = await world.license({ ben: {} })
    const { listeners } = await crowd(world, license, 'ben', 100)
    const slices = taken()
    await send(license, [frame('one')])
    expect(slices).toEqual([])
    const more = await crowd(world, license, 'ben', 1)
    await send(license, [frame('two')])
    await world.settled()
    expect(slices).toHaveLength(1)
    await allGot(listeners, 'thread_closed', 2)
    await allGot(more.listeners, 'thread_closed', 1)
    await leave([...listeners, ...more.listeners])
  })

  test('gets to each connection what is for it, in order', async () => {
    const license = await world.license({ ben: {}, cleo: {} })
    const bens = await crowd(world, license, 'ben', 80)
    const cleos = await crowd(world, license, 'cleo', 80)
    const pushes = ['a', 'b', 'c', 'd'].map((name, n) => ({
      frame: frame(name),
      to: (row: object) => n % 2 === 0 || ('agent_id' in row && row.agent_id === 'cleo'),
    }))
    const slices: Slice[] = []
    await deliver({
      rows: await rowsOf(license),
      pushes: [...pushes, { frame: frame('nobody'), to: () => false }],
      handOver: async (slice, signal) => {
        slices.push(slice)
        await invokeFanOut(slice, signal)
      },
      write: world.table.write,
      signal: new AbortController().signal,
      postingMs: 1000,
      nowMs: Date.now(),
    })
    expect(slices.map(({ frames }) => frames)).toEqual([['a', 'b', 'c', 'd'].map(frame)])
    await allGot(bens.listeners, 'thread_closed', 2)
    await allGot(cleos.listeners, 'thread_closed', 4)
    for (const { frames } of bens.listeners) expect(frames).toEqual([frame('a'), frame('c')])
    for (const { frames } of cleos.listeners) expect(frames).toEqual(['a', 'b', 'c', 'd'].map(frame))
    await leave([...bens.listeners, ...cleos.listeners])
  })

  test('that is not taken is posted by the action’s own function', async () => {
    const license = await world.license({ ben: {} })
    const { listeners } = await crowd(world, license, 'ben', 120)
    world.functions.setFault(() => 500)
    await send(license, [frame('one')])
    await allGot(listeners, 'thread_closed')
    // and so is what is larger than an invocation may be
    world.functions.setFault(undefined)
    const slices = taken()
    const large = Array.from({ length: 10 }, (_, n) =>
      pushed('thread_closed', { chat_id: `${n}`, thread_id: 'x'.repeat(110_000) }),
    )
    const all = await rowsOf(license)
    await deliver({
      ...delivering(),
      rows: all,
      pushes: [
        { to: () => true, frame: frame('two') },
        ...large.map((one) => ({ to: (row: object) => row === all[0], frame: one })),
      ],
    })
    expect(slices).toEqual([])
    for (let tries = 0; tries < 2; tries += 1) await world.queue.flush()
    await allGot(listeners, 'thread_closed', 2)
    const lengths = listeners.map(({ frames }) => new Set(frames).size)
    expect(lengths.filter((length) => length === 12)).toHaveLength(1)
    await leave(listeners)
  })

  test('whose run fails is tried again, and reaches all', async () => {
    const license = await world.license({ ben: {} })
    const { listeners } = await crowd(world, license, 'ben', 120)
    let runs = 0
    world.functions.setHold(async () => {
      runs += 1
      if (runs < 3) throw new Error('out of memory')
    })
    await send(license, [frame('one')])
    await allGot(listeners, 'thread_closed')
    expect(runs).toBe(3)
    expect(world.functions.failures()).toEqual([])
    await leave(listeners)
  })

  test('whose runs all fail is kept for people to see', async () => {
    const license = await world.license({ ben: {} })
    const { listeners } = await crowd(world, license, 'ben', 101)
    world.functions.setHold(() => Promise.reject(new Error('out of memory')))
    await send(license, [frame('one')])
    await world.settled()
    expect(world.functions.failures()).toMatchObject([
      { name: 'fan_out', event: { frames: [frame('one')] }, error: { message: 'out of memory' } },
    ])
    expect(got(listeners, 'thread_closed').every((n) => n === 0)).toBe(true)
    await leave(listeners)
  })
})
