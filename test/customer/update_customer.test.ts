import { beforeAll, describe, expect, test } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { customerItem } from '../support/customers.ts'
import { message } from '../support/events.ts'
import { invalid } from '../support/wire-errors.ts'
import { type License, sharedWorld, type Visitor, type World } from '../support/world.ts'

let world: World
/**
 * Where all customers here come to; ann is given each of their chats, ben sees those of group 2 and those
 * open to all.
 */
let license: License
let ann: Client
let ben: Client
beforeAll(async () => {
  // delayed jobs stay out of these tests
  world = await sharedWorld({ delayScale: 1000 })
  license = await world.license(
    {
      ann: { groups: [1], max_chats: 1000 },
      ben: { groups: [2], default_status: 'not_accepting_chats' },
    },
    { groups: ['A', 'B'] },
  )
  ann = await license.login('ann')
  ben = await license.login('ben')
})

const update = ({ client }: Visitor, customer: object) => client.ok('update_customer', { customer })
const refused = ({ client }: Visitor, customer: unknown) => client.refused('update_customer', { customer })
const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, 'v']))

/** A customer in an active chat with ann. */
const chatting = async (payload: object = {}, scopes: object = {}) => {
  const carl = await license.visit(payload)
  const { chat } = await carl.client.ok('start_chat', { chat: { scopes } })
  await world.settled()
  for (const client of [ann, ben, carl.client]) await client.received()
  return { carl, chat }
}
const itemOf = ({ id }: Visitor) => customerItem(world, license.id, id)

describe('update_customer', () => {
  test('merges, answers the customer as it then is, and tells the agents who see its chat', async () => {
    const { carl, chat } = await chatting({
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
              start: expect.any(Number),
              pages: [{ url: 'https://shop.example/', title: 'Shop', start: expect.any(Number) }],
            },
            stats: { visits: 1, threads: 1, page_views: 1 },
            ...{ ip: '127.0.0.1', geolocation: { timezone: 'Europe/Oslo' } },
          },
        },
      })
      await client.receivesNothing()
    }
    expect(await carl.client.next('customer_updated')).toEqual({ chat_id: chat.id, customer })
    await carl.client.receivesNothing()
    expect(await itemOf(carl)).toMatchObject({ name: 'Carl', email: 'carl@example.com' })
    // a form that was left empty takes nothing away
    expect(await update(carl, { name: '', email: '' })).toEqual({ customer })
    expect(await itemOf(carl)).toMatchObject({ name: 'Carl', email: 'carl@example.com' })
  })

  test('tells no agent without access, and none of another license', async () => {
    const stranger = await (await world.license({ eve: { permission: 'owner' } })).login('eve')
    const { carl } = await chatting({}, { groups: [1] })
    await update(carl, { name: 'Carl' })
    expect(await ann.next('customer_updated')).toMatchObject({ customer: { name: 'Carl' } })
    await ben.receivesNothing()
    await stranger.receivesNothing()
  })

  test('tells nobody where the chat is not active, or there is none', async () => {
    const { carl, chat } = await chatting()
    await carl.client.ok('close_thread', { chat_id: chat.id })
    await ann.received()
    await update(carl, { name: 'Carl' })
    await update(await license.visit(), { name: 'Dora' })
    await ann.receivesNothing()
    // whoever looks sees it all the same
    const { users } = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    expect(users).toContainEqual(expect.objectContaining({ id: carl.id, name: 'Carl' }))
  })

  test('tells every tab of the customer, and no other customer, also where it has no active chat', async () => {
    const [carl, dora] = [await license.visit(), await license.visit()]
    const second = await license.visit({ token: carl.token })
    const tabs = [carl, second]
    const told = async (by: Visitor, details: object) => {
      const { customer } = await update(by, details)
      for (const { client } of tabs) {
        expect(await client.next('customer_updated')).toEqual({ chat_id: expect.any(String), customer })
        await client.receivesNothing()
      }
      await dora.client.receivesNothing()
    }
    await told(carl, { name: 'Carl', monitoring: { page: { url: 'https://shop.example/' } } })
    await told(second, { properties: { a: '1' } })
    // where it is is shown to agents alone
    await update(carl, { monitoring: { page: { url: 'https://shop.example/2' } } })
    for (const { client } of tabs) await client.receivesNothing()

    // a login tells the tabs that were there
    const later = await license.visit({ token: carl.token, customer: { name: 'Carlo' } })
    await later.client.receivesNothing()
    for (const { client } of tabs)
      expect(await client.next('customer_updated')).toMatchObject({
        customer: { id: carl.id, name: 'Carlo', properties: { a: '1' } },
      })
    await license.visit({ token: carl.token, customer: { name: 'Carlo' } })
    for (const { client } of [later, ...tabs]) await client.receivesNothing()
    await ann.receivesNothing()
  })

  test('that changes nothing writes and pushes nothing', async () => {
    const { carl } = await chatting({
      customer: { name: 'Carl', properties: { a: '1', b: '2' }, monitoring: { timezone: 'UTC' } },
    })
    const before = await itemOf(carl)
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
    expect(await itemOf(carl)).toEqual(before)
    await ann.receivesNothing()
  })

  test('stores who was not stored yet, for 30 days', async () => {
    const carl = await license.visit()
    expect(await itemOf(carl)).toBeUndefined()
    expect(await update(carl, { properties: { a: '1' } })).toEqual({
      customer: { id: carl.id, type: 'customer', name: 'Customer', properties: { a: '1' } },
    })
    const item = await world.table.read.get(keys.customer(license.id, carl.id), { strong: true })
    expect(item).toMatchObject({ properties: { a: '1' }, visits: 1, online: true })
    expect(Number(item?.['ttl']) - Date.now() / 1000).toBeGreaterThan(30 * 24 * 3600 - 60)
  })

  test('names the customer in what is said of it from then on, by any of its tabs', async () => {
    const { carl, chat } = await chatting()
    const other = await license.visit({ token: carl.token })
    await update(carl, { name: 'Carl' })
    await ann.next('customer_updated')
    await other.client.ok('close_thread', { chat_id: chat.id })
    expect(await ann.next('incoming_event')).toMatchObject({
      event: { system_message_type: 'manual_archived', text: 'Carl archived the chat' },
    })
  })

  test('is a customer’s own: another stays as it is', async () => {
    const [carl, dora] = [
      await license.visit({ customer: { name: 'Carl' } }),
      await license.visit({ customer: { name: 'Dora' } }),
    ]
    expect(await update(carl, { id: dora.id, name: 'X' })).toMatchObject({ customer: { id: carl.id } })
    expect(await itemOf(dora)).toMatchObject({ name: 'Dora' })
  })

  test('many at once are all merged', async () => {
    const carl = await license.visit()
    const names = Array.from({ length: 8 }, (_, i) => `p${i}`)
    await Promise.all(names.map((name) => update(carl, { properties: { [name]: name } })))
    expect((await itemOf(carl))?.properties).toEqual(Object.fromEntries(names.map((n) => [n, n])))
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
  const tooMuch = (text: string) => ({
    ...invalid(),
    details: [{ path: 'payload.customer.properties', message: text }],
  })

  test('properties that would be too many or too large after merging', async () => {
    const carl = await license.visit({ customer: { properties: numbered(50) } })
    expect(await refused(carl, { properties: { more: 'x' } })).toEqual(tooMuch('At most 50 properties'))
    const dora = await license.visit({ customer: { properties: { a: 'x'.repeat(4000) } } })
    expect(await refused(dora, { properties: { b: 'x'.repeat(100) } })).toEqual(
      tooMuch('At most 4096 bytes in all'),
    )
    await update(dora, { properties: { a: null, b: 'x'.repeat(4000) } })
  })

  test('nobody who is in the chat no more, or whose chat is closed', async () => {
    const { carl, chat } = await chatting()
    await ann.ok('remove_from_chat', { chat_id: chat.id, customer_ids: [carl.id] })
    await update(carl, { name: 'Carl' })
    await carl.client.ok('start_chat', { chat: { thread: { events: [message('back')] } } })
    expect(await update(carl, { email: 'c@example.com' })).toMatchObject({ customer: { name: 'Carl' } })
  })
})
