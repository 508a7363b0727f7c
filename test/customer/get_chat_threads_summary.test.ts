import { beforeAll, describe, expect, test } from 'vitest'
import { putChat, readChat } from '../../shared/table/chat/chats.ts'
import type { CustomerClient } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

let world: World
/** A customer with a chat of three threads, the last one active. */
let client: CustomerClient
let chat_id: string
beforeAll(async () => {
  // delayed jobs stay out of these tests
  world = await sharedWorld({ delayScale: 1000 })
  ;({ client } = await (await world.license({})).visit())
  chat_id = (await client.ok('start_chat')).chat.id
  for (const _ of [2, 3]) {
    await client.ok('close_thread', { chat_id })
    await client.ok('start_chat')
  }
  await client.received()
})

const get = (pagination?: unknown) =>
  client.ok('get_chat_threads_summary', {
    chat_id,
    ...(pagination === undefined ? {} : { pagination }),
  })

describe('get_chat_threads_summary', () => {
  test('lists the threads of the customer’s chat, the newest first, and pushes nothing', async () => {
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
    const stored = await readChat(world.table.read, chat_id)
    if (stored === undefined) throw new Error('The chat is not stored')
    await world.table.write.transact([putChat({ ...stored, version: stored.version + 1, thread: 1003 })])
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
})
