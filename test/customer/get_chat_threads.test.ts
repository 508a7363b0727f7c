import { beforeAll, describe, expect, test } from 'vitest'
import type { Client, CustomerClient } from '../support/client.ts'
import { message } from '../support/events.ts'
import { notFound } from '../support/wire-errors.ts'
import { type License, sharedWorld } from '../support/world.ts'

let license: License
let ann: Client
let sue: Client
beforeAll(async () => {
  // delayed jobs stay out of these tests
  const world = await sharedWorld({ delayScale: 1000 })
  license = await world.license(
    {
      ann: { name: 'Ann', email: 'ann@example.com', max_chats: 1000 },
      // an owner who takes no chats herself
      sue: { name: 'Sue', permission: 'owner', default_status: 'not_accepting_chats' },
      ben: {},
    },
    { groups: ['Sales'] },
  )
  ann = await license.login('ann')
  sue = await license.login('sue')
})

const hush = (text: string) => message(text, { recipients: 'agents' })
const say = (by: Client | CustomerClient, chat_id: string, event: object) =>
  by.ok('send_event', { chat_id, event })
const get = async (client: CustomerClient, chat_id: string, more: object = {}) =>
  (await client.ok('get_chat_threads', { chat_id, ...more })).chat
const orders = ({ events }: any): number[] => events.map(({ order }: any) => order)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** A new customer's chat with ann. */
const withAnn = async (payload: object = {}) => {
  const carl = await license.visit({ customer: { name: 'Carl' } })
  const { chat } = await carl.client.ok('start_chat', payload)
  return { carl, client: carl.client, chat, id: chat.id as string }
}

describe('get_chat_threads', () => {
  test('without thread_ids returns the chat with its last thread, and pushes nothing', async () => {
    const { carl, client, chat, id } = await withAnn({
      chat: {
        properties: { source: { type: 'web' } },
        thread: { events: [message('one')], properties: { rating: { score: 5 } } },
      },
    })
    const { event } = await say(ann, id, message('two'))
    await Promise.all([ann.received(), client.received()])
    expect(await get(client, id)).toEqual({
      ...{ id, version: 1, properties_version: 1 },
      users: [
        {
          id: carl.id,
          type: 'customer',
          name: 'Carl',
          present: true,
          last_seen_timestamp: expect.any(Number),
        },
        { id: 'ann', type: 'agent', name: 'Ann', present: true, last_seen_timestamp: event.timestamp },
      ],
      threads: [
        {
          id: chat.thread.id,
          timestamp: chat.thread.timestamp,
          active: true,
          user_ids: expect.toSatisfy(
            (ids: string[]) => ids.toSorted().join() === [carl.id, 'ann'].toSorted().join(),
          ),
          order: 1,
          events: [...chat.thread.events, event],
          properties: { rating: { score: { value: 5 } }, routing: { unassigned: { value: false } } },
        },
      ],
      threads_summary: [{ thread_id: chat.thread.id, order: 1 }],
      properties: { source: { type: { value: 'web' } }, routing: { unassigned: { value: false } } },
    })
    await Promise.all([ann.receivesNothing(), client.receivesNothing()])
  })

  test('shows of the scopes the groups alone', async () => {
    const { client, id } = await withAnn({ chat: { scopes: { groups: [1] } } })
    await sue.ok('update_chat_scopes', { chat_id: id, add_scopes: { agents: ['sue'] } })
    expect((await get(client, id)).scopes).toEqual({ groups: [1] })
    await sue.ok('update_chat_scopes', { chat_id: id, remove_scopes: { groups: [1] } })
    expect(await get(client, id)).not.toHaveProperty('scopes')
  })

  describe('leaves out what is hidden', () => {
    test('events for agents, with a gap in the orders; supervisors, and what is said of them', async () => {
      const { carl, client, id } = await withAnn()
      await sue.ok('supervise_chat', { chat_id: id, agent_ids: ['sue'] })
      await say(sue, id, message('a whisper'))
      await say(ann, id, hush('between us'))
      await say(ann, id, message('hello'))
      await sue.ok('update_last_seen_timestamp', { chat_id: id })
      const shown = await get(client, id)
      const [thread] = shown.threads
      expect(thread.events.at(-1)).toMatchObject({ text: 'hello', recipients: 'all' })
      const all = orders(thread)
      expect(all).toEqual(all.toSorted((a, b) => a - b))
      expect(all.at(-1)).toBeGreaterThan(all.length)
      expect(shown.users.map((user: any) => user.id).toSorted()).toEqual([carl.id, 'ann'].toSorted())
      expect(thread.user_ids.toSorted()).toEqual([carl.id, 'ann'].toSorted())
      const text = JSON.stringify(shown)
      for (const word of [
        'sue',
        'Sue',
        'whisper',
        'between us',
        '@example.com',
        'routing_status',
        '"agents"',
      ])
        expect(text).not.toContain(word)
    })

    test('but an agent that was here and now supervises stays, as one who left', async () => {
      const { client, id } = await withAnn()
      await ann.ok('join_chat', { chat_id: id, agent_ids: ['ben'] })
      await ann.ok('remove_from_chat', { chat_id: id, agent_ids: ['ben'] })
      await ann.ok('supervise_chat', { chat_id: id, agent_ids: ['ben'] })
      const { users } = await get(client, id)
      expect(users).toContainEqual({ id: 'ben', type: 'agent', name: 'ben', present: false })
    })

    test('of the pages too: a limit counts what is shown', async () => {
      const { client, chat, id } = await withAnn({ chat: { thread: { events: [message('1')] } } })
      // order 2 says that it was assigned; hidden are 3, 5, 7 ... 21
      for (let i = 0; i < 10; i += 1) {
        await say(ann, id, hush(`hidden ${i}`))
        await say(client, id, message(`shown ${i}`))
      }
      const shown = [1, 2, ...range(2, 11).map((n) => 2 * n)]
      const page = async (more: object) =>
        (await get(client, id, { thread_ids: [chat.thread.id], ...more })).threads[0]
      const cases: [object, number[], boolean][] = [
        [{}, shown, false],
        [{ limit: 3 }, shown.slice(-3), true],
        [{ limit: 12 }, shown, false],
        [{ before_order: 22, limit: 4 }, [14, 16, 18, 20], true],
        [{ before_order: 6 }, [1, 2, 4], false],
        [{ after_order: 2, limit: 2 }, [4, 6], true],
        [{ after_order: 19 }, [20, 22], false],
        [{ after_order: 22 }, [], false],
      ]
      for (const [more, expected, has_more] of cases) {
        const thread = await page(more)
        expect(orders(thread), JSON.stringify(more)).toEqual(expected)
        expect(thread.has_more, JSON.stringify(more)).toBe(has_more ? true : undefined)
        expect(thread.last_order).toBe(22)
      }
    })
  })

  describe('thread_ids', () => {
    let client: CustomerClient
    let id: string
    let ids: string[]
    beforeAll(async () => {
      ;({ client, id } = await withAnn({ chat: { thread: { events: [message('1')] } } }))
      for (const n of [2, 3]) {
        await client.ok('close_thread', { chat_id: id })
        await client.ok('send_event', { chat_id: id, event: message(`${n}`) })
      }
      ids = [1, 2, 3].map((n) => `${id}_${n}`)
    })

    test('gives the threads asked for, in that order, each once', async () => {
      const shown = await get(client, id, { thread_ids: [ids[2], ids[0], ids[2], ids[1]] })
      expect(shown.threads.map((thread: any) => thread.id)).toEqual([ids[2], ids[0], ids[1]])
      expect(shown.threads.map((thread: any) => thread.active)).toEqual([true, false, false])
      for (const thread of shown.threads) expect(thread).not.toHaveProperty('last_order')
      expect(shown.threads_summary).toEqual(ids.map((thread_id, i) => ({ thread_id, order: i + 1 })))
    })

    test('without them comes the last thread; null is absence; an empty list gives none', async () => {
      for (const thread_ids of [undefined, null])
        expect((await get(client, id, { thread_ids })).threads).toMatchObject([{ id: ids[2] }])
      expect((await get(client, id, { thread_ids: [] })).threads).toEqual([])
    })

    test('one that is none of the chat is not found, alone or among others', async () => {
      const other = await license.visit()
      const theirs = (await other.client.ok('start_chat')).chat.thread.id
      for (const thread of [theirs, `${id}_4`, `${id}_0`, `${id}_1_1`, id, 'a#b', '__proto__']) {
        const thread_ids = [ids[0], thread]
        expect(await client.refused('get_chat_threads', { chat_id: id, thread_ids }), thread).toEqual(
          notFound,
        )
        expect(
          await client.refused('get_chat_threads', { chat_id: id, thread_ids: [thread] }),
          thread,
        ).toEqual(notFound)
      }
    })
  })

  test('keeps below 120 KiB: the newest events, and has_more', async () => {
    const { client, id } = await withAnn()
    const big = 'x'.repeat(16_384)
    for (let n = 0; n < 9; n += 1) await say(client, id, message(big))
    await client.received()
    const [thread] = (await get(client, id)).threads
    expect(Buffer.byteLength(client.answers.at(-1) ?? '')).toBeLessThanOrEqual(120 * 1024)
    expect(thread.events).toHaveLength(7)
    expect(thread).toMatchObject({ has_more: true })
  })
})

test('get_chat_threads shows a customer who was removed from its chat what there is', async () => {
  const { carl, client, id } = await withAnn({ chat: { thread: { events: [message('one')] } } })
  await ann.ok('remove_from_chat', { chat_id: id, customer_ids: [carl.id] })
  const shown = await get(client, id)
  expect(shown.users[0]).toMatchObject({ id: carl.id, present: false })
  expect(shown.threads[0].events[0]).toMatchObject({ text: 'one' })
})
