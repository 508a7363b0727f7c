import { beforeAll, describe, expect, test } from 'vitest'
import { countAddress } from '../../shared/table/addresses.ts'
import { keys } from '../../shared/table/keys.ts'
import { counters, countRequest } from '../../shared/table/sockets.ts'
import type { CustomerClient } from '../support/client.ts'
import { refusalOf } from '../support/gateway-probe.ts'
import { ownMinutes, tooMany } from '../support/minutes.ts'
import { message } from '../support/events.ts'
import { type License, startWorld, type World } from '../support/world.ts'

// every connection here is of one address, whose limits are twice these
const rates = { startChat: 2, sendEvent: 3, other: 4, addressFactor: 2 }
const perAddress = { connects: 8, newCustomers: 8, startChats: 4 }
let world: World
beforeAll(async () => {
  world = await startWorld({ rates, delayScale: 1000 })
})

const { nextMinute, secondsOn } = ownMinutes()

const times = async (count: number, ask: () => Promise<unknown>) => {
  for (let i = 0; i < count; i += 1) await ask()
}
/** A customer with a chat, a minute ago. */
const chatting = async () => {
  const license = await world.license({})
  const carl = await license.visit()
  const { chat } = await carl.client.ok('start_chat')
  nextMinute()
  await carl.client.received()
  return { license, carl, client: carl.client, chat_id: chat.id }
}

describe('a connection may ask in a minute', () => {
  test('for start_chat, send_event and all else so often each, and is told when to try again', async () => {
    const { client, chat_id } = await chatting()
    const asking: [number, string, object][] = [
      [rates.startChat, 'start_chat', {}],
      [rates.sendEvent, 'send_event', { chat_id, event: message('x') }],
      [rates.other, 'get_chats_summary', {}],
    ]
    for (const [most, action, payload] of asking) {
      await times(most, () => client.ok(action, payload))
      for (const _ of [1, 2]) expect(await client.refused(action, payload), action).toEqual(tooMany)
    }
  })

  test('so often for all other actions together', async () => {
    const { client, chat_id } = await chatting()
    await client.ok('get_chat_threads', { chat_id })
    await client.ok('send_typing_indicator', { chat_id, is_typing: true })
    await client.ok('update_customer', { customer: { name: 'Carl' } })
    await client.ok('login')
    for (const action of ['get_chats_summary', 'update_customer', 'close_thread', 'send_sneak_peek', 'login'])
      expect(await client.refused(action, { chat_id }), action).toEqual(tooMany)
    await client.ok('send_event', { chat_id, event: message('x') })
  })

  test('again in the next minute', async () => {
    const { client } = await chatting()
    await times(rates.other, () => client.ok('get_chats_summary'))
    secondsOn(46.999)
    expect(await client.refused('get_chats_summary')).toMatchObject({
      details: [{ path: '', message: 'Try again in 1 s' }],
    })
    secondsOn(47)
    await times(rates.other, () => client.ok('get_chats_summary'))
    expect(await client.refused('get_chats_summary')).toMatchObject({
      details: [{ path: '', message: 'Try again in 60 s' }],
    })
  })

  test('for ping as often as it likes', async () => {
    const { client } = await chatting()
    await times(rates.other, () => client.ok('get_chats_summary'))
    await times(30, () => client.ok('ping'))
  })

  test('by itself: another tab has counts of its own', async () => {
    const { license, carl, client } = await chatting()
    await times(rates.other, () => client.ok('get_chats_summary'))
    const tab = await license.visit({ token: carl.token })
    await tab.client.ok('get_chats_summary')
    expect(await client.refused('get_chats_summary')).toEqual(tooMany)
  })

  test('also for what is refused otherwise, and before it is logged in', async () => {
    const { license, client } = await chatting()
    for (let i = 0; i < rates.sendEvent; i += 1)
      expect(await client.refused('send_event', {})).toMatchObject({ type: 'validation' })
    expect(await client.refused('send_event', {})).toEqual(tooMany)
    const stranger = await license.arrive()
    for (let i = 0; i < rates.other; i += 1)
      expect(await stranger.refused('login', { token: 'x' })).toMatchObject({ type: 'auth' })
    expect(await stranger.refused('login', { token: 'x' })).toEqual(tooMany)
    expect(await stranger.refused('get_chats_summary')).toEqual(tooMany)
  })

  test('of many requests at once exactly so many are done, and nothing of the others', async () => {
    const { client, chat_id } = await chatting()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => client.call('send_event', { chat_id, event: message('x') })),
    )
    expect(answers.filter(({ success }) => success)).toHaveLength(rates.sendEvent)
    await client.received()
    const { chat } = await client.ok('get_chat_threads', { chat_id })
    expect(chat.threads[0].events.filter(({ type }: any) => type === 'message')).toHaveLength(rates.sendEvent)
  })
})

test('agents may ask as often as they like', async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  const { chat } = await ann.ok('start_chat')
  await times(rates.startChat + 1, () => ann.ok('start_chat'))
  await times(rates.sendEvent + 1, () => ann.ok('send_event', { chat_id: chat.id, event: message('x') }))
  await times(rates.other + 1, () => ann.ok('get_chat_threads', { chat_id: chat.id }))
})

describe('an address may in a minute', () => {
  const addressOf = ({ id }: License) => `${world.customerUrl}?license_id=${id}`

  test('connect so often; one more is 429, and free again in the next minute', async () => {
    const license = await world.license({})
    await times(perAddress.connects, () => license.arrive())
    for (const _ of [1, 2]) expect((await refusalOf(addressOf(license))).status).toBe(429)
    // it is one address for all licences
    expect((await refusalOf(addressOf(await world.license({})))).status).toBe(429)
    nextMinute()
    await license.arrive()
  })

  test('be so many new customers; those who are known come all the same', async () => {
    const license = await world.license({})
    const known = await license.visit()
    const tabs: CustomerClient[] = []
    while (tabs.length <= perAddress.newCustomers) {
      nextMinute()
      for (let i = 0; i < 5; i += 1) tabs.push(await license.arrive())
    }
    const [last, spare, ...first] = tabs.slice(0, perAddress.newCustomers + 2)
    if (last === undefined || spare === undefined) throw new Error('There are not so many')
    nextMinute()
    for (const tab of first) await tab.ok('login')
    expect(await last.refused('login')).toEqual(tooMany)
    expect(await last.refused('login', { token: null, customer: { name: 'X' } })).toEqual(tooMany)
    expect(await spare.ok('login', { token: known.token })).toMatchObject({ customer_id: known.id })
    nextMinute()
    await last.ok('login')
  })

  test('start so many chats', async () => {
    const license = await world.license({})
    const tabs: CustomerClient[] = []
    for (let i = 0; i <= perAddress.startChats / 2; i += 1) tabs.push((await license.visit()).client)
    const last = tabs.pop()
    nextMinute()
    for (const tab of tabs) {
      const { chat } = await tab.ok('start_chat')
      await tab.ok('close_thread', { chat_id: chat.id })
      await tab.ok('start_chat')
    }
    expect(await last?.refused('start_chat')).toEqual(tooMany)
    expect(await last?.ok('get_chats_summary')).toMatchObject({ chats_summary: [] })
    nextMinute()
    await last?.ok('start_chat')
  })

  test('is counted by its minute and by what it does, and forgotten soon after', async () => {
    const { read, write } = world.table
    const at = Date.now() + 3_600_000
    const count = (what: string, ms = at, ip = '2001:db8::1') => countAddress(write, ip, what, ms)
    expect([await count('connect'), await count('connect'), await count('connect')]).toEqual([1, 2, 3])
    expect(await count('start_chat')).toBe(1)
    expect(await count('connect', at, '192.0.2.1')).toBe(1)
    expect(await count('connect', at + 60_000)).toBe(1)
    const item = await read.get(keys.address('2001:db8::1', Math.floor(at / 60_000)), { strong: true })
    expect(Number(item?.['ttl'])).toBeLessThanOrEqual(at / 1000 + 600)
    expect(Number(item?.['ttl'])).toBeGreaterThanOrEqual(at / 1000 + 60)
  })
})

test('the count of a connection is of its minute and its kind, and leaves nothing of minutes before', async () => {
  const license = await world.license({})
  const before = world.customers.connections()
  await license.visit()
  const connection = world.customers.connections().find((id) => !before.includes(id)) ?? ''
  const count = async (kind: keyof typeof counters, ms: number) =>
    (await countRequest(world.table.write, connection, counters[kind], ms))?.count
  const at = Date.now() + 60_000
  expect([await count('other', at), await count('other', at + 1000)]).toEqual([1, 2])
  expect(await count('send_event', at)).toBe(1)
  expect(await count('start_chat', at)).toBe(1)
  expect([await count('send_event', at), await count('other', at)]).toEqual([2, 3])
  expect(await count('other', at + 60_000)).toBe(1)
  expect(await count('send_event', at + 60_000)).toBe(1)
  const item = await world.table.read.get(keys.socket(connection), { strong: true })
  expect(Object.keys(item ?? {}).filter((name) => name.startsWith('rate_'))).toHaveLength(1)
  expect(await countRequest(world.table.write, 'nosuch', counters.other, at)).toBeUndefined()
})
