import { describe, expect, test } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { customerItem } from '../support/customers.ts'
import { type License, startWorld, type Visitor } from '../support/world.ts'

// delayed jobs stay out of these tests
const world = await startWorld({ delayScale: 1000 })

const message = (text: string) => ({ type: 'message', text })
const update = ({ client }: Visitor, customer: object) => client.ok('update_customer', { customer })
const refused = ({ client }: Visitor, customer: unknown) => client.refused('update_customer', { customer })
const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, 'v']))

/** A customer in an active chat with ann; ben is of the licence, and eve of another. */
const chatting = async (payload: object = {}) => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const carl = await license.visit(payload)
  const { chat } = await carl.client.ok('start_chat')
  await world.settled()
  for (const client of [ann, ben, carl.client]) await client.received()
  return { license, ann, ben, carl, chat }
}
const itemOf = ({ id }: License, { id: customer }: Visitor) => customerItem(world, id, customer)

describe('update_customer', () => {
  test('merges, answers the customer as it then is, and tells the agents who see its chat', async () => {
    const { license, ann, ben, carl, chat } = await chatting({
      customer: { name: 'Carl', properties: { a: '1', b: '2' } },
    })
    const { customer } = await update(carl, {
      ...{ email: 'carl@example.com', properties: { a: null, c: '3' } },
      monitoring: { page: { url: 'https://shop.example/', title: 'Shop' }, timezone: 'Europe/Oslo' },
    })
    expect(customer).toEqual({
      ...{ id: carl.id, type: 'customer', name: 'Carl', email: 'carl@example.com' },
      properties: { b: '2', c: '3' },
    })
    for (const client of [ann, ben]) {
      expect(await client.next('customer_updated')).toEqual({
        chat_id: chat.id,
        customer: {
          ...customer,
          ...{ present: true, banned: false, online: true },
          monitoring: {
            current_visit: {
              started_timestamp: expect.any(Number),
              last_pages: [
                { url: 'https://shop.example/', title: 'Shop', opened_timestamp: expect.any(Number) },
              ],
            },
            stats: { visits_count: 1, threads_count: 1 },
            ...{ ip: '127.0.0.1', timezone: 'Europe/Oslo' },
          },
        },
      })
      await client.receivesNothing()
    }
    await carl.client.receivesNothing()
    expect(await itemOf(license, carl)).toMatchObject({ name: 'Carl', email: 'carl@example.com' })
  })

  test('tells no agent without access, and none of another licence', async () => {
    const license = await world.license(
      { ann: { groups: [1] }, ben: { groups: [2] } },
      { groups: ['A', 'B'] },
    )
    const stranger = await (await world.license({ eve: { permission: 'owner' } })).login('eve')
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const carl = await license.visit()
    await carl.client.ok('start_chat', { chat: { scopes: { groups: [1] } } })
    await world.settled()
    for (const client of [ann, ben]) await client.received()
    await update(carl, { name: 'Carl' })
    expect(await ann.next('customer_updated')).toMatchObject({ customer: { name: 'Carl' } })
    await ben.receivesNothing()
    await stranger.receivesNothing()
  })

  test('tells nobody where the chat is not active, or there is none', async () => {
    const { license, ann, carl, chat } = await chatting()
    await carl.client.ok('close_thread', { chat_id: chat.id })
    await ann.received()
    await update(carl, { name: 'Carl' })
    await update(await license.visit(), { name: 'Dora' })
    await ann.receivesNothing()
    // whoever looks sees it all the same
    const { users } = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    expect(users).toContainEqual(expect.objectContaining({ id: carl.id, name: 'Carl' }))
  })

  test('that changes nothing writes and pushes nothing', async () => {
    const { license, ann, carl } = await chatting({
      customer: { name: 'Carl', properties: { a: '1', b: '2' }, monitoring: { timezone: 'UTC' } },
    })
    const before = await itemOf(license, carl)
    for (const customer of [
      {},
      { name: 'Carl' },
      { name: null, email: null, properties: null, monitoring: null },
      { properties: { b: '2', a: '1', gone: null } },
      { monitoring: { timezone: 'UTC' } },
      { unknown: 'x', banned: true },
    ])
      expect((await update(carl, customer)).customer).toEqual({
        ...{ id: carl.id, type: 'customer', name: 'Carl', properties: { a: '1', b: '2' } },
      })
    expect(await itemOf(license, carl)).toEqual(before)
    await ann.receivesNothing()
  })

  test('stores who was not stored yet, for 30 days', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    expect(await itemOf(license, carl)).toBeUndefined()
    expect(await update(carl, { properties: { a: '1' } })).toEqual({
      customer: { id: carl.id, type: 'customer', name: 'Customer', properties: { a: '1' } },
    })
    const item = await world.table.read.get(keys.customer(license.id, carl.id), { strong: true })
    expect(item).toMatchObject({ properties: { a: '1' }, visits: 1, online: true })
    expect(Number(item?.['ttl']) - Date.now() / 1000).toBeGreaterThan(30 * 24 * 3600 - 60)
  })

  test('names the customer in what is said of it from then on, by any of its tabs', async () => {
    const { license, ann, carl, chat } = await chatting()
    const other = await license.visit({ token: carl.token })
    await update(carl, { name: 'Carl' })
    await ann.next('customer_updated')
    await other.client.ok('close_thread', { chat_id: chat.id })
    expect(await ann.next('incoming_event')).toMatchObject({
      event: { system_message_type: 'manual_archived', text: 'Carl archived the chat' },
    })
  })

  test('is a customer’s own: another stays as it is', async () => {
    const license = await world.license({})
    const [carl, dora] = [
      await license.visit({ customer: { name: 'Carl' } }),
      await license.visit({ customer: { name: 'Dora' } }),
    ]
    expect(await update(carl, { id: dora.id, name: 'X' })).toMatchObject({ customer: { id: carl.id } })
    expect(await itemOf(license, dora)).toMatchObject({ name: 'Dora' })
  })

  test('many at once are all merged', async () => {
    const license = await world.license({})
    const carl = await license.visit()
    const names = Array.from({ length: 8 }, (_, i) => `p${i}`)
    await Promise.all(names.map((name) => update(carl, { properties: { [name]: name } })))
    expect((await itemOf(license, carl))?.properties).toEqual(Object.fromEntries(names.map((n) => [n, n])))
  })

  test('is shown in the customer’s own chat', async () => {
    const { carl, chat } = await chatting()
    await update(carl, { name: 'Carl', email: 'c@example.com', properties: { a: '1' } })
    const { users } = (await carl.client.ok('get_chat_threads', { chat_id: chat.id })).chat
    expect(users[0]).toEqual({
      ...{ id: carl.id, type: 'customer', name: 'Carl', email: 'c@example.com', present: true },
      properties: { a: '1' },
    })
  })
})

describe('update_customer refuses', () => {
  const invalid = (path: string, text: unknown = expect.any(String)) => ({
    ...{ type: 'validation', code: 400, message: 'Wrong format of request' },
    details: [{ path: `payload.${path}`, message: text }],
  })

  test('a connection that is not logged in', async () => {
    const client = await (await world.license({})).arrive()
    expect(await client.refused('update_customer', { customer: { name: 'X' } })).toEqual({
      ...{ type: 'auth', code: 401, message: 'Not logged in' },
    })
  })

  test.each([undefined, null, 'Carl', 5, []])('customer: %j', async (customer) => {
    const carl = await (await world.license({})).visit()
    expect(await refused(carl, customer)).toEqual(invalid('customer'))
  })

  test.each<[string, object, string, string?]>([
    ['a name of 257 bytes', { name: 'x'.repeat(257) }, 'name', 'Too long: at most 256 bytes of UTF-8'],
    ['an empty name', { name: '' }, 'name', 'Must not be empty'],
    ['an email of 257 bytes', { email: 'x'.repeat(257) }, 'email'],
    ['a property that is a number', { properties: { a: 5 } }, 'properties.a'],
    ['a property that is true', { properties: { a: true } }, 'properties.a'],
    ['a property without a name', { properties: { '': 'x' } }, 'properties.'],
    ['51 properties', { properties: numbered(51) }, 'properties', 'At most 50 properties'],
    [
      'more than 4 KiB of properties',
      { properties: { a: 'x'.repeat(2100), b: 'x'.repeat(2100) } },
      'properties',
      'At most 4096 bytes in all',
    ],
    [
      'a page that is no url',
      { monitoring: { page: { url: '/cart' } } },
      'monitoring.page.url',
      'Must be the whole address of a page: http or https',
    ],
    ['a referrer that is none', { monitoring: { page: { referrer: 'x' } } }, 'monitoring.page.referrer'],
    ['a timezone that is none', { monitoring: { timezone: 2 } }, 'monitoring.timezone'],
  ])('%s, saying where', async (_what, customer, path, text) => {
    const carl = await (await world.license({})).visit()
    expect(await refused(carl, customer)).toEqual(invalid(`customer.${path}`, text))
  })

  test('properties that would be too many or too large after merging', async () => {
    const license = await world.license({})
    const carl = await license.visit({ customer: { properties: numbered(50) } })
    expect(await refused(carl, { properties: { more: 'x' } })).toEqual(
      invalid('customer.properties', 'At most 50 properties'),
    )
    const dora = await license.visit({ customer: { properties: { a: 'x'.repeat(4000) } } })
    expect(await refused(dora, { properties: { b: 'x'.repeat(100) } })).toEqual(
      invalid('customer.properties', 'At most 4096 bytes in all'),
    )
    await update(dora, { properties: { a: null, b: 'x'.repeat(4000) } })
  })

  test('a customer that is banned, with its own sentence, and changes nothing', async () => {
    const { license, ann, carl } = await chatting({ customer: { name: 'Carl' } })
    await ann.ok('ban_customer', { customer_id: carl.id, ban: { days: 1 } })
    expect(await refused(carl, { name: 'X' })).toEqual({
      ...{ type: 'authorization', code: 403, message: 'You are not allowed to update this customer.' },
    })
    expect(await itemOf(license, carl)).toMatchObject({ name: 'Carl' })
  })

  test('nobody who is in the chat no more, or whose chat is closed', async () => {
    const { ann, carl, chat } = await chatting()
    await ann.ok('remove_from_chat', { chat_id: chat.id, customer_ids: [carl.id] })
    await update(carl, { name: 'Carl' })
    await carl.client.ok('start_chat', { chat: { thread: { events: [message('back')] } } })
    expect(await update(carl, { email: 'c@example.com' })).toMatchObject({ customer: { name: 'Carl' } })
  })
})
