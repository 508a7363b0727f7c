import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { readCustomer } from '../../shared/table/customers.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { logOf } from '../races/stored.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { message } from '../support/events.ts'
import { invalid, licenseExpired } from '../support/wire-errors.ts'
import { names, next, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
  office = await openOffice()
})

afterEach(() => {
  vi.useRealTimers()
})

const unassigned = { routing: { unassigned: { value: true } } }

/** A license where nobody takes chats: `olga` sees all, `gus` what group 1 sees, `out` is in group 2. */
const openOffice = async () => {
  const default_status = 'not_accepting_chats'
  const license = await world.license(
    {
      olga: { permission: 'owner', default_status },
      gus: { groups: [1], default_status },
      out: { groups: [2], default_status },
    },
    { groups: ['Sales', 'Support'] },
  )
  const [olga, gus, out] = [
    await license.login('olga'),
    await license.login('gus'),
    await license.login('out'),
  ]
  return { license, olga, gus, out }
}
let office: Awaited<ReturnType<typeof openOffice>>

/** A new customer of it, on two tabs. */
const visit = async () => {
  const { license, olga, gus, out } = office
  const { client: carl, id, token } = await license.visit()
  const { client: tab } = await license.visit({ token })
  await world.settled()
  for (const client of [olga, gus, out, carl, tab]) await client.received()
  return { ...office, carl, tab, id, token, chat_id: customerChatId(license.id, id) }
}
const activeIn = async (license: License) =>
  (await readActiveChats(world.table.read, license.id)).map(({ id }) => id)

describe('start_chat', () => {
  test('starts the chat of its customer: answered, and shown to everyone with access and to every tab', async () => {
    const { license, olga, gus, out, carl, tab, id, chat_id } = await visit()
    const before = Math.floor(Date.now() / 1000)
    const answer = await carl.ok('start_chat', {
      chat: {
        scopes: { groups: ['1'] },
        properties: { source: { page: '/prices', returning: { value: false } } },
        thread: {
          events: [message('hello', { custom_id: 'c-1' }), { type: 'custom', content: { cart: [1, 2] } }],
          properties: { rating: { asked: 0 } },
        },
      },
    })
    const at = { timestamp: expect.any(Number), recipients: 'all' }
    const event = (order: number, more: object) => ({ id: `${chat_id}_1_${order}`, order, ...at, ...more })
    expect(answer).toEqual({
      chat: {
        id: chat_id,
        users: [
          { id, type: 'customer', name: 'Customer', present: true, last_seen_timestamp: expect.any(Number) },
        ],
        properties: { source: { page: { value: '/prices' }, returning: { value: false } }, ...unassigned },
        scopes: { groups: [1] },
        thread: {
          ...{ id: `${chat_id}_1`, timestamp: expect.any(Number), active: true, order: 1, user_ids: [id] },
          properties: { rating: { asked: { value: 0 } }, ...unassigned },
          // the initial events have the first orders
          events: [
            event(1, { type: 'message', text: 'hello', author_id: id, custom_id: 'c-1' }),
            event(2, { type: 'custom', content: { cart: [1, 2] }, author_id: id }),
            event(3, {
              type: 'system_message',
              ...{ text: 'Chat is unassigned', system_message_type: 'routing.unassigned' },
            }),
          ],
        },
      },
    })
    expect(answer.chat.thread.timestamp).toBeGreaterThanOrEqual(before)
    for (const client of [carl, tab]) {
      expect(await client.next('incoming_chat_thread')).toEqual(answer)
      await client.receivesNothing()
    }
    for (const client of [olga, gus]) {
      const { chat } = await client.next('incoming_chat_thread')
      expect(chat).toMatchObject({
        ...{ id: chat_id, scopes: { groups: [1] }, properties: answer.chat.properties },
        thread: answer.chat.thread,
        users: [
          {
            ...{ id, type: 'customer', name: 'Customer', present: true, banned: false, online: true },
            monitoring: { ip: '127.0.0.1', stats: { visits: 1, threads: 1, page_views: 0 } },
          },
        ],
      })
      await client.receivesNothing()
    }
    await out.receivesNothing()
    expect(await activeIn(license)).toContain(chat_id)
  })

  test.each([
    ['no payload', undefined],
    ['an empty chat', { chat: { scopes: {}, properties: {}, thread: {} } }],
    ['what it does not know', { version: 1, chat: { id: 'forged', users: [{ id: 'x' }], active: false } }],
  ])('of %s starts a chat that is open to all and empty but for its routing', async (_what, payload) => {
    const { license, carl, out, id, chat_id } = await visit()
    const stored = () => readCustomer(world.table.read, license.id, id)
    expect(await stored()).toBeUndefined()
    const { chat } = await carl.ok('start_chat', payload)
    expect(chat).toMatchObject({ id: chat_id, properties: unassigned, users: [{ id }] })
    expect(chat).not.toHaveProperty('scopes')
    expect(chat.thread.events.map(({ type }: any) => type)).toEqual(['system_message'])
    expect(await names(out)).toEqual(['incoming_chat_thread'])
    // now the customer is stored, for good
    expect(await stored()).toMatchObject({ id, threads: 1, visits: 1, online: true })
  })

  test.each([
    ['in the chat', (events: object[]) => ({ events, thread: { events: [] } })],
    ['in the thread', (events: object[]) => ({ events: [], thread: { events } })],
  ])('takes 20 initial events %s, in their order and for all', async (_where, placed) => {
    const { carl } = await visit()
    const events = Array.from({ length: 20 }, (_, i) => message(`${i}`, { recipients: 'agents' }))
    const { chat } = await carl.ok('start_chat', { chat: placed(events) })
    expect(
      chat.thread.events.slice(0, 20).map(({ order, text, recipients }: any) => [order, text, recipients]),
    ).toEqual(events.map(({ text }, i) => [i + 1, text, 'all']))
    expect(chat.thread.events).toHaveLength(21)
  })

  test('names groups only in its scopes: agents are passed over', async () => {
    const { carl, chat_id } = await visit()
    await carl.ok('start_chat', { chat: { scopes: { groups: [2, '2'], agents: ['gus', 'nosuch'] } } })
    expect((await readChat(world.table.read, chat_id))?.scopes).toEqual({ groups: [2], agents: [] })
  })

  test('gives each customer a chat of its own, and knows it again by its token', async () => {
    const { license, carl, token, chat_id } = await visit()
    const { client: other } = await license.visit()
    const { chat } = await other.ok('start_chat')
    expect(chat.id).not.toBe(chat_id)
    expect((await carl.ok('start_chat')).chat.id).toBe(chat_id)
    const { answer, client } = await license.visit({ token })
    expect(answer).toMatchObject({ total_chats: 1, last_chats_summary: [{ id: chat_id }] })
    expect((await client.ok('start_chat')).chat.id).toBe(chat_id)
    expect(await activeIn(license)).toEqual(expect.arrayContaining([chat.id, chat_id]))
  })
})

describe('start_chat where a thread is active', () => {
  test('appends its events, each pushed, merges its properties and ignores its scopes', async () => {
    const { carl, tab, id, chat_id, thread_id, watching, silence } = await openReception(world)
    await carl.ok('update_chat_properties', { chat_id, properties: { a: { one: 1, two: 2 } } })
    for (const client of [...watching, carl, tab]) await client.received()
    const { chat } = await tab.ok('start_chat', {
      chat: {
        scopes: { groups: [2] },
        properties: { a: { two: 3 }, b: { x: true } },
        thread: { events: [message('and'), message('another')], properties: { t: { y: 'z' } } },
      },
    })
    expect(chat).toMatchObject({
      ...{ id: chat_id, scopes: { groups: [1] } },
      properties: { a: { one: { value: 1 }, two: { value: 3 } }, b: { x: { value: true } } },
      thread: { id: thread_id, active: true, order: 1, properties: { t: { y: { value: 'z' } } } },
    })
    // with a gap where sue came to supervise
    expect(chat.thread.events.map(({ order, text }: any) => [order, text])).toEqual([
      [1, 'hello'],
      [2, 'Chat assigned to Ann'],
      [4, 'and'],
      [5, 'another'],
    ])
    expect(chat.users.map((user: any) => user.id)).toEqual([id, 'ann'])
    for (const client of [...watching, carl, tab]) {
      for (const text of ['and', 'another'])
        expect(await next(client, 'incoming_event')).toMatchObject({
          ...{ chat_id, thread_id, event: { text, author_id: id } },
        })
      expect(await next(client, 'chat_properties_updated')).toMatchObject({
        ...{ chat_id, properties: { a: { two: { value: 3 } }, b: { x: { value: true } } } },
      })
      expect(await next(client, 'chat_thread_properties_updated')).toMatchObject({
        ...{ chat_id, thread_id, properties: { t: { y: { value: 'z' } } } },
      })
    }
    await silence()
    expect((await readChat(world.table.read, chat_id))?.scopes).toEqual({ groups: [1], agents: [] })
  })

  test('with nothing new answers the chat as it is and tells nobody', { tags: ['full'] }, async () => {
    const { carl, chat_id, thread_id, forget, silence } = await openReception(world)
    await carl.ok('update_chat_properties', { chat_id, properties: { a: { one: 1 } } })
    const before = await logOf(world, chat_id)
    await forget()
    for (const payload of [undefined, { chat: { properties: { a: { one: 1 } } } }]) {
      const { chat } = await carl.ok('start_chat', payload)
      expect(chat.thread).toMatchObject({ id: thread_id, active: true, events: [{ order: 1 }, { order: 2 }] })
    }
    await silence()
    expect(await logOf(world, chat_id)).toEqual(before)
  })

  test(
    'adds each event once, whoever of its tabs sends it again under its custom_id',
    { tags: ['full'] },
    async () => {
      const { carl, tab, chat_id, staff, forget, silence } = await openReception(world)
      const events = [message('one', { custom_id: 'c-1' }), message('two', { custom_id: 'c-2' })]
      await carl.ok('start_chat', { chat: { events } })
      await forget()
      for (const client of [carl, tab]) await client.ok('start_chat', { chat: { events } })
      await silence()
      const all = [...events, message('three', { custom_id: 'c-3' })]
      const { chat } = await tab.ok('start_chat', { chat: { events: all } })
      expect(chat.thread.events.slice(-3).map(({ text }: any) => text)).toEqual(['one', 'two', 'three'])
      expect(await names(staff.gus)).toEqual(['incoming_event'])
      expect((await logOf(world, chat_id)).map(({ m }) => m)).toEqual([1, 2, 3, 4, 5, 6])
    },
  )

  test('is refused with validation where properties would be too large after merging, and adds nothing', async () => {
    const { carl, chat_id, forget, silence } = await openReception(world)
    const text = 'x'.repeat(4000)
    await carl.ok('update_chat_properties', { chat_id, properties: { a: { x: text }, b: { x: text } } })
    await forget()
    const before = await logOf(world, chat_id)
    const chat = { properties: { c: { x: 'x'.repeat(200) } }, events: [message('hi')] }
    expect(await carl.refused('start_chat', { chat })).toMatchObject(invalid('payload.properties'))
    await silence()
    expect(await logOf(world, chat_id)).toEqual(before)
  })
})

describe('start_chat where no thread is active', () => {
  test('starts the next one, with the users and properties of the chat', { tags: ['full'] }, async () => {
    const { carl, tab, id, chat_id, watching, staff, forget, silence } = await openReception(world)
    await carl.ok('update_chat_properties', { chat_id, properties: { a: { one: 1 } } })
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const answer = await carl.ok('start_chat', {
      chat: {
        properties: { b: { two: 2 } },
        thread: { events: [message('back')], properties: { t: { x: 1 } } },
      },
    })
    expect(answer.chat).toMatchObject({
      ...{ id: chat_id, scopes: { groups: [1] } },
      properties: { a: { one: { value: 1 } }, b: { two: { value: 2 } } },
      thread: {
        ...{ id: `${chat_id}_2`, order: 2, active: true, user_ids: [id, 'ann'] },
        properties: { t: { x: { value: 1 } } },
        events: [{ order: 1, text: 'back' }],
      },
    })
    for (const client of [carl, tab]) {
      expect(await client.next('incoming_chat_thread')).toEqual(answer)
      expect(await client.next('chat_properties_updated')).toMatchObject({
        properties: { b: { two: { value: 2 } } },
      })
    }
    for (const client of watching)
      expect(await names(client)).toEqual(['incoming_chat_thread', 'chat_properties_updated'])
    await silence()
  })

  test(
    'replaces scopes where it names some, and leaves them where it names none',
    { tags: ['full'] },
    async () => {
      const { carl, chat_id, staff, forget } = await openReception(world)
      await staff.ann.ok('close_thread', { chat_id })
      await forget()
      expect((await carl.ok('start_chat', { chat: { scopes: { groups: [] } } })).chat.scopes).toEqual({
        groups: [1],
      })
      await staff.ann.ok('close_thread', { chat_id })
      await forget()
      expect((await carl.ok('start_chat', { chat: { scopes: { groups: [2] } } })).chat.scopes).toEqual({
        groups: [2],
      })
      expect(await names(staff.out)).toContain('incoming_chat_thread')
      await staff.gus.receivesNothing()
    },
  )

  test('shows nothing of who supervises', async () => {
    const { carl, id, chat_id, staff, forget } = await openReception(world)
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const { chat } = await carl.ok('start_chat')
    expect(chat.users.map((user: any) => user.id)).toEqual([id, 'ann'])
    expect(chat.thread.user_ids).toEqual([id, 'ann'])
    expect(JSON.stringify([chat, await carl.received()])).not.toMatch(/sue|ann@example.com/i)
    expect(chat.users[1]).toEqual({
      ...{ id: 'ann', type: 'agent', name: 'Ann', present: true },
      avatar: 'https://example.com/ann.png',
    })
  })
})

describe('start_chat of a customer who was removed', () => {
  test('brings it back to the active thread: shown to its tabs, told to the others', async () => {
    const { carl, tab, id, chat_id, thread_id, watching, staff, forget, silence } = await openReception(world)
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    await staff.ann.ok('send_event', { chat_id, event: message('meanwhile') })
    await forget()
    expect((await carl.ok('get_chat_threads', { chat_id })).chat.users[0]).toMatchObject({ present: false })
    const answer = await carl.ok('start_chat', { chat: { events: [message('here again')] } })
    expect(answer.chat).toMatchObject({
      users: expect.arrayContaining([expect.objectContaining({ id, present: true })]),
      thread: { id: thread_id, active: true },
    })
    expect(answer.chat.thread.events.slice(-2)).toMatchObject([{ text: 'meanwhile' }, { text: 'here again' }])
    for (const client of [carl, tab]) {
      expect(await client.next('incoming_chat_thread')).toEqual(answer)
      await client.eventually('incoming_event', ({ event }) => 'text' in event && event.text === 'here again')
      expect((await client.next('chat_users_updated')).updated_users).toMatchObject({
        ...{ added: [{ id, type: 'customer' }], removed_ids: [] },
      })
    }
    for (const client of watching) {
      await client.next('incoming_event')
      expect((await client.next('chat_users_updated')).updated_users).toMatchObject({
        customers: { added: [{ id, present: true }], removed_ids: [] },
      })
    }
    await silence()
    // and it may write again
    await carl.ok('send_event', { chat_id, event: message('hi') })
  })

  test('brings it back by a new thread where none is active', async () => {
    const { carl, tab, id, chat_id, staff, forget } = await openReception(world)
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const { chat } = await carl.ok('start_chat')
    expect(chat).toMatchObject({ thread: { id: `${chat_id}_2` } })
    expect(chat.thread.user_ids).toContain(id)
    for (const client of [carl, tab])
      expect(await names(client)).toEqual(['incoming_chat_thread', 'chat_users_updated'])
    expect(await names(staff.gus)).toEqual(['incoming_chat_thread', 'chat_users_updated'])
    await tab.ok('send_event', { chat_id, event: message('hi') })
  })
})

describe('start_chat is refused', () => {
  test('with license_expired once the license ran out', async () => {
    const license = await world.license({}, { expiresAt: Math.floor(Date.now() / 1000) + 50 })
    const { client } = await license.visit({ customer: { name: 'Carl' } })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 })
    expect(await client.refused('start_chat')).toEqual(licenseExpired)
  })
})
