import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Ban } from '../../shared/table/customers.ts'
import { isBanned } from '../../shared/table/customers.ts'
import { testAtSteps } from '../races/holding.ts'
import { addCustomer, customerItem, startCustomerChat } from '../support/customers.ts'
import { conflictOf, type Fault } from '../support/engine-proxy.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const nowS = () => Math.floor(Date.now() / 1000)
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
/** Customers of its tests have ids of their own. */
const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  return { license, ann: await license.login('ann'), ben: await license.login('ben') }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
let customers = 0
/** The license that tests share, its pushes forgotten, and a customer who is banned for so many seconds. */
const withBanned = async (seconds: number) => {
  const customer_id = `banned-${(customers += 1)}`
  await addCustomer(world, office.license.id, customer_id, { ban: endingIn(seconds) })
  for (const client of [office.ann, office.ben]) await client.received()
  return { ...office, customer_id }
}
const endingIn = (seconds: number): Ban => ({ days: 1, until: nowS() + seconds, by: 'ann' })

describe('unban_customer', () => {
  test('lifts the ban and tells every agent of the license, those without access to the chat too', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const other = await (await world.license({ ann: {} })).login('ann')
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    await addCustomer(world, license.id, 'cus', { name: 'Cus' })
    const chat_id = await startCustomerChat(world, license.id, 'cus', { scopes: { agents: ['ann'] } })
    await ann.ok('ban_customer', { customer_id: 'cus', ban: { days: 5 } })
    for (const client of [ann, ben]) await client.received()

    const answer = await ben.call('unban_customer', { customer_id: 'cus' })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'unban_customer',
      type: 'response',
      success: true,
    })
    for (const client of [ann, ben]) {
      expect(await client.next('customer_unbanned')).toEqual({ customer_id: 'cus' })
      await client.receivesNothing()
    }
    await other.receivesNothing()
    const stored = (await customerItem(world, license.id, 'cus'))!
    expect(stored).toMatchObject({ id: 'cus', name: 'Cus' })
    expect(stored.ban).toBeUndefined()
    expect(isBanned(stored, Date.now())).toBe(false)
    // the thread stays closed
    expect((await ann.ok('get_chat_threads', { chat_id })).chat.threads).toMatchObject([{ active: false }])
  })

  test('of a customer that is not banned, or no more, changes nothing and pushes nothing', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    await addCustomer(world, license.id, 'never')
    await addCustomer(world, license.id, 'over', { ban: endingIn(0) })
    await addCustomer(world, license.id, 'lifted', { ban: endingIn(1000) })
    await ann.ok('unban_customer', { customer_id: 'lifted' })
    for (const client of [ann, ben]) await client.next('customer_unbanned')
    for (const customer_id of ['never', 'over', 'lifted']) {
      const before = await customerItem(world, license.id, customer_id)
      expect(await ann.ok('unban_customer', { customer_id })).toBeUndefined()
      expect(await customerItem(world, license.id, customer_id)).toEqual(before)
    }
    for (const client of [ann, ben]) await client.receivesNothing()
  })

  test('lifts a ban in its last minute, and a customer can be banned again', async () => {
    const { license, ann, customer_id } = await withBanned(60)
    await ann.ok('unban_customer', { customer_id })
    await ann.next('customer_unbanned')
    await ann.ok('ban_customer', { customer_id, ban: { days: 2 } })
    await ann.next('customer_banned')
    expect((await customerItem(world, license.id, customer_id))?.ban?.days).toBe(2)
    await ann.ok('unban_customer', { customer_id })
    await ann.next('customer_unbanned')
    await ann.receivesNothing()
  })

  test('by several at once lifts it once and pushes once', async () => {
    const { ann, ben, customer_id } = await withBanned(1000)
    await Promise.all([ann, ben, ann, ben].map((client) => client.ok('unban_customer', { customer_id })))
    for (const client of [ann, ben]) {
      await client.next('customer_unbanned')
      await client.receivesNothing()
    }
  })

  testAtSteps('against a ban leaves what was told last', async (hold) => {
    const license = await world.license({ ann: {} })
    const [ann, again] = [await license.login('ann'), await license.login('ann')]
    let n = 0
    const ends = new Set<boolean>()
    await hold(
      world,
      async () => {
        const customer_id = `cus-${(n += 1)}`
        await addCustomer(world, license.id, customer_id, { ban: endingIn(1000) })
        // what workers call is no step of it
        await world.settled()
        await again.received()
        return {
          held: () => ann.ok('unban_customer', { customer_id }),
          meanwhile: () => again.ok('ban_customer', { customer_id, ban: { days: 9 } }),
          check: async () => {
            const { ban } = (await customerItem(world, license.id, customer_id))!
            const told = (await again.received()).map(({ action }) => action)
            expect(told.filter((action) => action === 'customer_unbanned')).toHaveLength(1)
            if (told.length === 2) ends.add(ban !== undefined)
            if (told.length === 2) expect(ban === undefined || ban.days === 9).toBe(true)
          },
        }
      },
      3,
    )
    expect(ends).toEqual(new Set([true, false]))
  })
})

describe('unban_customer lifts the ban once, and pushes once,', () => {
  test.each<[string, Fault[]]>([
    ['through a connection that breaks', [{ reset: true }, { reset: true }]],
    ['through an answer that is lost', [{ reset: true, afterWrite: true }]],
    ['through an error after the write', [{ errorType: 'InternalServerError', afterWrite: true }]],
    ['through a transaction on the customer', Array.from({ length: 3 }, () => conflictOf(2))],
  ])('%s', async (_what, faults) => {
    const { license, ann, ben, customer_id } = await withBanned(1000)
    const left = [...faults]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'TransactWriteItems' && JSON.stringify(request).includes(license.id)
        ? left.shift()
        : undefined,
    )
    await ann.ok('unban_customer', { customer_id })
    expect(left).toEqual([])
    for (const client of [ann, ben]) {
      expect(await client.next('customer_unbanned')).toEqual({ customer_id })
      await client.receivesNothing()
    }
    expect((await customerItem(world, license.id, customer_id))?.ban).toBeUndefined()
  })
})

describe('unban_customer is refused', () => {
  test('with not_found for a customer that is unknown, or of another license', async () => {
    const license = await world.license({ ann: {} })
    const other = await world.license({ ann: {} })
    await addCustomer(world, other.id, 'cus', { ban: endingIn(1000) })
    const [ann, theirs] = [await license.login('ann'), await other.login('ann')]
    for (const customer_id of ['cus', 'nosuch', 'ann', '#', `${other.id}#cus`, 'x'.repeat(128)])
      expect(await ann.refused('unban_customer', { customer_id })).toEqual(notFound)
    for (const client of [ann, theirs]) await client.receivesNothing()
    expect((await customerItem(world, other.id, 'cus'))?.ban).toBeDefined()
    // and none is made
    expect(await customerItem(world, license.id, 'nosuch')).toBeUndefined()
  })
})
