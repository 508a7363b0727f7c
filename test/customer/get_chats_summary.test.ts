import { describe, expect, test } from 'vitest'
import { message } from '../support/events.ts'
import { sharedWorld } from '../support/world.ts'

// delayed jobs stay out of these tests
const world = await sharedWorld({ delayScale: 1000 })

describe('get_chats_summary', () => {
  test('of who never chatted is empty, whoever else did', async () => {
    const license = await world.license({})
    await (await license.visit()).client.ok('start_chat')
    const { client } = await license.visit()
    expect(await client.ok('get_chats_summary')).toEqual({
      chats_summary: [],
      pagination: { page: 1, total: 0 },
    })
  })

  test('gives the customer’s chat as login does, and pushes nothing', async () => {
    const license = await world.license({ ann: { groups: [1] } }, { groups: ['Sales'] })
    const ann = await license.login('ann')
    const carl = await license.visit({ customer: { name: 'Carl' } })
    const { chat } = await carl.client.ok('start_chat', {
      chat: { scopes: { groups: [1] }, properties: { a: { b: 1 } }, thread: { events: [message('one')] } },
    })
    await ann.ok('send_event', { chat_id: chat.id, event: { ...message('hush'), recipients: 'agents' } })
    await carl.client.ok('close_thread', { chat_id: chat.id })
    await carl.client.ok('send_event', { chat_id: chat.id, event: message('two') })
    await world.settled()
    await Promise.all([ann.received(), carl.client.received()])

    const { chats_summary, pagination } = await carl.client.ok('get_chats_summary')
    expect(pagination).toEqual({ page: 1, total: 1 })
    expect(chats_summary).toEqual((await license.visit({ token: carl.token })).answer.last_chats_summary)
    expect(chats_summary).toMatchObject([
      {
        ...{ id: chat.id, order: 2, total_threads: 2, scopes: { groups: [1] } },
        users: [
          { id: carl.id, name: 'Carl' },
          { id: 'ann', present: true },
        ],
        properties: { a: { b: { value: 1 } } },
        last_event_per_type: { thread_id: `${chat.id}_2`, events: { message: { text: 'two', order: 1 } } },
        last_threads_summary: [{ order: 2 }, { id: `${chat.id}_1`, order: 1 }],
      },
    ])
    expect(JSON.stringify(chats_summary)).not.toContain('hush')
    await ann.receivesNothing()
    await carl.client.receivesNothing()
  })

  test('counts of each thread the events that the customer sees, on the first page, also once removed', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { client, id } = await license.visit()
    const { chat } = await client.ok('start_chat', { chat: { thread: { events: [message('one')] } } })
    for (const recipients of ['agents', 'all', 'agents'])
      await ann.ok('send_event', { chat_id: chat.id, event: { ...message('x'), recipients } })
    await ann.ok('close_thread', { chat_id: chat.id })
    await client.ok('send_event', { chat_id: chat.id, event: message('again') })
    const [summary] = (await client.ok('get_chats_summary')).chats_summary
    const { threads } = (
      await client.ok('get_chat_threads', { chat_id: chat.id, thread_ids: [`${chat.id}_2`, `${chat.id}_1`] })
    ).chat
    expect(summary.last_threads_summary).toEqual(
      threads.map(({ id, order, events }: any) => ({ id, order, events_count: events.length })),
    )
    // two messages, that it was assigned, and its closing
    expect(summary.last_threads_summary[1].events_count).toBe(4)

    await ann.ok('remove_from_chat', { chat_id: chat.id, customer_ids: [id] })
    for (const pagination of [{}, null, { page: 1, limit: 25 }, { page: null, limit: null }])
      expect(await client.ok('get_chats_summary', { pagination })).toMatchObject({
        chats_summary: [{ id: chat.id, users: [{ id, present: false }, {}] }],
        pagination: { page: 1, total: 1 },
      })
    for (const pagination of [{ page: 2 }, { page: 9, limit: 25 }])
      expect(await client.ok('get_chats_summary', { pagination })).toEqual({
        ...{ chats_summary: [], pagination: { page: pagination.page, total: 1 } },
      })
  })
})
