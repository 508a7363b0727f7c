import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startCustomerChat } from '../support/customers.ts'
import { message } from '../support/events.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { sharedWorld, type World } from '../support/world.ts'
import {
  alone,
  answered,
  found,
  frameBytes,
  idsOf,
  orders,
  range,
  say,
  saying,
  search,
  start,
  threadsOf,
} from './archive.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ index: true })
})
afterEach(() => world.proxy.setFault(undefined))

test('get_archives finds what was answered within a second', async () => {
  const { ann } = await alone(world)
  const chat_id = await start(ann)
  await world.settled()
  const tookMs: number[] = []
  for (const word of ['one', 'two', 'three', 'four', 'five']) {
    await say(ann, chat_id, `number ${word}`)
    const answeredAt = performance.now()
    while ((await search(ann, { query: word })).chats.length === 0)
      if (performance.now() - answeredAt > 30_000) throw new Error(`Looked for ${word} in vain`)
    tookMs.push(performance.now() - answeredAt)
  }
  // others may keep the machine busy
  expect(Math.min(...tookMs)).toBeLessThan(1000)
})

test('get_archives in pages holds 25 by default, and 1 to 100 as asked; past the end there is nothing', async () => {
  const { license, ann } = await alone(world)
  await Promise.all(
    range(1, 103).map((n) => startCustomerChat(world, license.id, `cus-${n}`, { texts: ['hello'] })),
  )
  await world.settled()
  const order = [
    ...(await found(ann, {}, { limit: 100 })),
    ...(await found(ann, {}, { page: 2, limit: 100 })),
  ]
  expect(new Set(order).size).toBe(103)
  for (const [pagination, from, to] of [
    [undefined, 0, 25],
    [{ page: 2 }, 25, 50],
    [{ page: 5 }, 100, 103],
    [{ limit: 1 }, 0, 1],
    [{ limit: 100 }, 0, 100],
    [{ page: 2, limit: 100 }, 100, 103],
    [{ page: 104, limit: 1 }, 103, 103],
    [{ page: 1_000_000, limit: 100 }, 103, 103],
  ] as const) {
    const answer = await search(ann, {}, pagination)
    expect([pagination, idsOf(answer)]).toEqual([pagination, order.slice(from, to)])
    expect(answer.pagination).toEqual({ page: pagination?.page ?? 1, total: 103 })
  }
})

test('get_archives shows nothing of the time after access was taken away while the request reads', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const chat_id = await start(ann, { scopes: { agents: ['ben', 'ann'] } }, [message('secret plans')])
  await world.settled()
  const query = 'secret plans'
  const { calls } = await world.proxy.record(() => search(ben, { query }))
  const leaks: number[] = []
  const sizes = new Set<number>()
  for (const step of range(1, calls.length)) {
    await ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['ben', 'ann'] } })
    await world.settled()
    let count = 0
    let isMeanwhile = false
    world.proxy.setFault(async () => {
      if (isMeanwhile) return undefined
      count += 1
      if (count !== step) return undefined
      isMeanwhile = true
      await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
      await say(ann, chat_id, `after ${step}`)
      return undefined
    })
    const answer = await search(ben, { query })
    world.proxy.setFault(undefined)
    sizes.add(answer.chats.length)
    if (JSON.stringify(answer).includes(`after ${step}`)) leaks.push(step)
  }
  expect(sizes).toEqual(new Set([0, 1]))
  expect(leaks).toEqual([])
})

describe('get_archives of large threads', () => {
  const large = (count: number) => range(1, count).map((n) => message(`${n} `.padEnd(200, 'x')))
  /** Fails unless a thread shows its newest events, and says whether there are more. */
  const expectNewest = (thread: any, last: number) => {
    const first = last - thread.events.length + 1
    expect(orders(thread), thread.id).toEqual(range(first, last))
    expect(thread.events.length, thread.id).toBeGreaterThanOrEqual(1)
    if (first > 1) expect(thread.has_more, thread.id).toBe(true)
  }

  test('keeps a hundred of them, with many users and large properties, below 120 KiB', async () => {
    const crew = range(1, 12).map((n) => `agent-${n}`)
    const avatar = `https://x.example/${'a'.repeat(1500)}`
    const license = await world.license({
      ann: {},
      ...Object.fromEntries(crew.map((id) => [id, { name: id.padEnd(100, 'é'), avatar }])),
    })
    const ann = await license.login('ann')
    const properties = { a: { x: 'x'.repeat(3900), y: 'ü'.repeat(1900) } }
    const sizes = new Map<string, number>()
    await mapAtOnce(range(1, 100), async (n) => {
      const id = await start(ann, n % 3 === 0 ? { properties } : {}, large(10))
      if (n % 5 === 0) await ann.ok('join_chat', { chat_id: id, agent_ids: crew })
      sizes.set(`${id}_1`, n % 5 === 0 ? 10 + crew.length : 10)
    })
    await world.settled()
    const { answer, bytes } = await answered(ann, {}, { limit: 100 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    // a good part of it is used
    expect(bytes).toBeGreaterThan(frameBytes / 2)
    expect(answer.pagination).toEqual({ page: 1, total: 100 })
    expect(new Set(idsOf(answer))).toEqual(new Set(sizes.keys()))
    for (const thread of threadsOf(answer)) expectNewest(thread, sizes.get(thread.id)!)
    // one by one each is whole
    for (const page of range(1, 6)) {
      const { answer: whole } = await answered(ann, {}, { page, limit: 1 })
      const [{ chat }] = whole.chats
      const size = sizes.get(chat.thread.id)!
      expect(orders(chat.thread)).toEqual(range(1, size))
      expect(chat.thread).not.toHaveProperty('has_more')
      expect(chat.users).toHaveLength(size > 10 ? 13 : 1)
    }
  })

  test('says of whatever is left out that there is more', async () => {
    const { ann } = await alone(world)
    const properties = { a: { x: 'x'.repeat(3900), y: 'y'.repeat(3900) } }
    await mapAtOnce(range(1, 26), (n) =>
      start(ann, n % 2 === 0 ? { properties } : { thread: { properties } }, [message('short')]),
    )
    await world.settled()
    const whole = new Map<string, any>()
    for (const page of [1, 2, 3, 4, 5, 6, 7])
      for (const { chat } of (await search(ann, {}, { page, limit: 4 })).chats) whole.set(chat.id, chat)
    expect(whole.size).toBe(26)
    const { answer, bytes } = await answered(ann, {}, { limit: 26 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    expect(answer.chats).toHaveLength(26)
    for (const { chat } of [...answer.chats]) {
      if (chat.thread.has_more === true) continue
      expect(chat).toEqual(whole.get(chat.id))
    }
    expect(threadsOf(answer).some(({ has_more }) => has_more === true)).toBe(true)
    for (const { thread } of whole.values()) expect(thread).not.toHaveProperty('has_more')
  })

  test('gives one alone the whole room', async () => {
    const { ann } = await alone(world)
    const id = await saying(ann, 'the one with many messages')
    // three times as much as an answer can hold
    const filler = 'x'.repeat(16_000)
    for (const _ of range(1, 22)) await say(ann, id, filler)
    await saying(ann, 'another one')
    await world.settled()
    for (const pagination of [{ limit: 1 }, { limit: 25 }, undefined, { limit: 100 }]) {
      const { answer, bytes } = await answered(ann, { query: 'many messages' }, pagination)
      const [thread] = threadsOf(answer)
      expect(thread.id).toBe(`${id}_1`)
      expect(bytes).toBeLessThanOrEqual(frameBytes)
      // seven events of 16 KB fit
      expect([pagination, orders(thread)]).toEqual([pagination, range(17, 23)])
      expect(thread.has_more).toBe(true)
    }
  })

  test('leaves the room that some do not need to the others', async () => {
    const { ann } = await alone(world)
    const long: string[] = []
    const words = (n: number) => `${n} `.padEnd(1000, 'x')
    const startLong = async () => {
      const id = await start(
        ann,
        {},
        range(1, 20).map((m) => message(words(m))),
      )
      for (const m of range(21, 30)) await say(ann, id, words(m))
      long.push(`${id}_1`)
      return id
    }
    await mapAtOnce(range(1, 10), (n) => (n % 2 === 0 ? saying(ann, 'short') : startLong()))
    await world.settled()
    const { answer, bytes } = await answered(ann, {}, { limit: 10 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    for (const thread of threadsOf(answer)) {
      if (!long.includes(thread.id)) {
        expect(orders(thread)).toEqual([1])
        expect(thread).not.toHaveProperty('has_more')
        continue
      }
      expectNewest(thread, 30)
      // 12 KiB would be an equal share
      const size = Buffer.byteLength(JSON.stringify(thread))
      expect(size).toBeGreaterThan(20 * 1024)
      expect(size).toBeLessThan(25 * 1024)
    }
  })

  test('whose newest event has 16 KiB shows it alone, beside few, and beside many short ones', async () => {
    const { ann } = await alone(world)
    const id = await saying(ann, 'before', 'x'.repeat(16 * 1024))
    await mapAtOnce(range(1, 30), () => saying(ann, 'short'))
    await world.settled()
    const shown = async (filters: object, pagination?: object) => {
      const { answer, bytes } = await answered(ann, filters, pagination)
      expect(bytes).toBeLessThanOrEqual(frameBytes)
      return orders(threadsOf(answer).find((thread) => thread.id === `${id}_1`))
    }
    for (const pagination of [{ limit: 1 }, undefined, { limit: 100 }])
      expect([pagination, await shown({ query: 'before' }, pagination)]).toEqual([pagination, [1, 2]])
    expect(await shown({}, { page: 2 })).toEqual([1, 2])
    // the 30 others need a tenth of the room
    expect(await shown({}, { limit: 100 })).toContain(2)
  })
})
