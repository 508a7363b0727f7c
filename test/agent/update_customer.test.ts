import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { addCustomer, customerItem } from '../support/customers.ts'
import { denied, invalid, notFound } from '../support/wire-errors.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => {
  world.proxy.setFault(undefined)
  world.proxy.setDelay(0)
})

const action = 'update_customer'
const push = 'customer_updated'
const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, 'v']))
const known = { name: 'Carl', email: 'carl@example.com', properties: { plan: 'gold', size: 'L' } }

/** Agents, of whom one has no access to the chat of a customer who has two tabs. */
const withCarl = async ({ scopes = { groups: [1] } as object, details = known as object } = {}) => {
  const license = await world.license(
    { ann: { groups: [1] }, ben: {}, cleo: { permission: 'owner' } },
    { groups: ['A'] },
  )
  const [ann, ben, cleo] = [
    await license.login('ann'),
    await license.login('ben'),
    await license.login('cleo'),
  ]
  const carl = await license.visit({ customer: details })
  const { client: tab } = await license.visit({ token: carl.token })
  const { chat } = await carl.client.ok('start_chat', { chat: { scopes } })
  await calm(world)
  for (const client of [ann, ben, cleo, carl.client, tab]) await client.received()
  return { license, ann, ben, cleo, carl, tab, chat_id: chat.id as string, customer_id: carl.id }
}
const update = async (client: Client, customer_id: string, customer: object) =>
  (await client.ok(action, { customer_id, customer })).customer
const item = ({ id }: License, customer: string) => customerItem(world, id, customer)

describe('update_customer by an agent', () => {
  test('merges, answers the customer as it then is, and tells agents with access and its own tabs', async () => {
    const { license, ann, ben, cleo, carl, tab, chat_id, customer_id } = await withCarl()
    const customer = await update(ann, customer_id, {
      ...{ email: 'carla@example.com', properties: { size: null, lang: 'no' } },
    })
    const own = {
      ...{ id: customer_id, type: 'customer', name: 'Carl', email: 'carla@example.com' },
      properties: { plan: 'gold', lang: 'no' },
    }
    expect(customer).toMatchObject({ ...own, present: true, banned: false, online: true })
    for (const client of [ann, cleo]) {
      expect(await client.next(push)).toEqual({ chat_id, customer })
      await client.receivesNothing()
    }
    for (const page of [carl.client, tab]) {
      expect(await page.next(push)).toEqual({ chat_id, customer: own })
      await page.receivesNothing()
    }
    await ben.receivesNothing()
    const { name, email, properties } = own
    expect(await item(license, customer_id)).toMatchObject({ name, email, properties })
    const { users } = (await cleo.ok('get_chat_threads', { chat_id })).chat
    expect(users).toContainEqual(customer)
  })

  test('names the customer in what the server says of it from then on', async () => {
    const { ann, carl, chat_id, customer_id } = await withCarl()
    await update(ann, customer_id, { name: 'Carla' })
    await carl.client.ok('close_thread', { chat_id })
    const { event } = await ann.eventually('incoming_event')
    expect(event).toMatchObject({ text: 'Carla archived the chat' })
  })

  test('takes a name or an e-mail away where it is empty; the customer names itself again', async () => {
    const { license, ann, carl, tab, chat_id, customer_id } = await withCarl()
    const customer = await update(ann, customer_id, { name: '', email: '' })
    const own = { id: customer_id, type: 'customer', name: 'Customer', properties: known.properties }
    expect(customer).toMatchObject(own)
    expect(customer).not.toHaveProperty('email')
    expect(await ann.next(push)).toEqual({ chat_id, customer })
    for (const page of [carl.client, tab]) expect(await page.next(push)).toEqual({ chat_id, customer: own })
    const stored = await item(license, customer_id)
    expect([stored?.name, stored?.email]).toEqual([undefined, undefined])
    await update(ann, customer_id, { name: '', email: '' })
    await ann.receivesNothing()
    // what its browser has not filled in says nothing
    await carl.client.ok('update_customer', { customer: { name: 'Carla', email: '' } })
    await carl.client.ok('update_customer', { customer: { name: '' } })
    expect((await ann.ok('get_customer', { customer_id })).customer.name).toBe('Carla')
    await update(ann, customer_id, { name: '' })
    await carl.client.ok('close_thread', { chat_id })
    const { event } = await ann.eventually('incoming_event')
    expect(event).toMatchObject({ text: 'Customer archived the chat' })
  })

  test('that changes nothing pushes nothing', async () => {
    const { license, ann, cleo, carl, customer_id } = await withCarl()
    const before = await item(license, customer_id)
    for (const same of [{}, known, { name: null, email: null, properties: { nosuch: null, plan: 'gold' } }])
      expect(await update(cleo, customer_id, same)).toMatchObject(known)
    for (const client of [ann, cleo, carl.client]) await client.receivesNothing()
    expect(await item(license, customer_id)).toEqual(before)
  })

  test('leaves its visits alone', async () => {
    const page = { url: 'https://shop.example/' }
    const { license, ann, customer_id } = await withCarl({ details: { ...known, monitoring: { page } } })
    const before = (await item(license, customer_id))!
    const monitoring = { page: { url: 'https://other.example/' } }
    await update(ann, customer_id, { name: 'Carla', monitoring })
    const { name, version, changed_at, nonce, ...rest } = (await item(license, customer_id))!
    const { name: _, version: read, changed_at: __, nonce: ___, ...same } = before
    expect([name, version, rest]).toEqual(['Carla', read + 1, same])
    expect([changed_at, nonce]).not.toEqual([before.changed_at, before.nonce])
  })

  test('without an active chat tells its own tabs alone; one that never chatted is every agent’s to mend', async () => {
    const { license, ann, ben, carl, tab, chat_id, customer_id } = await withCarl()
    await ann.ok('close_thread', { chat_id })
    for (const client of [ann, carl.client, tab]) await client.received()
    await update(ann, customer_id, { name: 'Carla' })
    expect(await tab.next(push)).toMatchObject({ chat_id, customer: { name: 'Carla' } })
    await ann.receivesNothing()
    const dora = await license.visit({ customer: { name: 'Dora' } })
    expect(await update(ben, dora.id, { email: 'dora@example.com' })).toMatchObject({
      ...{ name: 'Dora', email: 'dora@example.com', present: false },
    })
    expect(await dora.client.next(push)).toMatchObject({ customer: { email: 'dora@example.com' } })
    for (const client of [ann, ben]) await client.receivesNothing()
  })

  test('mends a banned one, whose ban stays', async () => {
    const { license, ann, customer_id } = await withCarl({ scopes: {} })
    await ann.ok('ban_customer', { customer_id, ban: { days: 3 } })
    expect(await update(ann, customer_id, { name: 'Carla' })).toMatchObject({ name: 'Carla', banned: true })
    const ban = { days: 1, until: Math.floor(Date.now() / 1000) + 1000, by: 'ann' }
    // it never chatted, and would be forgotten but for its ban
    await addCustomer(world, license.id, 'dora', { ban })
    await update(ann, 'dora', { name: 'Dora' })
    const stored = await item(license, 'dora')
    expect(stored).toMatchObject({ name: 'Dora', ban })
    expect(stored).not.toHaveProperty('ttl')
  })

  test('is held to the limits of what a customer says of itself', async () => {
    const { ann, carl, customer_id } = await withCarl()
    const refused = (customer: unknown) => ann.refused(action, { customer_id, customer })
    expect(await refused({ properties: numbered(49) })).toEqual({
      ...invalid('payload.customer.properties'),
      details: [{ path: 'payload.customer.properties', message: 'At most 50 properties' }],
    })
    expect(await refused({ properties: { long: 'x'.repeat(4080) } })).toEqual(
      invalid('payload.customer.properties'),
    )
    expect(await refused({ name: 'x'.repeat(257) })).toEqual(invalid('payload.customer.name'))
    await carl.client.receivesNothing()
  })

  test('is refused without access, and without its token scope', async () => {
    const { license, ben, carl, customer_id } = await withCarl()
    const refusal = denied('You are not allowed to update this customer.')
    const payload = { customer_id, customer: { name: 'Carla' } }
    expect(await ben.refused(action, payload)).toEqual(refusal)
    const reader = await license.login('cleo', {}, { scope: 'customers:read customers.ban:write' })
    expect(await reader.refused(action, payload)).toEqual(refusal)
    await carl.client.receivesNothing()
  })

  test('finds none that is not stored, none that was erased, and none of another license', async () => {
    const { license, ann, customer_id } = await withCarl()
    const until = Math.floor(Date.now() / 1000) + 1000
    await addCustomer(world, license.id, 'gone', {
      ...{ erased_at: Date.now(), ban: { days: 0, until, by: '' } },
    })
    const { id: silent } = await license.visit()
    for (const id of ['nosuch', 'gone', 'ann', silent])
      expect([id, await ann.refused(action, { customer_id: id, customer: { name: 'X' } })]).toEqual([
        ...[id, notFound],
      ])
    expect(await item(license, 'nosuch')).toBeUndefined()
    const stranger = await (await world.license({ eve: { permission: 'owner' } })).login('eve')
    expect(await stranger.refused(action, { customer_id, customer: { name: 'X' } })).toEqual(notFound)
  })
})

describe('update_customer by an agent and by the customer at once', () => {
  test('keeps both where the fields differ, and tells both sides what came of it', async () => {
    const { license, ann, carl, tab, customer_id } = await withCarl()
    world.proxy.setDelay(3)
    const changes = Array.from({ length: 6 }, (_, i) => [
      ann.ok(action, { customer_id, customer: { properties: { [`agent${i}`]: 'a' } } }),
      carl.client.ok(action, { customer: { properties: { [`own${i}`]: 'o' } } }),
    ])
    await Promise.all([...changes.flat(), ann.ok(action, { customer_id, customer: { name: 'Carla' } })])
    world.proxy.setDelay(0)
    const six = (name: string, value: string) =>
      Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`${name}${i}`, value]))
    const expected = {
      ...{ name: 'Carla', email: 'carl@example.com' },
      properties: { ...known.properties, ...six('agent', 'a'), ...six('own', 'o') },
    }
    expect(await item(license, customer_id)).toMatchObject(expected)
    // what a customer repeats is told a second later
    await calm(world)
    for (const client of [ann, tab]) {
      const told = (await client.received()).filter((one) => one.action === push)
      expect(told.map(({ payload }: any) => payload.customer)).toContainEqual(
        expect.objectContaining(expected),
      )
    }
  })

  test('of one field the later stands', async () => {
    const { license, ann, carl, customer_id } = await withCarl()
    // the customer's change comes between what the agent's request reads and what it writes
    const held = Promise.withResolvers<undefined>()
    const reached = Promise.withResolvers<undefined>()
    let isFirst = true
    world.proxy.setFault(({ operation, request }) => {
      const isOwn = operation === 'UpdateItem' && JSON.stringify(request).includes('agent@example.com')
      if (!isOwn || !isFirst) return undefined
      isFirst = false
      reached.resolve(undefined)
      return held.promise
    })
    const mended = ann.ok(action, { customer_id, customer: { email: 'agent@example.com' } })
    await reached.promise
    await carl.client.ok(action, { customer: { name: 'Carolus', email: 'own@example.com' } })
    held.resolve(undefined)
    expect((await mended).customer).toMatchObject({ name: 'Carolus', email: 'agent@example.com' })
    expect(await item(license, customer_id)).toMatchObject({ name: 'Carolus', email: 'agent@example.com' })
  })

  test('writes once, and pushes once, through an answer that is lost', async () => {
    const { ann, cleo, carl, customer_id } = await withCarl()
    const left = [{ reset: true, afterWrite: true }]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'UpdateItem' && JSON.stringify(request).includes('Carla') ? left.shift() : undefined,
    )
    await update(ann, customer_id, { properties: { called: 'Carla' } })
    expect(left).toEqual([])
    const told = { customer: { properties: { called: 'Carla' } } }
    expect([await cleo.next(push), await carl.client.next(push)]).toMatchObject([told, told])
    for (const client of [cleo, carl.client]) await client.receivesNothing()
  })
})
