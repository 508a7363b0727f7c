import { beforeAll, describe, expect, test } from 'vitest'
import { addCustomer, startCustomerChat } from '../support/customers.ts'
import { denied, notFound } from '../support/wire-errors.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

const action = 'get_customer'
const refusal = denied('You are not allowed to see this customer.')

const staffed = async () => {
  const license = await world.license(
    { ann: {}, ben: { groups: [1] }, cleo: { permission: 'owner' } },
    { groups: ['A'] },
  )
  return { license, ann: await license.login('ann') }
}
const chatOf = async (license: License, id: string, scopes: object = {}) => {
  await addCustomer(world, license.id, id, { name: 'Carl' })
  return startCustomerChat(world, license.id, id, { scopes })
}

describe('get_customer', () => {
  test('answers the customer as its chat shows it, with the chat while that is active', async () => {
    const { license, ann } = await staffed()
    const details = { name: 'Carl', email: 'carl@example.com', properties: { plan: 'gold' } }
    const page = { url: 'https://shop.example/', title: 'Shop' }
    const carl = await license.visit({ customer: { ...details, monitoring: { page, timezone: 'UTC' } } })
    const { chat } = await carl.client.ok('start_chat', {
      chat: { events: [{ type: 'message', text: 'hi' }] },
    })
    const { customer } = await ann.ok(action, { customer_id: carl.id })
    expect(customer).toEqual({
      ...{ id: carl.id, type: 'customer', ...details, active_chat_id: chat.id },
      ...{ present: true, banned: false, online: true, last_seen_timestamp: expect.any(Number) },
      monitoring: {
        current_visit: {
          start: expect.any(Number),
          pages: [{ ...page, start: expect.any(Number) }],
        },
        stats: { visits: 1, threads: 1, page_views: 1 },
        ...{ ip: '127.0.0.1', geolocation: { timezone: 'UTC' } },
      },
    })
    const { active_chat_id: _, ...user } = customer
    const { users } = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    expect(users).toContainEqual(user)

    await ann.ok('close_thread', { chat_id: chat.id })
    expect((await ann.ok(action, { customer_id: carl.id })).customer).toEqual(user)
    await ann.ok('remove_from_chat', { chat_id: chat.id, customer_ids: [carl.id] })
    await ann.ok('ban_customer', { customer_id: carl.id, ban: { days: 1 } })
    expect((await ann.ok(action, { customer_id: carl.id })).customer).toMatchObject({
      ...{ present: false, banned: true },
    })
  })

  test('answers one that never chatted to every agent', async () => {
    const { license, ann } = await staffed()
    const dora = await license.visit({ customer: { name: 'Dora' } })
    const { customer } = await ann.ok(action, { customer_id: dora.id })
    expect(customer).toMatchObject({ id: dora.id, name: 'Dora', present: false, online: true })
    expect(customer).not.toHaveProperty('active_chat_id')
  })

  test('is refused without access to the chat, active or not', async () => {
    const { license, ann } = await staffed()
    const chat_id = await chatOf(license, 'carl', { groups: [1] })
    const [ben, cleo] = [await license.login('ben'), await license.login('cleo')]
    for (const isActive of [true, false]) {
      expect(await ann.refused(action, { customer_id: 'carl' })).toEqual(refusal)
      for (const client of [ben, cleo]) {
        const { customer } = await client.ok(action, { customer_id: 'carl' })
        expect([customer.name, customer.active_chat_id]).toEqual(['Carl', isActive ? chat_id : undefined])
      }
      if (isActive) await cleo.ok('close_thread', { chat_id })
    }
  })

  test('is refused to a token without its scope', async () => {
    const { license } = await staffed()
    await chatOf(license, 'carl')
    const may = async (scope: string) =>
      (await (await license.login('cleo', {}, { scope })).call(action, { customer_id: 'carl' })).success
    expect(await may('customers:read')).toBe(true)
    for (const scope of ['customers:write', 'customers.ban:write', 'chats--all:read'])
      expect([scope, await may(scope)]).toEqual([scope, false])
  })

  test('finds none that is not stored, and none of another license', async () => {
    const { license, ann } = await staffed()
    const stranger = await (await world.license({ eve: { permission: 'owner' } })).login('eve')
    await chatOf(license, 'carl')
    // it has told nothing of itself
    const { id: silent } = await license.visit()
    for (const customer_id of ['nosuch', 'Carl', 'carl ', 'ann', silent, '#', '__proto__'])
      expect([customer_id, await ann.refused(action, { customer_id })]).toEqual([customer_id, notFound])
    expect(await stranger.refused(action, { customer_id: 'carl' })).toEqual(notFound)
  })
})
