import { afterAll, beforeAll, expect, test } from 'vitest'
import { placesOf } from '../../shared/access/audience-lists.ts'
import { keys } from '../../shared/table/keys.ts'
import { maxAgeS, rowKeys, type Session } from '../../shared/table/sockets.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { type License, startWorld, type World } from '../support/world.ts'

// What an action reads grows with those who hear it, not with those who are connected.

const connected = 2000
const callMs = 150

let world: World
let license: License
let [ann, ben]: [Client, Client] = [undefined!, undefined!]
let [carl, cleo]: [CustomerClient, CustomerClient] = [undefined!, undefined!]
/**
 * A chat of ann's and ben's, and two of customers' and ann's: nobody else may see them but administrators.
 */
let [own, customers, agents] = ['', '', '']
const figures: string[] = []

/** Rows of so many connections, as logins write them, of agents who have no access to the chats here. */
const fill = async (): Promise<void> => {
  const nowS = Math.floor(Date.now() / 1000)
  const items = [...Array(connected).keys()].map((n) => {
    const session: Session = {
      ...{ license_id: license.id, agent_id: `other-${n}`, name: '', permission: 'normal', groups: [2] },
      ...{ token_expires_at: nowS + 86_400, license_expires_at: nowS + 86_400 },
    }
    const { name: _, ...row } = { ...session, places: placesOf(session) }
    const connection = `connection-${n}=`
    return rowKeys(row, connection).map((key) => ({ ...key, ...row, connection, ttl: nowS + maxAgeS }))
  })
  await world.table.write.batch(items.flat().map((Item) => ({ Put: { Item } })))
}

beforeAll(async () => {
  world = await startWorld({ stream: false })
  license = await world.license(
    { ann: { groups: [1] }, ben: {}, dora: { groups: [1, 3, 4] } },
    { groups: ['one', 'two', 'three', 'four'] },
  )
  ;[ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann', 'ben'] } } })
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  own = chat.id
  carl = (await license.visit()).client
  customers = (await carl.ok('start_chat', { chat: { scopes: { groups: [1] } } })).chat.id
  await ann.ok('send_event', { chat_id: customers, event: { type: 'message', text: 'hello' } })
  cleo = (await license.visit()).client
  const { chat: given } = await cleo.ok('start_chat')
  const [{ id: agent }] = given.users.filter(({ type }: { type: string }) => type === 'agent')
  agents = given.id
  await ann.ok('update_chat_scopes', { chat_id: agents, add_scopes: { agents: [agent] } })
  await fill()
})
afterAll(() => void process.stdout.write(`\n${figures.join('\n')}\n`))

const costOf = async <T>(
  name: string,
  request: (prepared: T) => Promise<unknown>,
  prepare: () => Promise<T>,
) => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
  const prepared = await prepare()
  await world.settled()
  const release = world.queue.hold()
  world.proxy.setDelay(callMs)
  const {
    sequentialDepth: trips,
    rru,
    wru,
  } = await world.proxy.record(() => request(prepared)).finally(release)
  world.proxy.setDelay(0)
  figures.push(`${name}: ${trips} round trips, ${rru} RRU, ${wru} WRU`)
  return { trips, rru, wru }
}
const event = { type: 'message', text: 'hello' }

test.each<[string, { trips: number; rru: number; wru: number }, () => Promise<unknown>]>([
  ['send_event', { trips: 2, rru: 6, wru: 1 }, () => ann.ok('send_event', { chat_id: own, event })],
  [
    'send_typing_indicator',
    { trips: 2, rru: 4, wru: 0 },
    () => ann.ok('send_typing_indicator', { chat_id: own, is_typing: true }),
  ],
  [
    'mark_event_as_seen',
    { trips: 2, rru: 6, wru: 1 },
    () => ben.ok('mark_event_as_seen', { chat_id: own, event_id: `${own}_1_1` }),
  ],
  [
    'update_last_seen_timestamp',
    { trips: 2, rru: 6, wru: 1 },
    () => ann.ok('update_last_seen_timestamp', { chat_id: own }),
  ],
  [
    "customer's send_event, to a group of one agent",
    // four lists: administrators, the group, the agent, its own tabs
    { trips: 2, rru: 6.5, wru: 1 },
    () => carl.ok('send_event', { chat_id: customers, event }),
  ],
  [
    "customer's send_event, to one agent",
    { trips: 2, rru: 6, wru: 1 },
    () => cleo.ok('send_event', { chat_id: agents, event }),
  ],
])(`%s costs no more with ${connected} others connected`, async (name, most, request) => {
  await request()
  const { trips, rru, wru } = await costOf(name, request, async () => {})
  expect(trips).toBeLessThanOrEqual(most.trips)
  expect(rru).toBeLessThanOrEqual(most.rru)
  expect(wru).toBeLessThanOrEqual(most.wru)
})

test('a login writes a row more for each of its groups, and one for open chats, in no further round trip', async () => {
  const login = async (agent: string) => {
    const token = await license.token(agent)
    return costOf(
      `login of ${agent}`,
      (client) => client.ok('login', { token }),
      () => world.open(),
    )
  }
  await license.login('dora')
  const [without, three] = [await login('ben'), await login('dora')]
  expect(three.trips).toBeLessThanOrEqual(without.trips)
  expect(three.wru - without.wru).toBe(3 * 2)
})

test(`a thread that closes has nobody looked for among ${connected} active chats where none waits`, async () => {
  const rows = Array.from({ length: connected }, (_, n) => ({
    ...{ id: `busy-${n}`, thread: 1, started_at: 1, scopes: { groups: [2], agents: [] } },
    users: [
      { id: `customer-${n}`, type: 'customer' as const, present: true },
      { id: `other-${n}`, type: 'agent' as const, present: true },
    ],
  }))
  await world.table.write.batch(
    rows.map((row) => ({ Put: { Item: { ...keys.activeChat(license.id, row.id), ...row } } })),
  )
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
  await world.queue.flush()
  const { rru } = await world.proxy.record(async () => {
    await ann.ok('close_thread', { chat_id: chat.id })
    await world.queue.flush()
  })
  figures.push(`close_thread and its routing: ${rru} RRU`)
  expect(rru).toBeLessThanOrEqual(6)
})
