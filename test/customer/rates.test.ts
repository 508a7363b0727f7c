import { beforeAll, describe, expect, test } from 'vitest'
import { count, type Counted, countedAddress, countedUser, refuseUntil } from '../../shared/table/counters.ts'
import { keys } from '../../shared/table/keys.ts'
import { Client, type CustomerClient } from '../support/client.ts'
import { refusalOf } from '../support/gateway-probe.ts'
import { ownMinutes, tooMany } from '../support/minutes.ts'
import { message } from '../support/events.ts'
import { type License, startWorld, type World } from '../support/world.ts'

const rates = { startChat: 2, sendEvent: 6, other: 5, addressFactor: 3, licenseStarts: 8 }
const ofAddress = { sendEvent: 18, other: 15, startChat: 6 }
let world: World
beforeAll(async () => {
  world = await startWorld({ rates, delayScale: 1000 })
})

const { nextMinute, secondsOn } = ownMinutes()

const times = async (count: number, ask: () => Promise<unknown>) => {
  for (let i = 0; i < count; i += 1) await ask()
}
const addressOf = ({ id }: License) => `${world.customerUrl}?license_id=${id}`
/** A tab that comes from another address of this machine. */
const arriveFrom = (license: License, from: string) =>
  Client.open(addressOf(license), { as: 'customer', from })
/** A customer with a chat, a minute ago. */
const chatting = async () => {
  const license = await world.license({})
  const carl = await license.visit()
  const { chat } = await carl.client.ok('start_chat')
  nextMinute()
  await carl.client.received()
  return { license, carl, client: carl.client, chat_id: chat.id }
}
const said = async (client: CustomerClient, chat_id: string) => {
  const { chat } = await client.ok('get_chat_threads', { chat_id })
  return chat.threads[0].events.filter(({ type }: any) => type === 'message')
}
/** Sends frames that no action takes, and resolves to what each was answered with. */
const broken = async (client: Client | CustomerClient, frames: string[]) => {
  const types: string[] = []
  for (const frame of frames) {
    client.send(frame)
    types.push(((await client.response()) as any).payload.error.type)
  }
  return types
}
const unknown = '{"action":"no_such_action"}'

describe('a customer may ask in a minute', () => {
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
    await client.ok('update_last_seen_timestamp')
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

  test('on all its tabs together, and when it connects anew', async () => {
    const { license, carl, chat_id } = await chatting()
    const send = { chat_id, event: message('x') }
    await times(rates.sendEvent / 2, () => carl.client.ok('send_event', send))
    const tab = await license.visit({ token: carl.token })
    await times(rates.sendEvent / 2, () => tab.client.ok('send_event', send))
    expect(await carl.client.refused('send_event', send)).toEqual(tooMany)
    await carl.client.close()
    const again = await license.visit({ token: carl.token })
    expect(await again.client.refused('send_event', send)).toEqual(tooMany)
    expect(await said(again.client, chat_id)).toHaveLength(rates.sendEvent)
  })

  test('for its own, whichever chat it names', async () => {
    const { client } = await chatting()
    const other = await chatting()
    for (let i = 0; i < rates.sendEvent; i += 1)
      expect(
        await client.refused('send_event', { chat_id: other.chat_id, event: message('x') }),
      ).toMatchObject({ type: 'not_found' })
    expect(await client.refused('send_event', { chat_id: other.chat_id, event: message('x') })).toEqual(
      tooMany,
    )
  })

  test('also for what is refused otherwise', async () => {
    const { client } = await chatting()
    for (let i = 0; i < rates.sendEvent; i += 1)
      expect(await client.refused('send_event', {})).toMatchObject({ type: 'validation' })
    expect(await client.refused('send_event', {})).toEqual(tooMany)
  })

  test('of many requests at once exactly so many are done, and nothing of the others', async () => {
    const { client, chat_id } = await chatting()
    const answers = await Promise.all(
      Array.from({ length: 14 }, () => client.call('send_event', { chat_id, event: message('x') })),
    )
    expect(answers.filter(({ success }) => success)).toHaveLength(rates.sendEvent)
    expect(await said(client, chat_id)).toHaveLength(rates.sendEvent)
  })

  test(
    'so many at once where the request names no chat, and writes nothing of the others',
    { tags: ['full'] },
    async () => {
      const { client } = await chatting()
      const answers = await Promise.all(
        Array.from({ length: 14 }, (_, i) =>
          client.call('update_customer', { customer: { properties: { [`p${i}`]: 'x' } } }),
        ),
      )
      expect(answers.filter(({ success }) => success)).toHaveLength(rates.other)
      nextMinute()
      const { customer } = await client.ok('update_customer', { customer: { name: 'Carl' } })
      expect(Object.keys(customer.properties)).toHaveLength(rates.other)
    },
  )

  test('to begin threads, whichever action begins them', async () => {
    const { client, chat_id } = await chatting()
    for (let i = 0; i < rates.startChat; i += 1) {
      await client.ok('close_thread', { chat_id })
      await client.ok('send_event', { chat_id, event: message('x') })
    }
    await client.ok('close_thread', { chat_id })
    expect(await client.refused('send_event', { chat_id, event: message('x') })).toEqual(tooMany)
    expect(await client.refused('start_chat')).toEqual(tooMany)
    nextMinute()
    const { threads_summary } = (await client.ok('get_chat_threads', { chat_id })).chat
    expect(threads_summary).toHaveLength(1 + rates.startChat)
  })

  test('to say something, whichever action it comes with', async () => {
    const { client, chat_id } = await chatting()
    const events = Array.from({ length: rates.sendEvent }, () => message('x'))
    await client.ok('start_chat', { chat: { thread: { events } } })
    expect(await client.refused('send_event', { chat_id, event: message('x') })).toEqual(tooMany)
    expect(await client.refused('start_chat', { chat: { thread: { events: [message('x')] } } })).toEqual(
      tooMany,
    )
    expect(await said(client, chat_id)).toHaveLength(rates.sendEvent)
  })

  test('for ping, unknown actions and frames that are none, together', async () => {
    const { client } = await chatting()
    await client.ok('ping')
    expect(await broken(client, ['', '[]', unknown, '{"action":"ping","request_id":{}}'])).toEqual(
      Array(4).fill('validation'),
    )
    expect(await client.refused('ping')).toEqual(tooMany)
    expect(await broken(client, ['nonsense', unknown, '{"action":"send_event","id":[]}'])).toEqual(
      Array(3).fill('too_many_requests'),
    )
    // apart from its requests
    await client.ok('get_chats_summary')
  })
})

test('agents may ask as often as they like', async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  const { chat } = await ann.ok('start_chat')
  await times(rates.startChat + 1, () => ann.ok('start_chat'))
  await times(rates.sendEvent + 1, () => ann.ok('send_event', { chat_id: chat.id, event: message('x') }))
  await times(rates.other + 1, () => ann.ok('get_chat_threads', { chat_id: chat.id }))
  await times(rates.other + 1, () => ann.ok('ping'))
})

describe('an address may in a minute', () => {
  test('connect so often to either endpoint; one more is 429, and free again in the next minute', async () => {
    const license = await world.license({})
    const other = await world.license({})
    await times(ofAddress.other - 1, () => license.arrive())
    await world.open()
    for (const url of [addressOf(license), world.agentUrl, addressOf(other)])
      expect((await refusalOf(url)).status).toBe(429)
    nextMinute()
    await license.arrive()
    await world.open()
  })

  test('be so many new customers; those who are known come all the same', { tags: ['full'] }, async () => {
    const license = await world.license({})
    const known = await license.visit()
    const tabs: CustomerClient[] = []
    while (tabs.length <= ofAddress.other) {
      nextMinute()
      for (let i = 0; i < 8; i += 1) tabs.push(await license.arrive())
    }
    const [last, spare, ...first] = tabs.slice(-(ofAddress.other + 2))
    if (last === undefined || spare === undefined) throw new Error('There are not so many')
    nextMinute()
    tabs.push(await license.arrive())
    for (const tab of [...first, tabs.at(-1)!].slice(0, ofAddress.other)) await tab.ok('login')
    expect(await last.refused('login')).toEqual(tooMany)
    expect(await last.refused('login', { token: null, customer: { name: 'X' } })).toEqual(tooMany)
    expect(await spare.ok('login', { token: known.token })).toMatchObject({ customer_id: known.id })
    nextMinute()
    await last.ok('login')
  })

  test('begin so many threads', async () => {
    const license = await world.license({})
    const tabs: CustomerClient[] = []
    for (let i = 0; i <= ofAddress.startChat / 2; i += 1) tabs.push((await license.visit()).client)
    const last = tabs.pop()
    nextMinute()
    for (const tab of tabs) {
      const { chat } = await tab.ok('start_chat')
      await tab.ok('close_thread', { chat_id: chat.id })
      await tab.ok('send_event', { chat_id: chat.id, event: message('x') })
    }
    expect(await last?.refused('start_chat')).toEqual(tooMany)
    expect(await last?.ok('get_chats_summary')).toMatchObject({ chats_summary: [] })
    nextMinute()
    await last?.ok('start_chat')
  })

  test(
    'send so much through all its customers: who goes on is refused for the rest of the minute',
    { tags: ['full'] },
    async () => {
      const license = await world.license({})
      const visitors = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const { client } = await license.visit()
          nextMinute()
          const { chat } = await client.ok('start_chat')
          return { client, send: { chat_id: chat.id, event: message('x') } }
        }),
      )
      nextMinute()
      let done = 0
      for (const { client, send } of visitors)
        for (let i = 0; i < rates.sendEvent; i += 1)
          if ((await client.call('send_event', send)).success) done += 1
      // counted by fours, of each customer
      expect(done).toBeGreaterThanOrEqual(ofAddress.sendEvent)
      expect(done).toBeLessThan(visitors.length * rates.sendEvent)
      const [{ client, send }] = visitors.slice(-1) as [(typeof visitors)[number]]
      expect(await client.refused('send_event', send)).toMatchObject({ type: 'too_many_requests' })
      nextMinute()
      await client.ok('send_event', send)
    },
  )

  test.each(['customer', 'agent'] as const)('fail to log in so often, as %s', async (as) => {
    const license = await world.license({ ann: {} })
    const url = as === 'customer' ? addressOf(license) : world.agentUrl
    const open = () => (as === 'customer' ? license.arrive() : world.open())
    const [one, other] = [await open(), await open()]
    nextMinute()
    for (let i = 0; i < ofAddress.other; i += 1)
      expect(await (i % 2 === 0 ? one : other).refused('login', { token: 'x' })).toMatchObject({
        type: 'auth',
      })
    for (const client of [one, other]) expect(await client.refused('login', { token: 'x' })).toEqual(tooMany)
    // whoever has a token is not held up by those
    await (as === 'customer' ? license.visit() : license.login('ann'))
    expect(url).not.toBe('')
  })

  test.each(['customer', 'agent'] as const)('send so many frames before it logs in, as %s', async (as) => {
    const license = await world.license({})
    const [one, other] =
      as === 'customer'
        ? [await license.arrive(), await license.arrive()]
        : [await world.open(), await world.open()]
    nextMinute()
    const frames = ['', unknown, '{"action":"ping"']
    for (let i = 0; i < ofAddress.other - 4; i += 1)
      expect(await broken(i % 2 === 0 ? one : other, [frames[i % 3]!])).toEqual(['validation'])
    await one.ok('ping')
    await other.ok('ping')
    for (const client of [one, other])
      expect(await client.refused('send_typing_indicator', {})).toMatchObject({ type: 'auth' })
    for (const client of [one, other]) {
      expect(await broken(client, [unknown])).toEqual(['too_many_requests'])
      expect(await client.refused('ping')).toEqual(tooMany)
      expect(await client.refused('get_chat_threads', {})).toEqual(tooMany)
    }
  })
})

describe('who goes five times over a limit', () => {
  test('is told, and closed; its address cannot connect for a minute, others can', async () => {
    const { license, carl } = await chatting()
    const flooder = await arriveFrom(license, '127.0.0.9')
    await flooder.ok('login', { token: carl.token })
    nextMinute()
    const before = await times(rates.other * 5, () => flooder.call('get_chats_summary'))
    expect(before).toBeUndefined()
    expect(flooder.closed).toBeUndefined()
    expect(await flooder.refused('get_chats_summary')).toMatchObject({
      type: 'too_many_requests',
      details: [{ path: '', message: 'Try again in 60 s' }],
    })
    await world.queue.flush()
    expect(await flooder.eventually('customer_disconnected')).toEqual({ reason: 'too_many_connections' })
    await flooder.closing()
    const from = { localAddress: '127.0.0.9' }
    expect((await refusalOf(addressOf(license), from)).status).toBe(429)
    expect((await refusalOf(world.agentUrl, from)).status).toBe(429)
    // the same customer elsewhere, where the flood is not: its own limit holds
    expect(await carl.client.refused('get_chats_summary')).toMatchObject({ type: 'too_many_requests' })
    await license.visit()
    secondsOn(59)
    expect((await refusalOf(addressOf(license), from)).status).toBe(429)
    secondsOn(61)
    await (await arriveFrom(license, '127.0.0.9')).close()
  })

  test('before it has logged in, is closed as well, on either endpoint', { tags: ['full'] }, async () => {
    const license = await world.license({})
    for (const [index, url] of [addressOf(license), world.agentUrl].entries()) {
      const from = `127.0.0.${20 + index}`
      const stranger =
        index === 0 ? await Client.open(url, { as: 'customer', from }) : await Client.open(url, { from })
      nextMinute()
      await times(ofAddress.other * 5 + 1, () => broken(stranger, ['x']))
      await world.queue.flush()
      await stranger.closing()
      expect((await refusalOf(url, { localAddress: from })).status).toBe(429)
    }
  })
})

test('the customers of a license may begin so many threads in a minute; nobody is closed for it', async () => {
  const license = await world.license({})
  const tabs: CustomerClient[] = []
  for (let i = 0; i < rates.licenseStarts / 2 + 1; i += 1) {
    if (i % 2 === 0) nextMinute()
    const tab = await arriveFrom(license, `127.0.0.${40 + i}`)
    await tab.ok('login')
    tabs.push(tab)
  }
  nextMinute()
  const last = tabs.pop()
  for (const tab of tabs) {
    const { chat } = await tab.ok('start_chat')
    await tab.ok('close_thread', { chat_id: chat.id })
    await tab.ok('start_chat')
  }
  expect(await last?.refused('start_chat')).toEqual(tooMany)
  const elsewhere = await world.license({})
  const other = await arriveFrom(elsewhere, '127.0.0.60')
  await other.ok('login')
  await other.ok('start_chat')
  nextMinute()
  await last?.ok('start_chat')
  await Promise.all([...tabs, last!, other].map((tab) => tab.close()))
})

test('a message takes no further round trip, and one write more', async () => {
  const { client, chat_id } = await chatting()
  await world.settled()
  const { calls, sequentialDepth } = await world.proxy.record(() =>
    client.ok('send_event', { chat_id, event: message('x') }),
  )
  expect(sequentialDepth).toBe(2)
  const writes = calls.filter(({ operation }) => operation === 'PutItem' || operation === 'UpdateItem')
  expect(writes.map(({ operation, wru }) => [operation, wru]).toSorted()).toEqual([
    ['PutItem', 1],
    ['UpdateItem', 1],
  ])
})

test('counts are of a minute and of what is done, and forgotten soon after; an IPv6 site counts as one', async () => {
  const { read, write } = world.table
  const at = Date.now() + 3_600_000
  const address = countedAddress('2001:db8::1')
  const counted = async (who: Counted = address, what = 'connect', ms = at) =>
    (await count(write, who, what, ms)).count
  expect([await counted(), await counted(), await counted()]).toEqual([1, 2, 3])
  expect(await counted(countedAddress('2001:0db8:0:0:ffff::7'))).toBe(4)
  expect(await counted(countedAddress('2001:db8:0:1::1'))).toBe(1)
  expect(await counted(address, 'start_chat')).toBe(1)
  expect(await counted(countedAddress('192.0.2.1'))).toBe(1)
  expect(await counted(countedUser({ license_id: 'l', customer_id: 'c' }))).toBe(1)
  expect(await counted(countedUser({ license_id: 'l', agent_id: 'c' }))).toBe(1)
  expect(await counted(address, 'connect', at + 60_000)).toBe(1)
  await refuseUntil(write, address, at, at + 60_000)
  for (const ms of [at, at + 60_000])
    expect(await count(write, address, 'connect', ms)).toMatchObject({ refusedUntil: at + 60_000 })
  const item = await read.get(keys.minute(address, Math.floor(at / 60_000)), { strong: true })
  expect(Number(item?.['ttl'])).toBeLessThanOrEqual(at / 1000 + 600)
  expect(Number(item?.['ttl'])).toBeGreaterThanOrEqual(at / 1000 + 60)
})
