import { describe, expect, test } from 'vitest'
import type { Client } from '../support/client.ts'
import { customerItem } from '../support/customers.ts'
import { type License, startWorld, type Visitor } from '../support/world.ts'

const world = await startWorld({ presenceGraceS: 20 })

const nowS = () => Math.floor(Date.now() / 1000)
const again = (license: License, { token }: Visitor, payload: object = {}) =>
  license.visit({ token, ...payload })
/** Lets all that was put off happen: also that 20 s pass since a tab was closed. */
const timePasses = async () => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
const forget = (clients: readonly Client[]) => Promise.all(clients.map((client) => client.received()))
const leave = async (...tabs: Visitor[]) => {
  await Promise.all(tabs.map(({ client }) => client.close()))
  await world.settled()
}
const page = (url: string, more: object = {}) => ({ monitoring: { page: { url, ...more } } })
const open = ({ client }: Visitor, url: string, more: object = {}) =>
  client.ok('update_customer', { customer: page(url, more) })
const itemOf = ({ id }: License, customer: Visitor) => customerItem(world, id, customer.id)

/** A customer in an active chat with ann. */
const chatting = async (payload: object = {}, headers: Record<string, string> = {}) => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  const carl = await license.visit(payload, headers)
  const { chat } = await carl.client.ok('start_chat')
  // what logins may have missed is pushed by now
  await timePasses()
  await forget([ann])
  /** The customer as agents are shown it now. */
  const shown = async (): Promise<any> => {
    const { users } = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    return users.find(({ type }: any) => type === 'customer')
  }
  return { license, ann, carl, chat, shown }
}

describe('online', () => {
  test('is a customer with a tab open, until 20 s after the last one was closed', async () => {
    const { license, ann, carl, chat, shown } = await chatting()
    const second = await again(license, carl)
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

  test('stays who is back in time, and nobody is told', async () => {
    const { license, ann, carl, shown } = await chatting()
    await leave(carl)
    await again(license, carl)
    await timePasses()
    await ann.receivesNothing()
    expect(await shown()).toMatchObject({ online: true, monitoring: { stats: { visits_count: 1 } } })
  })

  test('comes back with the next login, which tells the agents', async () => {
    const { license, ann, carl, chat } = await chatting()
    await leave(carl)
    await timePasses()
    await ann.next('customer_updated')
    const back = await again(license, carl)
    expect(await ann.next('customer_updated')).toMatchObject({
      ...{ chat_id: chat.id, customer: { id: carl.id, online: true } },
    })
    await again(license, carl)
    await back.client.ok('login')
    await ann.receivesNothing()
  })

  test('is told to those alone who see the chat, and to nobody where it is not active', async () => {
    const license = await world.license(
      { ann: { groups: [1] }, ben: { groups: [2] } },
      { groups: ['A', 'B'] },
    )
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat', { chat: { scopes: { groups: [1] } } })
    await timePasses()
    await forget([ann, ben])
    await leave(carl)
    await timePasses()
    expect(await ann.next('customer_updated')).toMatchObject({ customer: { online: false } })
    await ben.receivesNothing()

    await ann.ok('close_thread', { chat_id: chat.id })
    await ann.received()
    const back = await again(license, carl)
    await leave(back)
    await timePasses()
    await ann.receivesNothing()
    expect(await itemOf(license, carl)).toMatchObject({ online: false })
  })

  test('is nothing of who never told anything and never chatted', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const carl = await license.visit()
    await leave(carl)
    await timePasses()
    expect(await itemOf(license, carl)).toBeUndefined()
    await ann.receivesNothing()
  })

  test('ends with the connections of a ban', async () => {
    const { license, ann, carl } = await chatting()
    await ann.ok('ban_customer', { customer_id: carl.id, ban: { days: 1 } })
    await carl.client.closing()
    await timePasses()
    expect(await itemOf(license, carl)).toMatchObject({ online: false })
  })

  test('is right after many tabs came and went at once', async () => {
    const { license, carl, shown } = await chatting()
    const tabs = await Promise.all(Array.from({ length: 6 }, () => again(license, carl)))
    await leave(carl, ...tabs.slice(1))
    await timePasses()
    expect(await shown()).toMatchObject({ online: true })
    await leave(...tabs.slice(0, 1))
    await timePasses()
    expect(await shown()).toMatchObject({ online: false })
  })
})

describe('the visits of a customer', () => {
  test('are counted: one lasts from the first tab until none was left for 20 s', async () => {
    const { license, carl, shown } = await chatting({
      customer: page('https://shop.example/a', { referrer: 'https://search.example/' }),
    })
    const first = (await shown()).monitoring
    expect(first).toMatchObject({
      stats: { visits_count: 1, threads_count: 1 },
      referrer: 'https://search.example/',
    })
    const second = await again(license, carl, { customer: page('https://shop.example/b') })
    expect((await shown()).monitoring).toMatchObject({
      stats: { visits_count: 1 },
      current_visit: {
        started_timestamp: first.current_visit.started_timestamp,
        last_pages: [{ url: 'https://shop.example/a' }, { url: 'https://shop.example/b' }],
      },
      referrer: 'https://search.example/',
    })

    await leave(carl, second)
    await timePasses()
    const before = nowS()
    await again(license, carl, { customer: page('https://shop.example/c') })
    const { monitoring } = await shown()
    expect(monitoring).toMatchObject({
      stats: { visits_count: 2 },
      current_visit: { last_pages: [{ url: 'https://shop.example/c' }] },
    })
    expect(monitoring.current_visit.started_timestamp).toBeGreaterThanOrEqual(before)
    // it was where the visit before came from
    expect(monitoring).not.toHaveProperty('referrer')
  })

  test('tell address and user agent of the connection that spoke last', async () => {
    const { license, carl, shown } = await chatting(
      { customer: { name: 'Carl' } },
      { 'user-agent': 'Phone/1' },
    )
    expect((await shown()).monitoring).toMatchObject({ ip: '127.0.0.1', user_agent: 'Phone/1' })
    await license.visit({ token: carl.token }, { 'user-agent': 'Desk/2' })
    expect((await shown()).monitoring).toMatchObject({ ip: '127.0.0.1', user_agent: 'Desk/2' })
  })

  test('of who told nothing before it chats begin with the chat', async () => {
    const { license, shown, carl } = await chatting({}, { 'user-agent': 'Phone/1' })
    expect((await shown()).monitoring).toEqual({
      current_visit: { started_timestamp: expect.any(Number), last_pages: [] },
      stats: { visits_count: 1, threads_count: 1 },
      ...{ ip: '127.0.0.1', user_agent: 'Phone/1' },
    })
    expect(await itemOf(license, carl)).toMatchObject({ online: true })
  })
})

describe('the pages of a visit', () => {
  const urls = ({ monitoring }: any) => monitoring.current_visit.last_pages.map(({ url }: any) => url)
  const shop = (n: number) => `https://shop.example/${n}`

  test('are pushed to the agents one by one, the newest last, with title and time', async () => {
    const { ann, carl, chat } = await chatting()
    const before = nowS()
    await open(carl, shop(1), { title: 'One' })
    await open(carl, shop(2))
    expect(await ann.next('customer_updated')).toMatchObject({ chat_id: chat.id })
    const { customer } = await ann.next('customer_updated')
    const pages = customer.monitoring?.current_visit?.last_pages
    expect(pages).toEqual([
      { url: shop(1), title: 'One', opened_timestamp: expect.any(Number) },
      { url: shop(2), opened_timestamp: expect.any(Number) },
    ])
    expect(pages?.[0]?.opened_timestamp).toBeGreaterThanOrEqual(before)
    await ann.receivesNothing()
  })

  test('are the last 20', async () => {
    const { carl, shown } = await chatting()
    for (let n = 1; n <= 23; n += 1) await open(carl, shop(n))
    expect(urls(await shown())).toEqual(Array.from({ length: 20 }, (_, i) => shop(i + 4)))
  })

  test('are fewer where their addresses are long, and of a title 256 characters are kept', async () => {
    const { carl, shown } = await chatting()
    const long = (n: number) => `${shop(n)}?${'x'.repeat(1900)}`
    for (let n = 1; n <= 6; n += 1) await open(carl, long(n), { title: 'T'.repeat(1000) })
    const customer = await shown()
    expect(urls(customer)).toEqual([long(4), long(5), long(6)])
    expect(customer.monitoring.current_visit.last_pages[2].title).toBe('T'.repeat(256))
  })

  test('count one that is opened again and again once, until another follows; its title may change', async () => {
    const { ann, carl, shown } = await chatting()
    await open(carl, shop(1), { title: 'One' })
    await ann.next('customer_updated')
    await open(carl, shop(1), { title: 'One' })
    await ann.receivesNothing()
    await open(carl, shop(1), { title: '(1) One' })
    await open(carl, shop(2))
    await open(carl, shop(1), { title: 'One' })
    const { monitoring } = await shown()
    expect(monitoring.current_visit.last_pages).toMatchObject([
      { url: shop(1), title: '(1) One' },
      { url: shop(2) },
      { url: shop(1), title: 'One' },
    ])
  })

  test('that are very long push out older ones sooner, and never the newest', async () => {
    const { carl, shown } = await chatting()
    const long = (n: number) => shop(n).padEnd(2048, 'x')
    for (let n = 1; n <= 4; n += 1) await open(carl, long(n))
    const kept = urls(await shown())
    expect(kept.at(-1)).toBe(long(4))
    expect(kept.length).toBeLessThan(4)
  })

  test('tell where the visit came from by the first referrer; an empty one is none', async () => {
    const { carl, shown } = await chatting()
    await open(carl, shop(1), { referrer: '' })
    expect((await shown()).monitoring).not.toHaveProperty('referrer')
    await open(carl, shop(1), { referrer: 'https://search.example/' })
    await open(carl, shop(2), { referrer: shop(1) })
    expect((await shown()).monitoring.referrer).toBe('https://search.example/')
  })

  test('are nothing that the customer is shown', async () => {
    const { carl, chat } = await chatting({ customer: page('https://shop.example/secret') })
    const { chat: own } = await carl.client.ok('get_chat_threads', { chat_id: chat.id })
    expect(JSON.stringify(own)).not.toContain('monitoring')
    expect(JSON.stringify(own)).not.toContain('secret')
  })
})

test('the threads of a customer are counted, whoever starts them', async () => {
  const { license, ann, carl, chat, shown } = await chatting()
  for (const start of [
    () => carl.client.ok('start_chat'),
    () => carl.client.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'x' } }),
    () => ann.ok('start_chat', { chat: { users: [{ id: carl.id, type: 'customer' }] } }),
  ]) {
    await carl.client.ok('close_thread', { chat_id: chat.id })
    await start()
  }
  expect((await shown()).monitoring.stats).toEqual({ visits_count: 1, threads_count: 4 })
  // to an active thread it only adds
  await carl.client.ok('start_chat')
  expect(await itemOf(license, carl)).toMatchObject({ threads: 4 })
})
