import { describe, expect, test } from 'vitest'
import { chatChanged, readChat } from '../../shared/table/chats.ts'
import { customerChatId } from '../../shared/table/keys.ts'
import { startWorld } from '../support/world.ts'

// delayed jobs stay out of these tests
const world = await startWorld({ delayScale: 1000 })

const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** A customer with a chat of so many threads, the last one active. */
const withThreads = async (count: number) => {
  const license = await world.license({})
  const { client, id } = await license.visit()
  const { chat } = await client.ok('start_chat')
  for (let n = 2; n <= count; n += 1) {
    await client.ok('close_thread', { chat_id: chat.id })
    await client.ok('start_chat')
  }
  await client.received()
  const get = (pagination?: unknown) =>
    client.ok('get_chat_threads_summary', {
      chat_id: chat.id,
      ...(pagination === undefined ? {} : { pagination }),
    })
  return { license, client, id, chat_id: chat.id as string, get }
}

describe('get_chat_threads_summary', () => {
  test('lists the threads of the customer’s chat, the newest first, and pushes nothing', async () => {
    const { client, chat_id, get } = await withThreads(3)
    expect(await get()).toEqual({
      chat: {
        id: chat_id,
        threads_summary: [3, 2, 1].map((order) => ({ thread_id: `${chat_id}_${order}`, order })),
      },
      pagination: { offset: 0, total: 3 },
    })
    await client.receivesNothing()
  })

  test('gives limit threads after the first offset: 25 after none unless told', async () => {
    const { chat_id, get } = await withThreads(1)
    const stored = await readChat(world.table.read, chat_id)
    if (stored === undefined) throw new Error('The chat is not stored')
    await world.table.write.transact([chatChanged({ ...stored, version: stored.version + 1, thread: 1003 })])
    const cases: [unknown, number[], number][] = [
      [undefined, range(979, 1003), 0],
      [null, range(979, 1003), 0],
      [{}, range(979, 1003), 0],
      [{ offset: null, limit: null }, range(979, 1003), 0],
      [{ limit: 1 }, [1003], 0],
      [{ offset: 1, limit: 2 }, [1001, 1002], 1],
      [{ limit: 1000 }, range(4, 1003), 0],
      [{ offset: 1000, limit: 1000 }, range(1, 3), 1000],
      [{ offset: 1002 }, [1], 1002],
      [{ offset: 1003 }, [], 1003],
      [{ offset: 5000, limit: 1000 }, [], 5000],
    ]
    for (const [pagination, orders, offset] of cases) {
      const answer = await get(pagination)
      expect(answer.pagination, JSON.stringify(pagination)).toEqual({ offset, total: 1003 })
      expect(answer.chat.threads_summary, JSON.stringify(pagination)).toEqual(
        orders.toReversed().map((order) => ({ thread_id: `${chat_id}_${order}`, order })),
      )
    }
  })

  test.each<[object | string, string]>([
    [{ offset: -1 }, '.offset'],
    [{ offset: 1.5 }, '.offset'],
    [{ offset: '1' }, '.offset'],
    [{ limit: 0 }, '.limit'],
    [{ limit: 1001 }, '.limit'],
    [{ limit: true }, '.limit'],
    ['all', ''],
  ])('pagination %j is validation', async (pagination, path) => {
    const { client } = await (await world.license({})).visit()
    expect(await client.refused('get_chat_threads_summary', { chat_id: 'nosuch', pagination })).toEqual({
      ...{ type: 'validation', code: 400, message: 'Wrong format of request' },
      details: [{ path: `payload.pagination${path}`, message: expect.any(String) }],
    })
  })

  test.each([undefined, null, 5, '', 'x'.repeat(129)])('chat_id %j is validation', async (chat_id) => {
    const { client } = await (await world.license({})).visit()
    expect(await client.refused('get_chat_threads_summary', { chat_id })).toMatchObject({
      ...{ type: 'validation', details: [{ path: 'payload.chat_id' }] },
    })
  })

  test('before login is auth', async () => {
    const client = await (await world.license({})).arrive()
    expect(await client.refused('get_chat_threads_summary', { chat_id: 'x' })).toEqual({
      ...{ type: 'auth', code: 401, message: 'Not logged in' },
    })
  })

  test('of any chat but its own is not found', async () => {
    const { license, chat_id } = await withThreads(1)
    const foreign = await withThreads(1)
    const ann = await (await world.license({ ann: {} })).login('ann')
    const agents = (await ann.ok('start_chat')).chat.id
    const other = await license.visit()
    // one that it might have had
    const own = customerChatId(license.id, other.id)
    for (const id of [chat_id, foreign.chat_id, agents, own, 'nosuch', `${chat_id}_1`, 'a#b', '__proto__'])
      expect(await other.client.refused('get_chat_threads_summary', { chat_id: id }), id).toEqual(notFound)
  })
})
