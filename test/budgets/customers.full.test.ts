import { marshall } from '@aws-sdk/util-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { tailRange } from '../../shared/table/chat/log-ranges.ts'
import { itemBytes } from '../support/capacity.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { type License, startWorld, type Visitor, type World } from '../support/world.ts'

// Longer than a call takes by itself, so that calls made side by side overlap and the depth counts round
// trips; short enough that an audience which was read early is not read again.
const callMs = 150
// with a customer's two tabs twenty
const agents = 18
const tail = 25

let world: World
const figures: string[] = []
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => void process.stdout.write(`\n${figures.join('\n')}\n`))

/** Turns rate limits on that nothing here comes near; off again after the test. */
const limited = () => {
  for (const name of ['RATE_START_CHAT', 'RATE_SEND_EVENT', 'RATE_OTHER']) world.settings[name] = '100'
  world.settings['RATE_ADDRESS_FACTOR'] = '20'
}
const unlimited = () => {
  for (const name of ['RATE_START_CHAT', 'RATE_SEND_EVENT', 'RATE_OTHER', 'RATE_ADDRESS_FACTOR'])
    world.settings[name] = '0'
}
afterEach(unlimited)

interface Figures {
  trips: number
  rru: number
  wru: number
}

/** What one request costs. All that earlier requests left to the workers is done before it. */
const costOf = async (
  name: string,
  request: () => Promise<unknown>,
  prepare: () => Promise<unknown> = async () => {},
): Promise<Figures> => {
  await world.queue.flush()
  await prepare()
  await world.settled()
  // jobs that the request sets off are no part of it
  const resume = world.queue.hold()
  world.proxy.setDelay(callMs)
  const { sequentialDepth: trips, calls } = await world.proxy.record(request)
  // nor what the stream's workers read beside it
  const own = calls.filter(({ lambda }) => lambda?.startsWith('worker/') !== true)
  const [rru, wru] = (['rru', 'wru'] as const).map((unit) =>
    own.reduce((sum, call) => sum + call[unit], 0),
  ) as [number, number]
  world.proxy.setDelay(0)
  resume()
  figures.push(`${name}: ${trips} round trips, ${rru} RRU, ${wru} WRU`)
  return { trips, rru, wru }
}

/** Fails where a request costs more than it may. */
const within = async (
  name: string,
  most: Figures,
  request: () => Promise<unknown>,
  prepare?: () => Promise<unknown>,
): Promise<Figures> => {
  const cost = await costOf(name, request, prepare)
  expect(cost.trips, `${name}: round trips`).toBeLessThanOrEqual(most.trips)
  expect(cost.rru, `${name}: RRU`).toBeLessThanOrEqual(most.rru)
  expect(cost.wru, `${name}: WRU`).toBeLessThanOrEqual(most.wru)
  return cost
}

const ids = Array.from({ length: agents }, (_, i) => `agent-${String(i).padStart(2, '0')}`)

interface Office {
  license: License
  /** Eighteen logged-in agents, one of whom takes chats. */
  ann: Client
  others: Client[]
}

const openOffice = async (): Promise<Office> => {
  const drafts = ids.map((id) => [id, { name: `Agent ${id}`, max_chats: 100 }] as const)
  const license = await world.license(Object.fromEntries(drafts), { groups: ['Support', 'Sales'] })
  const clients = await mapAtOnce(ids, (id) => license.login(id))
  const [ann, ...others] = clients
  await Promise.all(
    others.map((other) => other.ok('update_agent', { routing_status: 'not_accepting_chats' })),
  )
  return { license, ann: ann!, others }
}
let office: Office
beforeAll(async () => {
  office = await openOffice()
})

/** Makes the item of a message one of just under 1 KB. */
const longText = 'x'.repeat(720)

interface Talk {
  visitor: Visitor
  carl: CustomerClient
  chat_id: string
}

/** A customer on two tabs, in a chat with `ann` whose last 25 entries are as large as `text` makes them. */
const startTalk = async ({ license }: Office, text: string): Promise<Talk> => {
  const visitor = await license.visit({ customer: { name: 'Carl', email: 'carl@example.com' } })
  await license.visit({ token: visitor.token })
  const { client: carl } = visitor
  const { chat } = await carl.ok('start_chat')
  for (let more = 0; more < tail; more += 1)
    await carl.ok('send_event', { chat_id: chat.id, event: { type: 'message', text } })
  return { visitor, carl, chat_id: chat.id }
}

describe.each([
  { tailOf: 'entries of 1 KB', text: longText, least: 900, most: 1024, sendRru: 8 },
  { tailOf: 'short entries', text: 'hello', least: 1, most: 300, sendRru: 5 },
])('with the sockets of 18 agents, two tabs and 25 $tailOf', ({ tailOf, text, least, most, sendRru }) => {
  let talk: Talk
  beforeAll(async () => {
    talk = await startTalk(office, text)
  })
  const event = { type: 'message', text }

  test('the entries are as large as said', async () => {
    const entries = await world.table.read.query(tailRange(talk.chat_id, true))
    const sizes = entries.map((item) => itemBytes(marshall(item) as never))
    expect(sizes).toHaveLength(tail)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(least)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most)
  })

  test('send_event of a customer takes two round trips and one write unit', async () => {
    const { carl, chat_id } = talk
    const { wru } = await within(`send_event, ${tailOf}`, { trips: 2, rru: sendRru, wru: 1 }, () =>
      carl.ok('send_event', { chat_id, event }),
    )
    expect(wru).toBe(1)
  })

  test('send_event of a customer takes one write unit more where a rate limit is on, and no round trip', async () => {
    const { carl, chat_id } = talk
    limited()
    const { wru } = await within(`send_event, limited, ${tailOf}`, { trips: 2, rru: sendRru, wru: 2 }, () =>
      carl.ok('send_event', { chat_id, event }),
    )
    expect(wru).toBe(2)
  })

  test('send_event of an agent takes no round trip more for the customer', async () => {
    const { chat_id } = talk
    await within(`send_event of an agent, ${tailOf}`, { trips: 2, rru: sendRru, wru: 1 }, () =>
      office.ann.ok('send_event', { chat_id, event }),
    )
  })
})

describe('with the sockets of 18 agents, two tabs and 25 entries of 1 KB', () => {
  let talk: Talk
  beforeAll(async () => {
    talk = await startTalk(office, longText)
  })

  test('typing, sneak peeks and seen take two round trips', async () => {
    const { carl, chat_id } = talk
    const event_id = `${chat_id}_1_${tail}`
    const requests: [string, object, number][] = [
      ['send_typing_indicator', { chat_id, is_typing: true }, 0],
      ['send_sneak_peek', { chat_id, sneak_peek_text: longText }, 0],
      ['mark_event_as_seen', { chat_id, event_id }, 1],
      ['update_last_seen_timestamp', { chat_id }, 1],
      // whose chat it is shows with the session
      ['update_last_seen_timestamp', {}, 1],
    ]
    for (const [index, [name, payload, wru]] of requests.entries()) {
      // the fourth in a minute is counted for its address as well
      const counts = index === 3 ? 2 : 1
      const trips = Object.keys(payload).length === 0 ? 3 : 2
      await within(name, { trips, rru: 5, wru }, () => carl.ok(name, payload))
      limited()
      await within(`${name}, limited`, { trips, rru: 5, wru: wru + counts }, () => carl.ok(name, payload))
      unlimited()
    }
  })

  test('no other action of a customer takes more than three round trips, update_customer five', async () => {
    const { carl, chat_id } = talk
    const properties = { rating: { score: 1 } }
    const requests: [string, object][] = [
      ['update_chat_properties', { chat_id, properties }],
      ['update_chat_thread_properties', { chat_id, thread_id: `${chat_id}_1`, properties }],
      ['update_chat_scopes', { chat_id, add_scopes: { groups: [1] } }],
      ['update_chat_scopes', { chat_id, remove_scopes: { groups: [1] } }],
      ['update_customer', { customer: { properties: { plan: 'gold' } } }],
      ['get_chat_threads', { chat_id }],
      ['get_chat_threads_summary', { chat_id }],
      ['get_chats_summary', {}],
    ]
    for (const [name, payload] of requests)
      await within(name, { trips: name === 'update_customer' ? 5 : 3, rru: 13, wru: 8 }, () =>
        carl.ok(name, payload),
      )
  })

  test('agents join, supervise and leave for what they do in a chat without a customer', async () => {
    const { chat_id } = talk
    const [ben] = office.others
    const [self, others] = [[ids[1]], ids.slice(2, 5)]
    const steps: [string, string, object, number, number][] = [
      ['join_chat of oneself', 'join_chat', { agent_ids: self }, 3, 1],
      ['join_chat of 3 others', 'join_chat', { agent_ids: others }, 4, 3],
      ['remove_from_chat of 3 others', 'remove_from_chat', { agent_ids: others }, 4, 3],
      ['supervise_chat of 3 others', 'supervise_chat', { agent_ids: others }, 4, 3],
      ['remove_from_chat of oneself', 'remove_from_chat', {}, 3, 1],
    ]
    for (const [name, action, payload, trips, count] of steps)
      await within(`${name} in a customer’s chat`, { trips, rru: 12, wru: 6 + 4 * count }, () =>
        ben!.ok(action, { chat_id, ...payload }),
      )
  })
})

describe('close_thread', () => {
  test.each([
    ['a customer', ({ carl }: Talk) => carl],
    ['an agent', (_: Talk, { ann }: Office) => ann],
  ] as const)('of %s', async (who, by) => {
    const talk = await startTalk(office, longText)
    const { chat_id } = talk
    await within(`close_thread of ${who}`, { trips: 3, rru: 12, wru: 6 + 2 }, () =>
      by(talk, office).ok('close_thread', { chat_id }),
    )
  })
})

describe('start_chat with the sockets of 18 agents', () => {
  const message = { type: 'message', text: longText }
  const chat = { thread: { events: [message] } }
  const arrive = (payload?: object) => office.license.visit(payload)

  test('of a new customer, who is given to an agent, takes four round trips at most', async () => {
    const { client } = await arrive()
    // one further event, the check of the agent, the customer
    let shown: any
    await within('start_chat, routed', { trips: 4, rru: 12, wru: 14 + 2 * 3 }, async () => {
      shown = (await client.ok('start_chat', { chat })).chat
    })
    expect(shown.users).toMatchObject([{ type: 'customer' }, { id: ids[0], present: true }])
  })

  test('takes a write unit for each count where limits are on: customer, its messages, address, license', async () => {
    const { client } = await arrive({ customer: { name: 'Carl' } })
    limited()
    await within('start_chat, routed, limited', { trips: 4, rru: 12, wru: 14 + 2 * 3 + 4 }, () =>
      client.ok('start_chat', { chat }),
    )
  })

  test('of a customer who comes back', async () => {
    const { client } = await arrive({ customer: { name: 'Carl' } })
    const { chat: first } = await client.ok('start_chat', { chat })
    await client.ok('close_thread', { chat_id: first.id })
    await within('start_chat, again', { trips: 4, rru: 12, wru: 14 + 2 }, () =>
      client.ok('start_chat', { chat }),
    )
    await within('start_chat, active already', { trips: 4, rru: 12, wru: 14 }, () =>
      client.ok('start_chat', { chat }),
    )
  })

  test('of a customer whose agent is gone', async () => {
    const { client } = await arrive({ customer: { name: 'Carl' } })
    const { chat: first } = await client.ok('start_chat', { chat })
    await client.ok('close_thread', { chat_id: first.id })
    await office.ann.ok('remove_from_chat', { chat_id: first.id })
    // as before, and the chat goes to another: one event, one check
    let sent: any
    await within(
      'send_event that starts a thread, routed',
      { trips: 4, rru: 12, wru: 14 + 2 * 3 },
      async () => {
        sent = await client.ok('send_event', { chat_id: first.id, event: message })
      },
    )
    expect(sent.thread_id).toBe(`${first.id}_2`)
  })

  test('of an agent with a customer', async () => {
    const { client, id } = await arrive({ customer: { name: 'Carl' } })
    const users = [{ id, type: 'customer' }]
    let started: any
    await within(
      'start_chat of an agent with a customer',
      { trips: 4, rru: 12, wru: 14 + 2 * 2 },
      async () => {
        started = await office.ann.ok('start_chat', { chat: { users, ...chat } })
      },
    )
    expect((await client.next('incoming_chat_thread')).chat.id).toBe(started.chat.id)
  })

  test('where nobody is free, and the join of whoever takes it then', async () => {
    const license = await world.license(Object.fromEntries(ids.map((id) => [id, { max_chats: 0 }])))
    const clients = await mapAtOnce(ids, (id) => license.login(id))
    const { client } = await license.visit()
    let waiting: any
    // one further event, the customer
    await within('start_chat, unassigned', { trips: 4, rru: 12, wru: 14 + 2 * 2 }, async () => {
      waiting = (await client.ok('start_chat', { chat })).chat
    })
    expect(waiting.properties.routing.unassigned).toEqual({ value: true })
    await within('join_chat of a chat that waits', { trips: 4, rru: 12, wru: 6 + 4 + 2 }, () =>
      clients[0]!.ok('join_chat', { chat_id: waiting.id, agent_ids: [ids[0]] }),
    )
  })
})

describe('login of a customer', () => {
  const details = {
    customer: {
      ...{ name: 'Carl', email: 'carl@example.com', properties: { plan: 'gold' } },
      monitoring: { page: { url: 'https://shop.example/cart', title: 'Cart' }, timezone: 'Europe/Warsaw' },
    },
  }

  test.each([
    ['who is new', async () => ({}), { trips: 4, rru: 8, wru: 8 }],
    ['who is new and says who it is', async () => details, { trips: 4, rru: 8, wru: 8 }],
    [
      'who comes back to an active chat',
      async () => ({ token: (await startTalk(office, longText)).visitor.token, ...details }),
      { trips: 6, rru: 18, wru: 8 },
    ],
  ] as const)('%s', async (who, payloadOf, most) => {
    const payload = await payloadOf()
    let client: CustomerClient
    await within(
      `login of a customer ${who}`,
      most,
      () => client.ok('login', payload),
      // after what earlier requests left: a connection is closed where no login is left to come
      async () => {
        client = await office.license.arrive()
      },
    )
  })
})
