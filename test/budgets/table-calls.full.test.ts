import { marshall } from '@aws-sdk/util-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chatPk } from '../../shared/table/keys.ts'
import { putChangedChat } from '../../shared/table/chat/changed-chats.ts'
import { type StoredEvent } from '../../shared/table/chat/thread-log.ts'
import { tailRange } from '../../shared/table/chat/log-ranges.ts'
import { chatOps } from '../archives/generated.ts'
import type { ChatModel } from '../archives/naive.ts'
import { putAll } from '../archives/put.ts'
import { itemBytes } from '../support/capacity.ts'
import type { Client } from '../support/client.ts'
import { addCustomer, startCustomerChat } from '../support/customers.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { type License, startWorld, type World } from '../support/world.ts'

// Longer than a call takes by itself, so that calls made side by side overlap and the depth counts round
// trips; short enough that an audience which was read early is not read again.
const callMs = 150
const sockets = 20
const tail = 25

let world: World
const figures: string[] = []
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => void process.stdout.write(`\n${figures.join('\n')}\n`))

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
  delayMs = callMs,
): Promise<Figures> => {
  await world.queue.flush()
  await prepare()
  await world.settled()
  // what a request leaves to the workers is no part of it
  const release = world.queue.hold()
  world.proxy.setDelay(delayMs)
  const { sequentialDepth: trips, rru, wru } = await world.proxy.record(request).finally(release)
  world.proxy.setDelay(0)
  figures.push(`${name}: ${trips} round trips, ${rru} RRU, ${wru} WRU`)
  return { trips, rru, wru }
}

const ids = Array.from({ length: sockets }, (_, i) => `agent-${String(i).padStart(2, '0')}`)

interface Office {
  license: License
  /** The first of twenty logged-in agents, and the others. */
  ann: Client
  others: Client[]
}

const openOffice = async (): Promise<Office> => {
  const license = await world.license(Object.fromEntries(ids.map((id) => [id, { name: `Agent ${id}` }])), {
    groups: ['Support', 'Sales'],
  })
  await license.addAgent('late')
  const clients = await mapAtOnce(ids, (id) => license.login(id))
  const [ann, ...others] = clients
  return { license, ann: ann!, others }
}
/** Of all tests but those to which it matters which chats it has. */
let office: Office
beforeAll(async () => {
  office = await openOffice()
})

/** Makes the item of a message one of just under 1 KB. */
const longText = 'x'.repeat(840)

const startChat = async ({ ann }: Office, text: string): Promise<string> => {
  const events = Array.from({ length: 20 }, () => ({ type: 'message', text }))
  const { chat } = await ann.ok('start_chat', { initial_events: events })
  const event = { type: 'message', text }
  for (let more = events.length; more < tail; more += 1)
    await ann.ok('send_event', { chat_id: chat.id, event })
  return chat.id
}

const bytesOf = (items: object[]) => items.map((item) => itemBytes(marshall(item) as never))

describe.each([
  { tailOf: 'entries of 1 KB', text: longText, least: 900, most: 1024, sendRru: 8 },
  { tailOf: 'short entries', text: 'hello', least: 1, most: 300, sendRru: 5 },
])('with 20 sockets and 25 $tailOf', ({ tailOf, text, least, most, sendRru }) => {
  const cost = (name: string, request: () => Promise<unknown>) => costOf(`${name}, ${tailOf}`, request)

  test('the entries are as large as said', async () => {
    const chat = await startChat(office, text)
    const sizes = bytesOf(await world.table.read.query(tailRange(chat, true)))
    expect(sizes).toHaveLength(tail)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(least)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most)
  })

  test('send_event to an active thread takes two round trips and one write unit', async () => {
    const chat_id = await startChat(office, text)
    const event = { type: 'message', text }
    const { trips, rru, wru } = await cost('send_event', () =>
      office.ann.ok('send_event', { chat_id, event }),
    )
    expect(trips).toBeLessThanOrEqual(2)
    expect(rru).toBeLessThanOrEqual(sendRru)
    expect(wru).toBe(1)
  })

  test('close_thread', async () => {
    const chat_id = await startChat(office, text)
    const { trips, rru, wru } = await cost('close_thread', () => office.ann.ok('close_thread', { chat_id }))
    expect(trips).toBeLessThanOrEqual(3)
    expect(rru).toBeLessThanOrEqual(12)
    expect(wru).toBeLessThanOrEqual(6 + 2)
  })

  test('join_chat of oneself takes one round trip less than of others', async () => {
    const chat_id = await startChat(office, text)
    const [ben] = office.others
    const self = await cost('join_chat of oneself', () =>
      ben!.ok('join_chat', { chat_id, agent_ids: [ids[1]] }),
    )
    expect(self.trips).toBeLessThanOrEqual(3)
    expect(self.rru).toBeLessThanOrEqual(12)
    expect(self.wru).toBeLessThanOrEqual(6 + 4)

    const agent_ids = ids.slice(2, 5)
    const others = await cost('join_chat of 3 others', () => ben!.ok('join_chat', { chat_id, agent_ids }))
    expect(others.trips).toBeLessThanOrEqual(4)
    expect(others.rru).toBeLessThanOrEqual(12)
    expect(others.wru).toBeLessThanOrEqual(6 + 4 * agent_ids.length)
  })

  test('transfer_chat takes four round trips, and looking whom to give it to takes two', async () => {
    const customer = `transferred-${text.length}`
    await addCustomer(world, office.license.id, customer)
    const users = [{ id: ids[0]!, type: 'agent' as const, present: true, met: true as const }]
    const chat_id = await startCustomerChat(world, office.license.id, customer, { users })
    const list = await cost('list_agents_for_transfer', () =>
      office.ann.ok('list_agents_for_transfer', { chat_id }),
    )
    expect(list.trips).toBeLessThanOrEqual(2)
    expect(list.wru).toBe(0)
    const target = { type: 'agent', ids: [ids[1]] }
    const given = await cost('transfer_chat', () => office.ann.ok('transfer_chat', { chat_id, target }))
    expect(given.trips).toBeLessThanOrEqual(4)
    expect(given.wru).toBeLessThanOrEqual(16)
  })

  test('remove_from_chat of oneself takes one round trip less than of others', async () => {
    const chat_id = await startChat(office, text)
    const agent_ids = ids.slice(2, 5)
    await office.ann.ok('join_chat', { chat_id, agent_ids })
    const others = await cost('remove_from_chat of 3 others', () =>
      office.ann.ok('remove_from_chat', { chat_id, agent_ids }),
    )
    expect(others.trips).toBeLessThanOrEqual(4)
    expect(others.rru).toBeLessThanOrEqual(12)
    expect(others.wru).toBeLessThanOrEqual(6 + 4 * agent_ids.length)

    const self = await cost('remove_from_chat of oneself', () =>
      office.ann.ok('remove_from_chat', { chat_id }),
    )
    expect(self.trips).toBeLessThanOrEqual(3)
    expect(self.rru).toBeLessThanOrEqual(12)
    expect(self.wru).toBeLessThanOrEqual(6 + 4)
  })
})

describe('with 20 sockets, in a chat of 25 entries of 1 KB', () => {
  let chat_id: string
  beforeAll(async () => {
    chat_id = await startChat(office, longText)
    await office.others[0]!.ok('join_chat', { chat_id, agent_ids: [ids[1]] })
  })
  const cost = async (name: string, payload: object, by = office.ann) => {
    const before = JSON.stringify(payload).length < 90 ? ` ${JSON.stringify(payload)}` : ''
    return costOf(`${name}${before}`, () => by.ok(name, payload))
  }

  test('send_typing_indicator writes nothing', async () => {
    const { trips, rru, wru } = await cost('send_typing_indicator', { chat_id, is_typing: true })
    expect(trips).toBeLessThanOrEqual(2)
    expect(rru).toBeLessThanOrEqual(5)
    expect(wru).toBe(0)
  })

  test('mark_event_as_seen and update_last_seen_timestamp take one write unit', async () => {
    const event_id = `${chat_id}_1_${tail}`
    for (const [name, payload] of [
      ['mark_event_as_seen', { chat_id, event_id }],
      // moves nothing: a condition that fails is paid for too
      ['mark_event_as_seen', { chat_id, event_id }],
      ['update_last_seen_timestamp', { chat_id }],
      ['update_last_seen_timestamp', { chat_id, timestamp: 1 }],
    ] as const) {
      const { trips, rru, wru } = await cost(name, payload)
      expect(trips).toBeLessThanOrEqual(2)
      expect(rru).toBeLessThanOrEqual(5)
      expect(wru).toBeLessThanOrEqual(1)
    }
  })

  test('supervise_chat', async () => {
    const self = await cost('supervise_chat', { chat_id }, office.others[7]!)
    expect(self.trips).toBeLessThanOrEqual(3)
    expect(self.rru).toBeLessThanOrEqual(12)
    expect(self.wru).toBeLessThanOrEqual(6 + 4)
    const others = await cost('supervise_chat', { chat_id, agent_ids: ids.slice(12, 15) })
    expect(others.trips).toBeLessThanOrEqual(4)
    expect(others.rru).toBeLessThanOrEqual(12)
    expect(others.wru).toBeLessThanOrEqual(6 + 4 * 3)
  })

  test('update_chat_scopes', async () => {
    const scopes = { groups: [1, 2], agents: ids.slice(0, 5) }
    expect((await cost('update_chat_scopes', { chat_id, add_scopes: scopes })).trips).toBeLessThanOrEqual(4)
    expect((await cost('update_chat_scopes', { chat_id, remove_scopes: scopes })).trips).toBeLessThanOrEqual(
      4,
    )
  })

  test('no other action takes more than three round trips', async () => {
    const properties = { rating: { score: 1 } }
    const device = { firebase_token: 'token-of-a-phone', platform: 'ios' }
    const requests: [string, object][] = [
      ['update_chat_properties', { chat_id, properties }],
      ['update_chat_thread_properties', { chat_id, thread_id: `${chat_id}_1`, properties }],
      ['tag_thread', { chat_id, thread_id: `${chat_id}_1`, tag: 'refund' }],
      ['untag_thread', { chat_id, thread_id: `${chat_id}_1`, tag: 'refund' }],
      ['update_agent', { routing_status: 'not_accepting_chats' }],
      ['send_broadcast', { content: { lunch: 'noon' } }],
      ['send_broadcast', { content: { lunch: 'noon' }, scopes: { groups: [1], agents: [ids[1]] } }],
      ['change_push_notifications', { ...device, enabled: true }],
      ['change_push_notifications', { ...device, enabled: false }],
    ]
    for (const [name, payload] of requests)
      expect((await cost(name, payload)).trips, name).toBeLessThanOrEqual(3)
  })

  test('logout takes three round trips', async () => {
    const by = await office.license.login(ids[3]!)
    const { trips, rru } = await cost('logout', { firebase_token: 'token-of-a-phone' }, by)
    expect(trips).toBeLessThanOrEqual(3)
    expect(rru).toBeLessThanOrEqual(5)
  })

  test('get_customer takes two round trips, update_customer four', async () => {
    await addCustomer(world, office.license.id, 'cara', { name: 'Cara' })
    await startCustomerChat(world, office.license.id, 'cara')
    const { trips, rru } = await cost('get_customer', { customer_id: 'cara' })
    expect(trips).toBeLessThanOrEqual(2)
    expect(rru).toBeLessThanOrEqual(6)
    // with tabs, whose sessions are renamed as well, one more
    for (const customer of [{ email: 'cara@example.com' }, { name: 'Carla' }])
      expect((await cost('update_customer', { customer_id: 'cara', customer })).trips).toBeLessThanOrEqual(4)
  })

  test('ban_customer takes four round trips, unban_customer three', async () => {
    await addCustomer(world, office.license.id, 'cleo')
    await startCustomerChat(world, office.license.id, 'cleo')
    const ban = { customer_id: 'cleo', ban: { days: 1 } }
    // the stream's worker looks at the customer too once it is banned, which nobody waits for
    let isBanned = false
    world.proxy.setFault(({ operation, request }) => {
      if (operation === 'TransactWriteItems') isBanned = true
      const isWorkers = operation === 'GetItem' && JSON.stringify(request).includes('"CUSTOMER"')
      return isBanned && isWorkers ? { delayMs: 3000 } : undefined
    })
    const { trips } = await cost('ban_customer', ban)
    world.proxy.setFault(undefined)
    expect(trips).toBeLessThanOrEqual(4)
    expect((await cost('unban_customer', { customer_id: 'cleo' })).trips).toBeLessThanOrEqual(3)
  })
})

test('get_filtered_chats on 100 results takes five round trips', async () => {
  const by = { author_id: ids[1]! }
  const events: StoredEvent[] = [
    { type: 'system_message', text: 'begun' },
    { ...by, type: 'annotation', annotation_type: 'rating', text: 'good' },
    ...Array.from({ length: 8 }, (): StoredEvent => ({ ...by, type: 'message', text: 'hello' })),
  ]
  const at = Date.now()
  const chats = Array.from({ length: 110 }, (_, i): ChatModel => ({
    ...{ id: `filtered${i}`, scopes: { groups: [], agents: [] }, active: true },
    users: [{ id: ids[1]!, type: 'agent', present: true, met: true }],
    properties: { source: { type: { value: 'twitter' } } },
    threads: [{ n: 1, at: at + i, userIds: new Set([ids[1]!]), properties: {}, events }],
  }))
  await putAll(
    world.table,
    chats.flatMap((chat) => chatOps(office.license.id, chat)),
  )
  let answer: any
  const filters = { properties: { 'source.type': { values: ['twitter'] } } }
  const { trips } = await costOf(
    'get_filtered_chats',
    async () => {
      answer = await office.ann.ok('get_filtered_chats', { filters })
    },
    undefined,
    // a round of more than a hundred calls takes a while to begin
    600,
  )
  expect(answer.chats_summary).toHaveLength(100)
  expect(answer.pagination).toEqual({ page: 1, total: 110 })
  expect(answer.chats_summary[0].last_thread_summary.last_event_per_type).toHaveLength(3)
  // the last is for the newest events of their types that are not the end of a log
  expect(trips).toBeLessThanOrEqual(5)
})

describe('sync', () => {
  const hourMs = 3_600_000
  const at = Date.now() - hourMs
  const events: StoredEvent[] = [{ type: 'message', author_id: ids[1]!, text: longText }]
  const chats = (name: string, active: boolean, count: number, since: number): ChatModel[] =>
    Array.from({ length: count }, (_, i) => ({
      ...{ id: `${name}${i}`, scopes: { groups: [], agents: [] }, active, properties: {} },
      users: [{ id: ids[1]!, type: 'agent', present: true, met: true }],
      threads: [{ n: 1, at: since + i, userIds: new Set([ids[1]!]), properties: {}, events }],
    }))
  let license: License
  let ann: Client
  beforeAll(async () => {
    license = await world.license({ [ids[1]!]: {}, ann: {} })
    ann = await license.login('ann')
  })
  const put = async (some: readonly ChatModel[]) => {
    await putAll(
      world.table,
      some.flatMap((chat) => chatOps(license.id, chat)),
    )
  }
  const cost = async (name: string) => {
    const { cursor } = await ann.ok('ping', { cursor: true })
    let answer: any
    const run = async () => {
      answer = await ann.ok('sync', { cursor })
    }
    // a round of two hundred calls takes a while to begin
    const figures = await costOf(name, run, undefined, 600)
    return { ...figures, answer }
  }

  test('takes three round trips where none of twenty chats has changed', async () => {
    await put(chats('quiet', true, 20, at))
    const { trips, rru, wru, answer } = await cost('sync, nothing changed of 20 active chats')
    expect(answer).toMatchObject({ recovered: true, has_more: false, chats: [] })
    expect(trips).toBeLessThanOrEqual(3)
    // of each the chat and the end of its log; the rest are session, lists and who is there
    expect(rru).toBeLessThanOrEqual(20 * 2 + 10)
    expect(wru).toBe(0)
  })

  test('takes four round trips for a hundred chats that changed', async () => {
    const changed = [...chats('busy', true, 40, Date.now()), ...chats('gone', false, 40, Date.now())]
    await put(changed)
    const gone = changed.filter(({ active }) => !active)
    for (const { id } of gone)
      await world.table.write.write(putChangedChat({ license_id: license.id, id }, Date.now()))
    const { trips, answer } = await cost('sync, 40 active and 40 closed chats changed of 100')
    expect(answer).toMatchObject({ recovered: true, has_more: false })
    expect(answer.chats.map(({ id }: any) => id).toSorted()).toEqual(changed.map(({ id }) => id).toSorted())
    expect(trips).toBeLessThanOrEqual(4)
  })
})

describe('start_chat with 20 sockets', () => {
  const message = { type: 'message', text: longText }
  const properties = { source: { type: 'facebook', text: 'x'.repeat(500) } }
  const cases: [string, object, number, number][] = [
    ['nothing', {}, 3, 0],
    ['an event and properties', { events: [message], properties }, 3, 0],
    ['six events', { events: Array.from({ length: 6 }, () => message), properties }, 3, 5],
    ['two agents as scopes', { events: [message], scopes: { agents: [ids[3], ids[4]] } }, 3, 2],
    // groups of others are read first
    [
      'two groups and an agent as scopes',
      { events: [message], scopes: { groups: [1, 2], agents: [ids[3]] } },
      4,
      1,
    ],
  ]
  test.each(cases)('of %s', async (name, { properties: both, ...thread }: any, most, further) => {
    const chat = { properties: both, thread: { ...thread, properties: both } }
    const { trips, rru, wru } = await costOf(`start_chat of ${name}`, () =>
      office.ann.ok('start_chat', { chat }),
    )
    expect(trips).toBeLessThanOrEqual(most)
    expect(rru).toBeLessThanOrEqual(12)
    expect(wru).toBeLessThanOrEqual(14 + 2 * further)
  })
})

describe('login with 20 active chats of 1 KB entries of five types, and 20 sockets', () => {
  const field = { type: 'text', name: 'note', label: 'Note', required: false, value: 'x'.repeat(550) }
  const events = [
    { type: 'system_message', text: longText.slice(60) },
    { type: 'annotation', annotation_type: 'rating', text: longText.slice(140) },
    { type: 'filled_form', fields: [field] },
    { type: 'custom', content: { x: longText.slice(140) } },
    { type: 'message', text: longText.slice(60) },
  ]
  let office: Office
  beforeAll(async () => {
    office = await openOffice()
    const chat = { properties: { source: { type: 'facebook' } }, thread: { events } }
    await mapAtOnce(Array.from({ length: 20 }), () => office.ann.ok('start_chat', { chat }))
  })

  test.each([
    ['of an agent that comes online', 'late', undefined, 10],
    ['of an agent on a second device', ids[5]!, undefined, 10],
    ['with a phone', ids[6]!, { firebase_token: 'token-of-a-phone', platform: 'ios' }, 14],
  ] as const)('%s', async (name, agent, push_notifications, most) => {
    const token = await office.license.token(agent)
    let client: Client
    let answer: any
    const { trips, rru, wru } = await costOf(
      `login ${name}`,
      async () => {
        answer = await client.ok('login', { token, push_notifications })
      },
      async () => {
        client = await world.open()
      },
    )
    expect(answer.chats_summary).toHaveLength(20)
    for (const { last_thread_summary } of answer.chats_summary)
      expect(last_thread_summary.last_event_per_type.map(({ type }: any) => type)).toEqual(
        events.map(({ type }) => type),
      )
    const log = await world.table.read.query({ pk: chatPk(answer.chats_summary[0].id), prefix: 'LOG#' })
    expect(Math.max(...bytesOf(log))).toBeLessThanOrEqual(1024)
    expect(trips).toBeLessThanOrEqual(6)
    expect(rru).toBeLessThanOrEqual(115)
    expect(wru).toBeLessThanOrEqual(most)
  })
})
