import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { keys } from '../../shared/table/keys.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { readCustomerSockets } from '../../shared/table/socket-lists.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { agedRows } from '../support/crowd.ts'
import { customerItem } from '../support/customers.ts'
import { message } from '../support/events.ts'
import { invalid, invalidToken, licenseExpired, notLoggedIn } from '../support/wire-errors.ts'
import { type License, sharedWorld, type Visitor, type World } from '../support/world.ts'

let world: World
/** Where most customers here come to; ann is given each of their chats. */
let license: License
let ann: Client
beforeAll(async () => {
  world = await sharedWorld()
  license = await world.license({ ann: { max_chats: 1000 } })
  ann = await license.login('ann')
})

afterEach(() => {
  vi.useRealTimers()
})

const nowS = () => Math.floor(Date.now() / 1000)
const dayS = 24 * 3600
const stored = (customer: string) =>
  world.table.read.get(keys.customer(license.id, customer), { strong: true })
const itemOf = ({ id }: Visitor) => customerItem(world, license.id, id)
const login = (client: CustomerClient, payload?: object) => client.ok('login', payload)
/** Another tab of the same customer. */
const again = ({ token }: Visitor, payload: object = {}, at = license) => at.visit({ token, ...payload })
const say = (by: Client | CustomerClient, chat_id: string, event: object) =>
  by.ok('send_event', { chat_id, event })
/** The customer of a chat as agents are shown it. */
const seenIn = async (chat_id: string) => {
  const { chat } = await ann.ok('get_chat_threads', { chat_id })
  return chat.users.find(({ type }: any) => type === 'customer')
}
const socketsOf = ({ id }: Visitor) => readCustomerSockets(world.table.read, license.id, id)

describe('the answer to a login', () => {
  test('of a new customer has an id, a token, and no chats', async () => {
    await ann.received()
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
    const shop = await world.license(
      {
        ann: { name: 'Ann', email: 'ann@example.com', avatar: 'https://example.com/ann.png', groups: [1] },
        sue: { name: 'Sue', permission: 'owner', default_status: 'not_accepting_chats' },
      },
      { groups: ['Sales'] },
    )
    const [ann, sue] = [await shop.login('ann'), await shop.login('sue')]
    const carl = await shop.visit({ customer: { name: 'Carl', email: 'carl@example.com' } })
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

    const { answer } = await again(carl, {}, shop)
    expect(answer).toEqual({
      customer_id: carl.id,
      token: expect.any(String),
      last_chats_summary: [
        {
          id: chat.id,
          order: 1,
          users: [
            {
              ...{ id: carl.id, type: 'customer', name: 'Carl', email: 'carl@example.com', present: true },
              last_seen_timestamp: expect.any(Number),
            },
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

  test(
    'has of each type the newest event that is no agents’ own, however far back',
    { tags: ['full'] },
    async () => {
      const carl = await license.visit()
      const { chat } = await carl.client.ok('start_chat')
      const { event: shown } = await say(carl.client, chat.id, message('shown'))
      for (let i = 0; i < 26; i += 1) await say(ann, chat.id, { ...message(`${i}`), recipients: 'agents' })
      await say(ann, chat.id, { type: 'annotation', annotation_type: 'x', recipients: 'agents' })
      const { answer } = await again(carl)
      const [{ last_event_per_type, last_threads_summary }] = answer.last_chats_summary
      expect(Object.keys(last_event_per_type.events).toSorted()).toEqual(['message', 'system_message'])
      expect(last_event_per_type.events.message).toEqual(shown)
      expect(last_threads_summary).toMatchObject([{ events_count: 2 }])
    },
  )

  test('of a thread without an event to see has no last_event_per_type', async () => {
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat')
    await carl.client.ok('close_thread', { chat_id: chat.id })
    await ann.ok('start_chat', { chat: { users: [{ id: carl.id, type: 'customer' }] } })
    const { answer } = await again(carl)
    const [summary] = answer.last_chats_summary
    expect(summary).toMatchObject({ order: 2, total_threads: 2 })
    expect(summary).not.toHaveProperty('last_event_per_type')
    expect(summary.last_threads_summary[0]).toEqual({ id: `${chat.id}_2`, order: 2, events_count: 0 })
  })

  test(
    'stays below 120 KiB: the newest events while they fit, and has_more',
    { tags: ['full'] },
    async () => {
      const carl = await license.visit()
      const { chat } = await carl.client.ok('start_chat')
      const long = 'ä'.repeat(8000)
      await say(carl.client, chat.id, { type: 'annotation', annotation_type: 'note', text: long })
      await say(carl.client, chat.id, { type: 'custom', content: { long } })
      const fields = [1, 2].map((n) => ({
        type: 'text',
        name: `${n}`,
        label: 'l',
        value: 'x'.repeat(14_000),
      }))
      await say(carl.client, chat.id, { type: 'filled_form', fields })
      await say(carl.client, chat.id, message(long))
      const { client, answer } = await again(carl)
      expect(Buffer.byteLength(client.answers[0] ?? '')).toBeLessThanOrEqual(120 * 1024)
      const [summary] = answer.last_chats_summary
      expect(Object.keys(summary.last_event_per_type.events)).toHaveLength(5)
      expect(summary).not.toHaveProperty('has_more')
    },
  )
})

test('last_threads_limit is 10 unless told; the newest come first', { tags: ['full'] }, async () => {
  const carl = await license.visit()
  const chat_id = customerChatId(license.id, carl.id)
  for (let n = 1; n <= 12; n += 1) {
    await carl.client.ok('start_chat', { chat: { thread: { events: [message(`${n}`)] } } })
    if (n < 12) await carl.client.ok('close_thread', { chat_id })
  }
  const limited = async (last_threads_limit?: number | null) => {
    const [summary] = (await again(carl, { last_threads_limit })).answer.last_chats_summary
    expect(summary).toMatchObject({
      ...{ order: 12, total_threads: 12 },
      last_event_per_type: { thread_id: `${chat_id}_12`, events: { message: { text: '12' } } },
    })
    return summary.last_threads_summary
  }
  const orders = (threads: any[]) => threads.map(({ order }) => order)
  const usual = await limited()
  expect(orders(usual)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3])
  // of an older one: its event and its closing
  expect(usual[1]).toEqual({ id: `${chat_id}_11`, order: 11, events_count: 2 })
  expect(orders(await limited(null))).toHaveLength(10)
  expect(orders(await limited(1))).toEqual([12])
  expect(orders(await limited(25))).toHaveLength(12)
})

describe('what a customer tells of itself', () => {
  const page = (url: string, more: object = {}) => ({ url, title: `Page ${url}`, ...more })
  const monitoring = {
    page: page('https://shop.example/cart', { referrer: 'https://search.example/?q=shoes' }),
    timezone: 'Europe/Warsaw',
  }

  test('is stored as it came, never interpreted, and shown to agents', async () => {
    const before = nowS()
    const details = {
      ...{ name: '<b>"Carl"</b> & \u{1F600} \\u0000', email: 'carl@example.com' },
      properties: { plan: 'gold', '<i>': '${x}', constructor: 'c' },
    }
    const carl = await license.visit({ customer: { ...details, monitoring } })
    expect(await itemOf(carl)).toMatchObject({
      ...{ id: carl.id, license_id: license.id, ...details, online: true, visits: 1, threads: 0 },
    })
    const { chat } = await carl.client.ok('start_chat')
    const shown = await seenIn(chat.id)
    expect(shown).toEqual({
      ...{ id: carl.id, type: 'customer', ...details, present: true, banned: false, online: true },
      monitoring: {
        current_visit: {
          start: expect.any(Number),
          pages: [
            {
              ...{ url: 'https://shop.example/cart', title: 'Page https://shop.example/cart' },
              start: expect.any(Number),
            },
          ],
        },
        stats: { visits: 1, threads: 1, page_views: 1 },
        ...{ referrer: 'https://search.example/?q=shoes', ip: '127.0.0.1' },
        geolocation: { timezone: 'Europe/Warsaw' },
      },
    })
    expect(shown.monitoring.current_visit.start).toBeGreaterThanOrEqual(before)
  })

  test('refuses nothing that a browser says by itself: it is cut or left out', async () => {
    const advert = `https://shop.example/?gclid=${'x'.repeat(3000)}`
    const carl = await license.visit({
      customer: {
        ...{ name: '', email: '' },
        monitoring: {
          page: {
            url: advert,
            title: `Sale ${'x'.repeat(506)}\u{1F600}`,
            referrer: 'android-app://com.example/',
          },
          timezone: 5,
        },
      },
    })
    const { chat } = await carl.client.ok('start_chat')
    const { client } = await again(carl, { customer: { monitoring: [] } })
    for (const [url, title] of [
      ['file:///android_asset/index.html', 'Local'],
      ['capacitor://localhost/', 'App'],
      ['https://shop.example/cart', 'Cart \ud83d'],
    ])
      await client.ok('update_customer', { customer: { email: '', monitoring: { page: { url, title } } } })
    expect(await seenIn(chat.id)).toEqual({
      ...{ id: carl.id, type: 'customer', name: 'Customer', present: true, banned: false, online: true },
      monitoring: {
        current_visit: {
          start: expect.any(Number),
          pages: [
            { url: advert.slice(0, 2048), title: `Sale ${'x'.repeat(506)}`, start: expect.any(Number) },
            { url: 'https://shop.example/cart', title: 'Cart ', start: expect.any(Number) },
          ],
        },
        ...{ stats: { visits: 1, threads: 1, page_views: 2 }, ip: '127.0.0.1' },
      },
    })
  })

  test('is merged into what was known: what is absent or null stays, a property of null goes', async () => {
    const carl = await license.visit({
      customer: { name: 'Carl', email: 'c@example.com', properties: { a: '1', b: '2', c: '3' } },
    })
    await again(carl, {
      customer: { name: 'Carlos', email: null, properties: { a: null, b: '20', d: '4' } },
    })
    await again(carl)
    await again(carl, { customer: {} })
    await again(carl, { customer: null })
    expect(await itemOf(carl)).toMatchObject({
      ...{ name: 'Carlos', email: 'c@example.com' },
    })
    expect((await itemOf(carl))?.properties).toEqual({ b: '20', c: '3', d: '4' })
  })

  test('names it in what its other tabs do from then on', async () => {
    const carl = await license.visit({ customer: { name: 'Carl' } })
    const { chat } = await carl.client.ok('start_chat')
    await again(carl, { customer: { name: 'Carlos' } })
    await carl.client.ok('close_thread', { chat_id: chat.id })
    const { events } = (await carl.client.ok('get_chat_threads', { chat_id: chat.id })).chat.threads[0]
    expect(events.at(-1)).toMatchObject({ text: 'Carlos archived the chat' })
  })

  test('may fill every limit', async () => {
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
    const carl = await license.visit({ customer: { properties: numbered(50) } })
    const other = await license.arrive()
    expect(
      await other.refused('login', { token: carl.token, customer: { name: 'X', properties: { more: 'x' } } }),
    ).toEqual({
      ...invalid(),
      details: [{ path: 'payload.customer.properties', message: 'At most 50 properties' }],
    })
    expect(await itemOf(carl)).not.toHaveProperty('name')
    expect(await other.refused('get_chats_summary')).toEqual(notLoggedIn)
    // as many as there were
    await again(carl, { customer: { properties: { more: 'x', p0: null } } })
  })
})

const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, 'v']))
const urlOf = (bytes: number) => 'https://shop.example/'.padEnd(bytes, 'x')

describe('who is stored', () => {
  test('is nobody who tells nothing and never chats', async () => {
    const carl = await license.visit()
    await again(carl, { customer: { name: null, properties: null }, last_threads_limit: 3 })
    await carl.client.ok('get_chats_summary')
    await carl.client.close()
    await world.settled()
    await world.queue.flush()
    expect(await stored(carl.id)).toBeUndefined()
  })

  test('is who tells something, for 30 days from its last login', async () => {
    const carl = await license.visit({ customer: { name: 'Carl' } })
    const ttl = Number((await stored(carl.id))?.['ttl'])
    expect(ttl).toBeGreaterThanOrEqual(nowS() + 30 * dayS - 60)
    expect(ttl).toBeLessThanOrEqual(nowS() + 30 * dayS)
  })

  test('is who chats, for good', async () => {
    const told = await license.visit({ customer: { name: 'Carl' } })
    await told.client.ok('start_chat')
    const silent = await license.visit()
    await silent.client.ok('start_chat')
    for (const { id } of [told, silent]) {
      const item = await stored(id)
      expect(item).toMatchObject({ id, threads: 1, visits: 1, online: true })
      expect(item).not.toHaveProperty('ttl')
    }
    await again(silent, { customer: { name: 'Sil' } })
    expect(await stored(silent.id)).not.toHaveProperty('ttl')
  })
})

describe('logging in again on the same socket', () => {
  test('without a token, with its own, or many times at once is the same customer in one session', async () => {
    const carl = await license.visit()
    for (const payload of [undefined, { token: null }, { token: carl.token }])
      expect(await login(carl.client, payload)).toMatchObject({ customer_id: carl.id })
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => login(carl.client, { customer: { properties: { [`p${n}`]: 'x' } } })),
    )
    expect(new Set(answers.map(({ customer_id }) => customer_id))).toEqual(new Set([carl.id]))
    expect(await socketsOf(carl)).toHaveLength(1)
    expect(Object.keys((await itemOf(carl))?.properties ?? {})).toHaveLength(5)
  })

  test('as another customer, or with a bad token, is auth, and the session stays', async () => {
    const [carl, dora] = [await license.visit(), await license.visit()]
    const { chat } = await carl.client.ok('start_chat')
    for (const token of [dora.token, 'x'])
      expect(await carl.client.refused('login', { token })).toEqual(invalidToken)
    expect(await carl.client.ok('get_chats_summary')).toMatchObject({ chats_summary: [{ id: chat.id }] })
    expect(await socketsOf(dora)).toHaveLength(1)
  })
})

describe('the license of a login', () => {
  test('that has expired since the handshake is license_expired, after a bad token, until it is renewed', async () => {
    const { id, arrive } = await world.license({})
    const client = await arrive()
    await changeLicense(world.table, id, { expires_at: nowS() - 1 })
    expect(await client.refused('login', { token: 'x' })).toEqual(invalidToken)
    expect(await client.refused('login')).toEqual(licenseExpired)
    await changeLicense(world.table, id, { expires_at: nowS() + 600 })
    await login(client)
  })

  test('that has vanished since the handshake is license_not_found', async () => {
    const { id, arrive } = await world.license({})
    const client = await arrive()
    await world.table.write.write({ Delete: { Key: keys.license(id) } })
    expect(await client.refused('login')).toEqual({
      ...{ type: 'license_not_found', code: 404, message: 'License not found' },
    })
  })

  test('that ends while the customer chats closes its connections', async () => {
    const { id, visit } = await world.license({})
    const { client } = await visit()
    await client.ok('start_chat')
    await world.settled()
    await client.received()
    await changeLicense(world.table, id, { expires_at: nowS() - 1 })
    await world.settled()
    expect(await client.refused('get_chats_summary')).toEqual(licenseExpired)
    await world.queue.flush()
    expect(await client.next('customer_disconnected')).toEqual({ reason: 'license_expired' })
    await client.closing()
  })
})

describe('the connections of one customer', () => {
  const tooManyConnections = {
    ...{ type: 'too_many_connections', code: 429, message: 'Too many connections' },
  }
  /** A customer on so many tabs. */
  const withTabs = async (count: number): Promise<[Visitor, ...Visitor[]]> => {
    const tabs: [Visitor, ...Visitor[]] = [await license.visit()]
    while (tabs.length < count) tabs.push(await again(tabs[0]))
    return tabs
  }
  const losing = async (tabs: readonly Visitor[]) => {
    world.customers.setFaults({ disconnect: () => ({ lose: true }) })
    await Promise.all(tabs.map(({ client }) => client.close()))
    await world.settled()
    world.customers.setFaults({})
  }

  test(
    'are ten: the eleventh is refused, told why and closed, and the ten stay',
    { tags: ['full'] },
    async () => {
      // all of them are as new as can be, however slow this goes
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
      const [carl, ...others] = await withTabs(10)
      const isFull = async () => {
        const eleventh = await license.arrive()
        expect(await eleventh.refused('login', { token: carl.token })).toEqual(tooManyConnections)
        return eleventh
      }
      const eleventh = await isFull()
      expect(await eleventh.refused('get_chats_summary')).toEqual(notLoggedIn)
      expect(await eleventh.next('customer_disconnected')).toEqual({ reason: 'too_many_connections' })
      await eleventh.closing()
      await world.settled()
      expect(await socketsOf(carl)).toHaveLength(10)
      // logging in again is no connection more
      await login(carl.client, { token: carl.token })
      // another customer has ten of its own
      await license.visit()

      // one that is closed makes room
      await others.pop()?.client.close()
      await world.settled()
      await again(carl)
      expect(await socketsOf(carl)).toHaveLength(10)

      // and so do some that have gone without a `$disconnect`, unless they are new: of these nobody can tell
      await losing(others.slice(0, 2))
      const before = await socketsOf(carl)
      const there = world.customers.connections()
      const gone = before.filter(({ connection }) => !there.includes(connection))
      expect([before.length, gone.length]).toEqual([10, 2])
      await isFull()
      await agedRows(world, before)
      await again(carl)
      expect(await socketsOf(carl)).toHaveLength(9)
      for (const { connection } of gone)
        expect(await world.table.read.get(keys.socket(connection), { strong: true })).toBeUndefined()
      await again(carl)
      await isFull()
    },
  )

  test('make room for all who come back at once after their tabs have died', { tags: ['full'] }, async () => {
    const tabs = await withTabs(6)
    const [carl] = tabs
    await losing(tabs)
    await agedRows(world, await socketsOf(carl))

    const back = await Promise.all(tabs.map(() => license.arrive()))
    await Promise.all(back.map((tab) => login(tab, { token: carl.token })))
    const live = (await socketsOf(carl)).filter(({ ended }) => ended === undefined)
    expect(live.length).toBeGreaterThanOrEqual(6)
    await Promise.all(back.map((tab) => tab.ok('ping')))
  })

  test('are ten at the most, also where many log in at once', { tags: ['full'] }, async () => {
    const carl = await license.visit()
    const tabs = await Promise.all(Array.from({ length: 14 }, () => license.arrive()))
    const answers = await Promise.all(tabs.map((tab) => tab.call('login', { token: carl.token })))
    const live = (await socketsOf(carl)).filter(({ ended }) => ended === undefined)
    expect(live.length).toBeLessThanOrEqual(10)
    expect(answers.filter(({ success }) => success).length + 1).toBe(live.length)
    for (const [i, { success }] of answers.entries()) if (!success) await tabs[i]?.closing()
  })
})

test('an event of the moment in which a login runs is in its answer or pushed soon after', async () => {
  const carl = await license.visit()
  const { chat } = await carl.client.ok('start_chat')
  expect(chat.id).toBe(customerChatId(license.id, carl.id))
  for (let i = 0; i < 3; i += 1) {
    const tab = await license.arrive()
    const [answer, { event }] = await Promise.all([
      login(tab, { token: carl.token }),
      say(ann, chat.id, message(`at login ${i}`)),
    ])
    const newest = answer.last_chats_summary[0].last_event_per_type.events.message
    if (newest?.id !== event.id) await tab.eventually('incoming_event', (push) => push.event.id === event.id)
  }
})
