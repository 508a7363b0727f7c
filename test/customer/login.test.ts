import { describe, expect, test } from 'vitest'
import { changeLicense } from '../../infra/admin/change-license.ts'
import { customerChatId, keys } from '../../shared/table/keys.ts'
import { readCustomerSockets } from '../../shared/table/sockets.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { agedRows } from '../support/crowd.ts'
import { customerItem } from '../support/customers.ts'
import { type License, startWorld, type Visitor } from '../support/world.ts'

const world = await startWorld()

const nowS = () => Math.floor(Date.now() / 1000)
const dayS = 24 * 3600
const message = (text: string) => ({ type: 'message', text })
const auth = { type: 'auth', code: 401, message: 'Invalid access token' }
const stored = ({ id }: License, customer: string) =>
  world.table.read.get(keys.customer(id, customer), { strong: true })
const login = (client: CustomerClient, payload?: object) => client.ok('login', payload)
/** Another tab of the same customer. */
const again = (license: License, { token }: Visitor, payload: object = {}) =>
  license.visit({ token, ...payload })
const say = (by: Client | CustomerClient, chat_id: string, event: object) =>
  by.ok('send_event', { chat_id, event })
const customerOf = ({ users }: any) => users.find(({ type }: any) => type === 'customer')
/** The customer of the licence's only chat as an agent is shown it who logs in now. */
const seenBy = async (license: License, agent: string) => {
  const client = await world.open()
  const { chats_summary } = await client.ok('login', { token: await license.token(agent) })
  await client.close()
  return customerOf(chats_summary[0])
}

describe('the answer to a login', () => {
  test('of a new customer has an id, a token, and no chats', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { answer, client } = await license.visit()
    expect(answer).toEqual({
      customer_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      last_chats_summary: [],
      total_chats: 0,
    })
    await client.receivesNothing()
    await ann.receivesNothing()
  })

  test('has the chat as the customer may see it', async () => {
    const license = await world.license(
      {
        ann: { name: 'Ann', email: 'ann@example.com', avatar: 'https://example.com/ann.png', groups: [1] },
        sue: { name: 'Sue', permission: 'owner', default_status: 'not_accepting_chats' },
      },
      { groups: ['Sales'] },
    )
    const [ann, sue] = [await license.login('ann'), await license.login('sue')]
    const carl = await license.visit({ customer: { name: 'Carl', email: 'carl@example.com' } })
    const { chat } = await carl.client.ok('start_chat', {
      chat: {
        properties: { source: { type: 'web' } },
        scopes: { groups: [1] },
        thread: { events: [message('one'), { type: 'custom', content: { cart: [1] } }] },
      },
    })
    await sue.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['sue'] })
    await say(sue, chat.id, message('a whisper'))
    await say(ann, chat.id, { ...message('between us'), recipients: 'agents' })
    const { event: last } = await say(ann, chat.id, message('hello'))
    await ann.ok('mark_event_as_seen', { chat_id: chat.id, event_id: last.id })

    const { answer } = await again(license, carl)
    expect(answer).toEqual({
      customer_id: carl.id,
      token: expect.any(String),
      last_chats_summary: [
        {
          id: chat.id,
          order: 1,
          users: [
            { id: carl.id, type: 'customer', name: 'Carl', email: 'carl@example.com', present: true },
            {
              ...{ id: 'ann', type: 'agent', name: 'Ann', avatar: 'https://example.com/ann.png' },
              ...{ present: true, last_seen_timestamp: last.timestamp },
            },
          ],
          properties: { source: { type: { value: 'web' } }, routing: expect.any(Object) },
          scopes: { groups: [1] },
          last_event_per_type: {
            thread_id: chat.thread.id,
            events: {
              message: last,
              custom: expect.objectContaining({ order: 2, content: { cart: [1] } }),
              system_message: expect.objectContaining({ recipients: 'all' }),
            },
          },
          last_threads_summary: [{ id: chat.thread.id, order: 1, events_count: expect.any(Number) }],
          total_threads: 1,
        },
      ],
      total_chats: 1,
    })
    const { threads } = (await carl.client.ok('get_chat_threads', { chat_id: chat.id })).chat
    expect(answer.last_chats_summary[0].last_threads_summary[0].events_count).toBe(threads[0].events.length)
    const text = JSON.stringify(answer)
    for (const hidden of ['sue', 'Sue', 'whisper', 'between us', 'ann@example.com', 'routing_status'])
      expect(text).not.toContain(hidden)
  })

  test('has of each type the newest event that is no agents’ own, however far back', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat')
    const { event: shown } = await say(carl.client, chat.id, message('shown'))
    for (let i = 0; i < 30; i += 1) await say(ann, chat.id, { ...message(`${i}`), recipients: 'agents' })
    await say(ann, chat.id, { type: 'annotation', annotation_type: 'x', recipients: 'agents' })
    const { answer } = await again(license, carl)
    const [{ last_event_per_type, last_threads_summary }] = answer.last_chats_summary
    expect(Object.keys(last_event_per_type.events).toSorted()).toEqual(['message', 'system_message'])
    expect(last_event_per_type.events.message).toEqual(shown)
    expect(last_threads_summary).toMatchObject([{ events_count: 2 }])
  })

  test('of a thread without an event to see has no last_event_per_type', async () => {
    const license = await world.license({ ann: {} }, { settings: { routing: 'manual' } })
    const ann = await license.login('ann')
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat')
    await carl.client.ok('close_thread', { chat_id: chat.id })
    await ann.ok('start_chat', { chat: { users: [{ id: carl.id, type: 'customer' }] } })
    const { answer } = await again(license, carl)
    const [summary] = answer.last_chats_summary
    expect(summary).toMatchObject({ order: 2, total_threads: 2 })
    expect(summary).not.toHaveProperty('last_event_per_type')
    expect(summary.last_threads_summary[0]).toEqual({ id: `${chat.id}_2`, order: 2, events_count: 0 })
  })

  test('stays below 120 KiB: the newest events while they fit, and has_more', async () => {
    const license = await world.license({ ann: {} })
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat')
    const long = 'ä'.repeat(8000)
    await say(carl.client, chat.id, { type: 'annotation', annotation_type: 'note', text: long })
    await say(carl.client, chat.id, { type: 'custom', content: { long } })
    const fields = [1, 2].map((n) => ({ type: 'text', name: `${n}`, label: 'l', value: 'x'.repeat(14_000) }))
    await say(carl.client, chat.id, { type: 'filled_form', fields })
    await say(carl.client, chat.id, message(long))
    const { client, answer } = await again(license, carl)
    expect(Buffer.byteLength(client.frames[0] ?? '')).toBeLessThanOrEqual(120 * 1024)
    const [summary] = answer.last_chats_summary
    expect(Object.keys(summary.last_event_per_type.events)).toHaveLength(5)
    expect(summary).not.toHaveProperty('has_more')
  })
})

describe('last_threads_limit', () => {
  const withThreads = async (count: number) => {
    const license = await world.license({})
    const carl = await license.visit()
    let chat_id = ''
    for (let n = 1; n <= count; n += 1) {
      const { chat } = await carl.client.ok('start_chat', { chat: { thread: { events: [message(`${n}`)] } } })
      chat_id = chat.id
      if (n < count) await carl.client.ok('close_thread', { chat_id })
    }
    return { license, carl, chat_id }
  }
  const ordersOf = ({ last_chats_summary: [chat] }: any) =>
    chat.last_threads_summary.map(({ order }: any) => order)
  const range = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => from - i)

  test('is 10 unless told, 25 at the most; the newest come first', async () => {
    const { license, carl, chat_id } = await withThreads(27)
    const limited = async (last_threads_limit?: number | null) =>
      (await again(license, carl, { last_threads_limit })).answer
    const usual = await limited()
    expect(ordersOf(usual)).toEqual(range(27, 18))
    expect(usual.last_chats_summary[0]).toMatchObject({
      ...{ order: 27, total_threads: 27 },
      last_event_per_type: { thread_id: `${chat_id}_27`, events: { message: { text: '27' } } },
    })
    // of an older one: its event, that it is unassigned, and its closing
    expect(usual.last_chats_summary[0].last_threads_summary[1]).toEqual({
      ...{ id: `${chat_id}_26`, order: 26, events_count: 3 },
    })
    expect(ordersOf(await limited(null))).toHaveLength(10)
    expect(ordersOf(await limited(1))).toEqual([27])
    expect(ordersOf(await limited(25))).toEqual(range(27, 3))
  })

  test.each([0, 26, -1, 1.5, '5', true, [5]])('%j is validation', async (last_threads_limit) => {
    const license = await world.license({})
    const client = await license.arrive()
    expect(await client.refused('login', { last_threads_limit })).toEqual({
      ...{ type: 'validation', code: 400, message: 'Wrong format of request' },
      details: [{ path: 'payload.last_threads_limit', message: expect.any(String) }],
    })
    expect(await client.refused('get_chats_summary')).toMatchObject({ message: 'Not logged in' })
  })
})

describe('what a customer tells of itself', () => {
  const page = (url: string, more: object = {}) => ({ url, title: `Page ${url}`, ...more })
  const monitoring = {
    page: page('https://shop.example/cart', { referrer: 'https://search.example/?q=shoes' }),
    timezone: 'Europe/Warsaw',
  }

  test('is stored, and shown to agents', async () => {
    const license = await world.license({ ann: {} })
    const before = nowS()
    const { client, id } = await license.visit({
      customer: { name: 'Carl', email: 'carl@example.com', properties: { plan: 'gold' }, monitoring },
    })
    expect(await customerItem(world, license.id, id)).toMatchObject({
      ...{ id, license_id: license.id, name: 'Carl', email: 'carl@example.com', online: true },
      ...{ properties: { plan: 'gold' }, visits: 1, threads: 0 },
    })
    await client.ok('start_chat')
    const shown = await seenBy(license, 'ann')
    expect(shown).toEqual({
      ...{ id, type: 'customer', name: 'Carl', email: 'carl@example.com', present: true },
      ...{ banned: false, online: true, properties: { plan: 'gold' } },
      monitoring: {
        current_visit: {
          started_timestamp: expect.any(Number),
          last_pages: [
            {
              ...{ url: 'https://shop.example/cart', title: 'Page https://shop.example/cart' },
              opened_timestamp: expect.any(Number),
            },
          ],
        },
        stats: { visits_count: 1, threads_count: 1 },
        ...{ referrer: 'https://search.example/?q=shoes', ip: '127.0.0.1', timezone: 'Europe/Warsaw' },
      },
    })
    expect(shown.monitoring.current_visit.started_timestamp).toBeGreaterThanOrEqual(before)
  })

  test('is merged into what was known: what is absent or null stays, a property of null goes', async () => {
    const license = await world.license({})
    const carl = await license.visit({
      customer: { name: 'Carl', email: 'c@example.com', properties: { a: '1', b: '2', c: '3' } },
    })
    await again(license, carl, {
      customer: { name: 'Carlos', email: null, properties: { a: null, b: '20', d: '4' } },
    })
    await again(license, carl)
    await again(license, carl, { customer: {} })
    await again(license, carl, { customer: null })
    expect(await customerItem(world, license.id, carl.id)).toMatchObject({
      ...{ name: 'Carlos', email: 'c@example.com' },
    })
    expect((await customerItem(world, license.id, carl.id))?.properties).toEqual({ b: '20', c: '3', d: '4' })
  })

  test('names it in what its other tabs do from then on', async () => {
    const license = await world.license({})
    const carl = await license.visit({ customer: { name: 'Carl' } })
    const { chat } = await carl.client.ok('start_chat')
    await again(license, carl, { customer: { name: 'Carlos' } })
    await carl.client.ok('close_thread', { chat_id: chat.id })
    const { events } = (await carl.client.ok('get_chat_threads', { chat_id: chat.id })).chat.threads[0]
    expect(events.at(-1)).toMatchObject({ text: 'Carlos archived the chat' })
  })

  test('is kept as it came, and never interpreted', async () => {
    const license = await world.license({ ann: {} })
    const name = '<b>"Carl"</b> & \u{1F600} \\u0000'
    const carl = await license.visit({ customer: { name, properties: { '<i>': '${x}', constructor: 'c' } } })
    await carl.client.ok('start_chat')
    expect(await seenBy(license, 'ann')).toMatchObject({
      name,
      properties: { '<i>': '${x}', constructor: 'c' },
    })
  })

  test('of unknown fields is ignored and not stored', async () => {
    const license = await world.license({})
    const { id } = await license.visit({
      customer: { name: 'Carl', banned: true, id: 'eve', online: false, seq: 7, threads: 9, ban: {} },
      routing_scope: 'x',
    })
    expect(await customerItem(world, license.id, 'eve')).toBeUndefined()
    const item = await customerItem(world, license.id, id)
    expect(item).toMatchObject({ id, threads: 0, online: true })
    expect(item).not.toHaveProperty('ban')
  })

  test.each<[string, object, string]>([
    ['a name of 257 bytes', { name: 'x'.repeat(257) }, 'name'],
    ['a name of 129 letters of two bytes', { name: 'ä'.repeat(129) }, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['a name that is a number', { name: 5 }, 'name'],
    ['half a surrogate pair', { name: '\ud800' }, 'name'],
    ['an email of 257 bytes', { email: 'x'.repeat(257) }, 'email'],
    ['a property that is no string', { properties: { a: 5 } }, 'properties.a'],
    ['properties in namespaces', { properties: { ns: { a: 'b' } } }, 'properties.ns'],
    ['51 properties', { properties: numbered(51) }, 'properties'],
    [
      'properties of more than 4 KiB',
      { properties: { a: 'x'.repeat(2500), b: 'x'.repeat(2500) } },
      'properties',
    ],
    ['a property of more than 4 KiB', { properties: { a: 'x'.repeat(4097) } }, 'properties.a'],
    ['properties that are a list', { properties: ['a'] }, 'properties'],
    ['a page that is no url', { monitoring: { page: { url: 'cart' } } }, 'monitoring.page.url'],
    [
      'a page of another scheme',
      { monitoring: { page: { url: 'javascript:alert(1)' } } },
      'monitoring.page.url',
    ],
    ['a page of data', { monitoring: { page: { url: 'data:text/html,x' } } }, 'monitoring.page.url'],
    ['a url of 2,049 bytes', { monitoring: { page: { url: urlOf(2049) } } }, 'monitoring.page.url'],
    [
      'a referrer of another scheme',
      { monitoring: { page: { url: 'https://a.example', referrer: 'ftp://b.example' } } },
      'monitoring.page.referrer',
    ],
    [
      'a title that is none',
      { monitoring: { page: { url: 'https://a.example', title: 5 } } },
      'monitoring.page.title',
    ],
    ['a timezone of 257 bytes', { monitoring: { timezone: 'x'.repeat(257) } }, 'monitoring.timezone'],
    ['monitoring that is a text', { monitoring: 'https://a.example' }, 'monitoring'],
  ])('%s is validation that says where, and logs nobody in', async (_what, customer, path) => {
    const license = await world.license({})
    const client = await license.arrive()
    expect(await client.refused('login', { customer })).toEqual({
      ...{ type: 'validation', code: 400, message: 'Wrong format of request' },
      details: [{ path: `payload.customer.${path}`, message: expect.any(String) }],
    })
    expect(await client.refused('get_chats_summary')).toMatchObject({ message: 'Not logged in' })
  })

  test('may fill every limit', async () => {
    const license = await world.license({})
    const { id } = await license.visit({
      customer: {
        ...{ name: 'ä'.repeat(128), email: 'x'.repeat(256), properties: numbered(50) },
        monitoring: {
          page: { url: urlOf(2048), title: 'x'.repeat(256), referrer: urlOf(2048) },
          timezone: 'x'.repeat(64),
        },
      },
    })
    const item = await customerItem(world, license.id, id)
    expect(Object.keys(item?.properties ?? {})).toHaveLength(50)
    expect(item?.visit).toMatchObject({ pages: [{ url: urlOf(2048) }], referrer: urlOf(2048) })
  })

  test('of properties that would be too many after merging is validation, and changes nothing', async () => {
    const license = await world.license({})
    const carl = await license.visit({ customer: { properties: numbered(50) } })
    const other = await license.arrive()
    expect(
      await other.refused('login', { token: carl.token, customer: { name: 'X', properties: { more: 'x' } } }),
    ).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.customer.properties', message: 'At most 50 properties' }],
    })
    expect(await customerItem(world, license.id, carl.id)).not.toHaveProperty('name')
    // as many as there were
    await again(license, carl, { customer: { properties: { more: 'x', p0: null } } })
  })
})

const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, 'v']))
const urlOf = (bytes: number) => 'https://shop.example/'.padEnd(bytes, 'x')

describe('who is stored', () => {
  test('is nobody who tells nothing and never chats', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    await again(license, carl, { customer: { name: null, properties: null }, last_threads_limit: 3 })
    await carl.client.ok('get_chats_summary')
    await carl.client.close()
    await world.settled()
    await world.queue.flush()
    expect(await stored(license, carl.id)).toBeUndefined()
  })

  test('is who tells something, for 30 days from its last login', async () => {
    const license = await world.license({})
    const carl = await license.visit({ customer: { name: 'Carl' } })
    const ttl = Number((await stored(license, carl.id))?.['ttl'])
    expect(ttl).toBeGreaterThanOrEqual(nowS() + 30 * dayS - 60)
    expect(ttl).toBeLessThanOrEqual(nowS() + 30 * dayS)
  })

  test('is who chats, for good', async () => {
    const license = await world.license({})
    const told = await license.visit({ customer: { name: 'Carl' } })
    await told.client.ok('start_chat')
    const silent = await license.visit()
    await silent.client.ok('start_chat')
    for (const { id } of [told, silent]) {
      const item = await stored(license, id)
      expect(item).toMatchObject({ id, threads: 1, visits: 1, online: true })
      expect(item).not.toHaveProperty('ttl')
    }
    await again(license, silent, { customer: { name: 'Sil' } })
    expect(await stored(license, silent.id)).not.toHaveProperty('ttl')
  })
})

describe('logging in again on the same socket', () => {
  test('without a token, or with its own, is the same customer', async () => {
    const license = await world.license({})
    const { client, id, token } = await license.visit()
    for (const payload of [undefined, { token: null }, { token }])
      expect(await login(client, payload)).toMatchObject({ customer_id: id })
    expect(await readCustomerSockets(world.table.read, license.id, id)).toHaveLength(1)
  })

  test('as another customer is auth, and the session stays', async () => {
    const license = await world.license({})
    const [carl, dora] = [await license.visit(), await license.visit()]
    const { chat } = await carl.client.ok('start_chat')
    expect(await carl.client.refused('login', { token: dora.token })).toEqual(auth)
    expect(await carl.client.ok('get_chats_summary')).toMatchObject({ chats_summary: [{ id: chat.id }] })
    expect(await readCustomerSockets(world.table.read, license.id, dora.id)).toHaveLength(1)
  })

  test('with a bad token is auth, and the session stays', async () => {
    const license = await world.license({})
    const { client } = await license.visit()
    expect(await client.refused('login', { token: 'x' })).toEqual(auth)
    await client.ok('get_chats_summary')
  })

  test('many times at once leaves one session', async () => {
    const license = await world.license({})
    const { client, id } = await license.visit()
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => login(client, { customer: { properties: { [`p${n}`]: 'x' } } })),
    )
    expect(new Set(answers.map(({ customer_id }) => customer_id))).toEqual(new Set([id]))
    expect(await readCustomerSockets(world.table.read, license.id, id)).toHaveLength(1)
    expect(Object.keys((await customerItem(world, license.id, id))?.properties ?? {})).toHaveLength(5)
  })
})

describe('the licence of a login', () => {
  test('that has expired since the handshake is license_expired, until it is renewed', async () => {
    const license = await world.license({})
    const client = await license.arrive()
    await changeLicense(world.table, license.id, { expires_at: nowS() - 1 })
    expect(await client.refused('login')).toEqual({
      ...{ type: 'license_expired', code: 402, message: 'License expired' },
    })
    await changeLicense(world.table, license.id, { expires_at: nowS() + 600 })
    await login(client)
  })

  test('that has vanished since the handshake is license_not_found', async () => {
    const license = await world.license({})
    const client = await license.arrive()
    await world.table.write.write({ Delete: { Key: keys.license(license.id) } })
    expect(await client.refused('login')).toEqual({
      ...{ type: 'license_not_found', code: 404, message: 'License not found' },
    })
  })

  test('counts after the token', async () => {
    const license = await world.license({})
    const client = await license.arrive()
    await changeLicense(world.table, license.id, { expires_at: nowS() - 1 })
    expect(await client.refused('login', { token: 'x' })).toEqual(auth)
  })

  test('that ends while the customer chats closes its connections', async () => {
    const license = await world.license({})
    const { client } = await license.visit()
    await client.ok('start_chat')
    await world.settled()
    await client.received()
    await changeLicense(world.table, license.id, { expires_at: nowS() - 1 })
    await world.settled()
    expect(await client.refused('get_chats_summary')).toMatchObject({ type: 'license_expired' })
    await world.queue.flush()
    expect(await client.next('customer_disconnected')).toEqual({ reason: 'license_expired' })
    await client.closing()
  })
})

describe('a banned customer', () => {
  const banned = { type: 'customer_banned', code: 403, message: 'Customer is banned' }
  const withBan = async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const carl = await license.visit()
    await carl.client.ok('start_chat')
    await ann.ok('ban_customer', { customer_id: carl.id, ban: { days: 1 } })
    await carl.client.closing()
    return { license, ann, carl }
  }

  test('may not log in until the ban is lifted', async () => {
    const { license, ann, carl } = await withBan()
    const client = await license.arrive()
    for (const payload of [{}, { customer: { name: 'X' } }, { customer: {}, last_threads_limit: 3 }])
      expect(await client.refused('login', { token: carl.token, ...payload })).toEqual(banned)
    expect(await client.refused('get_chats_summary')).toMatchObject({
      type: 'auth',
      message: 'Not logged in',
    })
    expect(await customerItem(world, license.id, carl.id)).not.toHaveProperty('name')
    await ann.ok('unban_customer', { customer_id: carl.id })
    expect(await login(client, { token: carl.token })).toMatchObject({ customer_id: carl.id, total_chats: 1 })
  })

  test('may log in once the time of the ban is over', async () => {
    const { license, carl } = await withBan()
    const client = await license.arrive()
    expect(await client.refused('login', { token: carl.token })).toEqual(banned)
    const key = keys.customer(license.id, carl.id)
    const until = { days: 1, until: nowS() - 1, by: 'ann' }
    await world.table.write.write({
      Update: {
        Key: key,
        UpdateExpression: 'SET ban = :ban',
        ExpressionAttributeValues: { ':ban': until },
      },
    })
    expect(await login(client, { token: carl.token })).toMatchObject({ customer_id: carl.id })
  })

  test('is banned by its token: a visitor without one is a new customer', async () => {
    const { license, carl } = await withBan()
    const { id } = await license.visit()
    expect(id).not.toBe(carl.id)
  })

  test('is banned in one licence, and not in another', async () => {
    const { license } = await withBan()
    const other = await world.license({})
    await other.visit()
    await license.visit()
  })
})

describe('the connections of one customer', () => {
  test('are ten: the eleventh is refused, told why and closed, and the ten stay', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    for (let i = 2; i <= 10; i += 1) await again(license, carl)
    const eleventh = await license.arrive()
    expect(await eleventh.refused('login', { token: carl.token })).toEqual({
      ...{ type: 'too_many_connections', code: 429, message: 'Too many connections' },
    })
    expect(await eleventh.refused('get_chats_summary')).toMatchObject({ type: 'auth' })
    expect(await eleventh.next('customer_disconnected')).toEqual({ reason: 'too_many_connections' })
    await eleventh.closing()
    await world.settled()
    expect(await readCustomerSockets(world.table.read, license.id, carl.id)).toHaveLength(10)
    // logging in again is no connection more
    await login(carl.client, { token: carl.token })
    // another customer has ten of its own
    await license.visit()
  })

  test('make room when one is closed', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    const others: Visitor[] = []
    for (let i = 2; i <= 10; i += 1) others.push(await again(license, carl))
    await others[0]?.client.close()
    await world.settled()
    await again(license, carl)
    expect(await readCustomerSockets(world.table.read, license.id, carl.id)).toHaveLength(10)
  })

  test('make room where some have gone without a `$disconnect`', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    const tabs: Visitor[] = []
    for (let i = 2; i <= 10; i += 1) tabs.push(await again(license, carl))
    world.customers.setFaults({ disconnect: () => ({ lose: true }) })
    await Promise.all(tabs.slice(0, 2).map(({ client }) => client.close()))
    await world.settled()
    world.customers.setFaults({})
    const rows = () => readCustomerSockets(world.table.read, license.id, carl.id)
    const before = await rows()
    const there = world.customers.connections()
    const gone = before.filter(({ connection }) => !there.includes(connection))
    expect([before.length, gone.length]).toEqual([10, 2])
    // of new ones nobody can tell
    expect(await (await license.arrive()).refused('login', { token: carl.token })).toMatchObject({
      type: 'too_many_connections',
    })

    await agedRows(world, before)
    await again(license, carl)
    expect(await rows()).toHaveLength(9)
    for (const { connection } of gone)
      expect(await world.table.read.get(keys.socket(connection), { strong: true })).toBeUndefined()
    await again(license, carl)
    expect(await (await license.arrive()).refused('login', { token: carl.token })).toMatchObject({
      type: 'too_many_connections',
    })
  })

  test('make room for all who come back at once after their tabs have died', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    const tabs = [carl]
    for (let i = 2; i <= 6; i += 1) tabs.push(await again(license, carl))
    world.customers.setFaults({ disconnect: () => ({ lose: true }) })
    await Promise.all(tabs.map(({ client }) => client.close()))
    await world.settled()
    world.customers.setFaults({})
    const rows = () => readCustomerSockets(world.table.read, license.id, carl.id)
    await agedRows(world, await rows())

    const back = await Promise.all(tabs.map(() => license.arrive()))
    await Promise.all(back.map((tab) => login(tab, { token: carl.token })))
    expect((await rows()).filter(({ ended }) => ended === undefined).length).toBeGreaterThanOrEqual(6)
    await Promise.all(back.map((tab) => tab.ok('ping')))
  })

  test('are ten at the most, also where many log in at once', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    const tabs = await Promise.all(Array.from({ length: 14 }, () => license.arrive()))
    const answers = await Promise.all(tabs.map((tab) => tab.call('login', { token: carl.token })))
    const rows = await readCustomerSockets(world.table.read, license.id, carl.id)
    const live = rows.filter(({ ended }) => ended === undefined)
    expect(live.length).toBeLessThanOrEqual(10)
    expect(answers.filter(({ success }) => success).length + 1).toBe(live.length)
    for (const [i, { success }] of answers.entries()) if (!success) await tabs[i]?.closing()
  })

  test('are each told of everything, whoever of them did it', async () => {
    const license = await world.license({ ann: {} })
    await license.login('ann')
    const phone = await license.visit()
    const desk = await again(license, phone)
    const { chat } = await phone.client.ok('start_chat')
    for (const { client } of [phone, desk])
      expect(await client.next('incoming_chat_thread')).toMatchObject({ chat: { id: chat.id } })
    await say(desk.client, chat.id, message('hi'))
    for (const { client } of [phone, desk]) {
      expect(await client.next('incoming_event')).toMatchObject({
        event: { text: 'hi', author_id: phone.id },
      })
      await client.receivesNothing()
    }
  })
})

test('an event of the moment in which a login runs is in its answer or pushed soon after', async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  const carl = await license.visit()
  const { chat } = await carl.client.ok('start_chat')
  expect(chat.id).toBe(customerChatId(license.id, carl.id))
  for (let i = 0; i < 5; i += 1) {
    const tab = await license.arrive()
    const [answer, { event }] = await Promise.all([
      login(tab, { token: carl.token }),
      say(ann, chat.id, message(`at login ${i}`)),
    ])
    const newest = answer.last_chats_summary[0].last_event_per_type.events.message
    if (newest?.id !== event.id) await tab.eventually('incoming_event', (push) => push.event.id === event.id)
  }
})
