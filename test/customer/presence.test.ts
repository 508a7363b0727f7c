import { beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/client.ts'
import { customerItem } from '../support/customers.ts'
import { message } from '../support/events.ts'
import { type License, sharedWorld, type Visitor, type World } from '../support/world.ts'

let world: World
/** Where all customers here come to; ann sees what is open to all and is given it, ben what is of group 2. */
let license: License
let ann: Client
let ben: Client
beforeAll(async () => {
  world = await sharedWorld()
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

const nowS = () => Math.floor(Date.now() / 1000)
const again = ({ token }: Visitor, payload: object = {}) => license.visit({ token, ...payload })
/** Lets all that was put off happen: also that 20 s pass since a tab was closed. */
const timePasses = async () => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
const leave = async (...tabs: Visitor[]) => {
  await Promise.all(tabs.map(({ client }) => client.close()))
  await world.settled()
}
const page = (url: string, more: object = {}) => ({ monitoring: { page: { url, ...more } } })
const open = ({ client }: Visitor, url: string, more: object = {}) =>
  client.ok('update_customer', { customer: page(url, more) })
const itemOf = ({ id }: Visitor) => customerItem(world, license.id, id)

/** A new customer in an active chat with ann. */
const chatting = async (payload: object = {}, headers: Record<string, string> = {}, scopes: object = {}) => {
  const carl = await license.visit(payload, headers)
  const { chat } = await carl.client.ok('start_chat', { chat: { scopes } })
  // what logins may have missed is pushed by now
  await timePasses()
  for (const client of [ann, ben]) await client.received()
  /** The customer as agents are shown it now. */
  const shown = async (): Promise<any> => {
    const { users } = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    return users.find(({ type }: any) => type === 'customer')
  }
  return { carl, chat, shown }
}

describe('online', () => {
  test('is a customer with a tab open, until 20 s after the last one was closed', async () => {
    const { carl, chat, shown } = await chatting()
    const second = await again(carl)
    expect(await shown()).toMatchObject({ online: true, present: true })
    await leave(second)
    await timePasses()
    expect(await shown()).toMatchObject({ online: true })
    await ann.receivesNothing()

    await leave(carl)
    expect(await shown()).toMatchObject({ online: true })
    await ann.receivesNothing()
    await timePasses()
    expect(await ann.next('customer_updated')).toMatchObject({
      ...{ chat_id: chat.id, customer: { id: carl.id, online: false, present: true } },
    })
    await ann.receivesNothing()
    expect(await shown()).toMatchObject({ online: false, present: true })
  })

  test('stays who is back in time; who comes back later does with the next login, which tells the agents', async () => {
    const { carl, chat, shown } = await chatting()
    await leave(carl)
    const soon = await again(carl)
    await timePasses()
    await ann.receivesNothing()
    expect(await shown()).toMatchObject({ online: true, monitoring: { stats: { visits: 1 } } })

    await leave(soon)
    await timePasses()
    await ann.next('customer_updated')
    const back = await again(carl)
    expect(await ann.next('customer_updated')).toMatchObject({
      ...{ chat_id: chat.id, customer: { id: carl.id, online: true } },
    })
    await again(carl)
    await back.client.ok('login')
    await ann.receivesNothing()
  })

  test('is told to those alone who see the chat, and to nobody where it is not active', async () => {
    const { carl, chat } = await chatting({}, {}, { groups: [1] })
    await leave(carl)
    await timePasses()
    expect(await ann.next('customer_updated')).toMatchObject({ customer: { online: false } })
    await ben.receivesNothing()

    await ann.ok('close_thread', { chat_id: chat.id })
    await ann.received()
    const back = await again(carl)
    await leave(back)
    await timePasses()
    await ann.receivesNothing()
    expect(await itemOf(carl)).toMatchObject({ online: false })
  })

  test('is nothing of who never told anything and never chatted', async () => {
    const carl = await license.visit()
    await leave(carl)
    await timePasses()
    expect(await itemOf(carl)).toBeUndefined()
    await ann.receivesNothing()
  })

  test('ends with the connections of a ban', { tags: ['full'] }, async () => {
    const { carl } = await chatting()
    await ann.ok('ban_customer', { customer_id: carl.id, ban: { days: 1 } })
    await carl.client.closing()
    await timePasses()
    expect(await itemOf(carl)).toMatchObject({ online: false })
  })

  test('is right after many tabs came and went at once', { tags: ['full'] }, async () => {
    const { carl, shown } = await chatting()
    const tabs = await Promise.all(Array.from({ length: 6 }, () => again(carl)))
    await leave(carl, ...tabs.slice(1))
    await timePasses()
    expect(await shown()).toMatchObject({ online: true })
    await leave(...tabs.slice(0, 1))
    await timePasses()
    expect(await shown()).toMatchObject({ online: false })
  })
})

describe('the visits of a customer', () => {
  test(
    'are counted: one lasts from the first tab until none was left for 20 s',
    { tags: ['full'] },
    async () => {
      const { carl, shown } = await chatting({
        customer: page('https://shop.example/a', { referrer: 'https://search.example/' }),
      })
      const first = (await shown()).monitoring
      expect(first.stats).not.toHaveProperty('last_visit')
      expect(first).toMatchObject({
        stats: { visits: 1, threads: 1, page_views: 1 },
        referrer: 'https://search.example/',
      })
      const second = await again(carl, { customer: page('https://shop.example/b') })
      expect((await shown()).monitoring).toMatchObject({
        stats: { visits: 1, page_views: 2 },
        current_visit: {
          start: first.current_visit.start,
          pages: [{ url: 'https://shop.example/a' }, { url: 'https://shop.example/b' }],
        },
        referrer: 'https://search.example/',
      })

      await leave(carl, second)
      await timePasses()
      const before = nowS()
      await again(carl, { customer: page('https://shop.example/c') })
      const { monitoring } = await shown()
      expect(monitoring).toMatchObject({
        stats: { visits: 2, page_views: 3, last_visit: first.current_visit.start },
        current_visit: { pages: [{ url: 'https://shop.example/c' }] },
      })
      expect(monitoring.current_visit.start).toBeGreaterThanOrEqual(before)
      // it was where the visit before came from
      expect(monitoring).not.toHaveProperty('referrer')
    },
  )

  test('of who told nothing before it chats begin with the chat', async () => {
    const { shown, carl } = await chatting({}, { 'user-agent': 'Phone/1' })
    expect((await shown()).monitoring).toEqual({
      current_visit: { start: expect.any(Number), pages: [] },
      stats: { visits: 1, threads: 1, page_views: 0 },
      ...{ ip: '127.0.0.1', user_agent: 'Phone/1' },
    })
    expect(await itemOf(carl)).toMatchObject({ online: true })
    // the connection that spoke last
    await license.visit({ token: carl.token }, { 'user-agent': 'Desk/2' })
    expect((await shown()).monitoring).toMatchObject({ ip: '127.0.0.1', user_agent: 'Desk/2' })
  })
})

test('the pages of a visit are pushed to the agents one by one, and are nothing that the customer is shown', async () => {
  const { carl, chat } = await chatting({ customer: page('https://shop.example/secret') })
  const before = nowS()
  await open(carl, 'https://shop.example/1', { title: 'One' })
  await open(carl, 'https://shop.example/1', { title: 'One' })
  await open(carl, 'https://shop.example/2')
  expect(await ann.next('customer_updated')).toMatchObject({ chat_id: chat.id })
  const { customer } = await ann.next('customer_updated')
  const pages = customer.monitoring?.current_visit?.pages
  expect(pages).toMatchObject([
    { url: 'https://shop.example/secret' },
    { url: 'https://shop.example/1', title: 'One' },
    { url: 'https://shop.example/2' },
  ])
  expect(pages?.[1]?.start).toBeGreaterThanOrEqual(before)
  await ann.receivesNothing()

  const { chat: own } = await carl.client.ok('get_chat_threads', { chat_id: chat.id })
  expect(JSON.stringify(own)).not.toContain('monitoring')
  expect(JSON.stringify(own)).not.toContain('secret')
})

test('the threads of a customer are counted, whoever starts them', async () => {
  const { carl, chat, shown } = await chatting()
  for (const start of [
    () => carl.client.ok('start_chat'),
    () => carl.client.ok('send_event', { chat_id: chat.id, event: message('x') }),
    () => ann.ok('start_chat', { chat: { users: [{ id: carl.id, type: 'customer' }] } }),
  ]) {
    await carl.client.ok('close_thread', { chat_id: chat.id })
    await start()
  }
  expect((await shown()).monitoring.stats).toEqual({ visits: 1, threads: 4, page_views: 0 })
  // to an active thread it only adds
  await carl.client.ok('start_chat')
  expect(await itemOf(carl)).toMatchObject({ threads: 4 })
})
