import pLimit from 'p-limit'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { AgentItem, setOnline } from '../../shared/table/accounts.ts'
import { keys } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { type AgentDraft, type License, startWorld, type World } from '../support/world.ts'

const graceS = 3600
let world: World
beforeAll(async () => {
  world = await startWorld({ presenceGraceS: graceS, delayScale: 1000 })
})
afterEach(() => {
  world.gateway.setFaults({})
  world.proxy.setFault(undefined)
})

const mostConnections = 30
const live = async ({ id }: License, agent: string) =>
  (await readAgentSockets(world.table.read, id, agent)).filter(({ ended }) => ended === undefined)
const closed = (clients: readonly Client[]) => clients.filter((client) => client.closed !== undefined)

describe('the thirty-first connection of an agent', () => {
  test('evicts the oldest, which is told why, may do nothing more, and is closed', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    const clients: Client[] = []
    for (let n = 0; n < mostConnections; n += 1) clients.push(await license.login('ann'))
    await calm(world)
    expect(closed(clients)).toEqual([])
    const [oldest, ...others] = clients as [Client, ...Client[]]
    await ben.received()

    const newest = await license.login('ann')
    expect(await oldest.refused('start_chat')).toMatchObject({ type: 'auth' })
    await world.queue.flush()
    await vi.waitFor(() => expect(oldest.closed).toBeDefined(), 60_000)
    expect(await oldest.received()).toContainEqual({
      action: 'agent_disconnected',
      payload: { reason: 'too_many_connections' },
    })
    await calm(world)
    expect(closed(others)).toEqual([])
    expect(await live(license, 'ann')).toHaveLength(mostConnections)
    // it was there all the time, on the others
    expect(await ben.received()).toEqual([])
    await newest.ok('start_chat')
    for (const client of others) await client.next('incoming_chat_thread')
  })

  test('is not there where one logs in again, nor where others of the license are', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const clients: Client[] = [await license.login('ben')]
    for (let n = 0; n < mostConnections; n += 1) clients.push(await license.login('ann'))
    for (const client of clients.slice(1, 4)) await client.ok('login', { token: await license.token('ann') })
    await calm(world)
    expect(closed(clients)).toEqual([])
  })

  test('of many at once: thirty are left, and the last to log in are among them', async () => {
    const license = await world.license({ ann: {} })
    const early: Client[] = []
    for (let n = 0; n < 10; n += 1) early.push(await license.login('ann'))
    const late = await Promise.all(Array.from({ length: mostConnections }, () => license.login('ann')))
    await calm(world)
    await vi.waitFor(() => expect(closed(early)).toHaveLength(10), 60_000)
    expect(closed(late)).toEqual([])
    expect(await live(license, 'ann')).toHaveLength(mostConnections)
  })
})

describe('many agents at once', () => {
  /** A license of so many agents, whom an owner watches: `updates` tells of whom it was told since. */
  const office = async (count: number) => {
    const ids = Array.from({ length: count }, (_, n) => `agent-${String(n).padStart(3, '0')}`)
    const drafts: Record<string, AgentDraft> = Object.fromEntries(ids.map((id) => [id, {}]))
    const license = await world.license({ watcher: { permission: 'owner' }, ...drafts })
    const watcher = await license.login('watcher')
    const updates = async (): Promise<string[]> => {
      await calm(world)
      await watcher.caughtUp()
      const frames = watcher.frames.splice(0).map((frame) => JSON.parse(frame))
      const told = frames.flatMap(({ action, payload }) =>
        action === 'agent_updated' ? [payload.agent_id] : [],
      )
      // a post that gets through after its second is made again
      return [...new Set<string>(told)].toSorted()
    }
    expect(await updates()).toEqual(['watcher'])
    // as many as two cores answer in time
    const few = pLimit(20)
    const loginAll = (payload: object) => Promise.all(ids.map((id) => few(() => license.login(id, payload))))
    return { license, ids, watcher, updates, loginAll }
  }

  test('thirty who come are told of, and not at all where they were away for a moment', async () => {
    const { license, ids, watcher, updates, loginAll } = await office(30)
    await loginAll({})
    expect(await updates()).toEqual(ids)
    const [watching] = await live(license, 'watcher')
    const before = world.gateway.connections().filter((id) => id !== watching?.connection)
    for (const [n, id] of before.entries()) world.gateway.drop(id, { clean: n % 2 === 0 })
    await loginAll({ reconnect: true })
    expect(await updates()).toEqual([])
    await watcher.ok('update_agent', { routing_status: 'not_accepting_chats' })
    expect(await updates()).toEqual(['watcher'])
    // the same again is no change
    await watcher.ok('update_agent', { routing_status: 'not_accepting_chats' })
    expect(await updates()).toEqual([])
  })

  test('a hundred and fifty who lost their sockets and come back in time change nothing, and nobody is told', async () => {
    const { license, ids, updates, loginAll } = await office(150)
    for (const id of ids) {
      const item = await world.table.read.get(keys.agent(license.id, id), { strong: true })
      await world.table.write.write(setOnline(AgentItem.parse(item), 'accepting_chats'))
    }
    await loginAll({ reconnect: true })
    expect(await updates()).toEqual([])
    expect(await readAgentSockets(world.table.read, license.id)).toHaveLength(151)
  })
})
