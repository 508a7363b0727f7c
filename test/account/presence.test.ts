import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent, findAgent } from '../../shared/provisioning/change-agent.ts'
import type { Client } from '../support/client.ts'
import { aged } from '../support/crowd.ts'
import { message } from '../support/events.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

/** Lets the time pass after which jobs of the delay queue are due, those that they bring about included. */
const timePasses = async (): Promise<void> => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
const leave = async (client: Client): Promise<void> => {
  await client.close()
  await world.settled()
}
const isOnline = async (license: License, agent: string) =>
  (await findAgent(world.table, license.id, agent))?.online
/** What this client heard of an agent since it was asked last. */
const heardOf = async (client: Client, agent: string): Promise<string[]> => {
  await client.caughtUp()
  const heard = client.presence.filter(({ payload }) => payload.agent_id === agent)
  client.presence.splice(0)
  return heard.map(({ payload }) => payload.routing_status)
}
const opened = async (): Promise<[Client, string]> => {
  const before = world.gateway.connections()
  const client = await world.open()
  const [connection] = world.gateway.connections().filter((id) => !before.includes(id))
  if (connection === undefined) throw new Error('The gateway has no new connection')
  return [client, connection]
}

describe('the first socket of an agent', () => {
  test('is told to every agent of the license, itself included, and to no other license', async () => {
    const license = await world.license({ ann: { default_status: 'not_accepting_chats' }, ben: {}, cleo: {} })
    const other = await world.license({ ann: {}, ben: {} })
    const [ben, cleo] = [
      await license.login('ben'),
      // also one that may read no chats
      await license.login('cleo', {}, { scope: 'broadcast:write' }),
    ]
    const stranger = await other.login('ben')
    await heardOf(ben, 'ann')
    const ann = await license.login('ann')
    for (const client of [ann, ben, cleo])
      expect(await heardOf(client, 'ann')).toEqual(['not_accepting_chats'])
    expect(await heardOf(stranger, 'ann')).toEqual([])
  })

  test('of two at once is one', { tags: ['full'] }, async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    await Promise.all(Array.from({ length: 4 }, () => license.login('ann')))
    expect(await heardOf(ben, 'ann')).toEqual(['accepting_chats'])
  })

  test('shows in what others see of the agent', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    const { chat } = await ben.ok('start_chat')
    await ben.ok('join_chat', { chat_id: chat.id, agent_ids: ['ann'] })
    const statusOfAnn = async () => {
      const { users } = (await ben.ok('get_chat_threads', { chat_id: chat.id })).chat
      return users.find(({ id }: { id: string }) => id === 'ann').routing_status
    }
    expect(await statusOfAnn()).toBeUndefined()
    const ann = await license.login('ann')
    expect(await statusOfAnn()).toBe('accepting_chats')
    await leave(ann)
    await timePasses()
    expect(await statusOfAnn()).toBeUndefined()
  })
})

test('a further socket of an agent is told to nobody, when it comes, and when it or the first one goes', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  await heardOf(ann, 'ann')
  const second = await license.login('ann')
  await leave(second)
  await timePasses()
  const third = await license.login('ann')
  await leave(ann)
  await timePasses()
  for (const client of [ben, third]) expect(await heardOf(client, 'ann')).toEqual([])
  expect(await isOnline(license, 'ann')).toBe(true)
})

describe('the loss of the last socket', () => {
  test('is told to every agent of the license once the agent may no longer come back unnoticed', async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: {} })
    const other = await world.license({ ben: {} })
    const ann = await license.login('ann')
    const [ben, cleo] = [await license.login('ben'), await license.login('cleo')]
    const stranger = await other.login('ben')
    await heardOf(ben, 'ann')
    await heardOf(cleo, 'ann')
    await leave(ann)
    expect(await heardOf(ben, 'ann')).toEqual([])
    expect(await isOnline(license, 'ann')).toBe(true)

    await timePasses()
    for (const client of [ben, cleo]) expect(await heardOf(client, 'ann')).toEqual(['offline'])
    expect(await heardOf(stranger, 'ann')).toEqual([])
    expect(await isOnline(license, 'ann')).toBe(false)
  })

  test('is told once, however many sockets went at once', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const sockets = [await license.login('ann'), await license.login('ann'), await license.login('ann')]
    const ben = await license.login('ben')
    await heardOf(ben, 'ann')
    await Promise.all(sockets.map(leave))
    await timePasses()
    await timePasses()
    expect(await heardOf(ben, 'ann')).toEqual(['offline'])
  })

  test('is not told where the agent is back in time', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    await heardOf(ben, 'ann')
    await leave(ann)
    const back = await license.login('ann')
    await timePasses()
    expect(await heardOf(ben, 'ann')).toEqual([])
    expect(await heardOf(back, 'ann')).toEqual([])
    expect(await isOnline(license, 'ann')).toBe(true)
  })

  test(
    'is not told of an agent that was back and left again, until its time is over',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      await leave(ann)
      const jobsOfFirst = world.queue.pending()
      expect(jobsOfFirst).toBeGreaterThan(0)
      await leave(await license.login('ann'))
      await heardOf(ben, 'ann')
      await timePasses()
      expect(await heardOf(ben, 'ann')).toEqual(['offline'])
    },
  )

  test('and the next coming are both told', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    await leave(await license.login('ann'))
    await timePasses()
    await license.login('ann')
    expect(await heardOf(ben, 'ann')).toEqual(['accepting_chats', 'offline', 'accepting_chats'])
  })

  test('without a $disconnect is noticed by the next push', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, connection] = await opened()
    await ann.ok('login', { token: await license.token('ann') })
    const ben = await license.login('ben')
    await heardOf(ben, 'ann')
    await aged(world, license)
    world.gateway.drop(connection, { clean: false })
    await timePasses()
    expect(await isOnline(license, 'ann')).toBe(true)
    await ben.ok('start_chat')
    await timePasses()
    expect(await heardOf(ben, 'ann')).toEqual(['offline'])
    expect(await isOnline(license, 'ann')).toBe(false)
  })

  test('is not told by a $disconnect that comes after the agent is back', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, connection] = await opened()
    await ann.ok('login', { token: await license.token('ann') })
    const ben = await license.login('ben')
    world.gateway.setFaults({ disconnect: () => ({ lose: true }) })
    await ann.close()
    await world.settled()
    world.gateway.setFaults({})
    await license.login('ann')
    await heardOf(ben, 'ann')
    await world.disconnect(connection)
    await timePasses()
    expect(await heardOf(ben, 'ann')).toEqual([])
    expect(await isOnline(license, 'ann')).toBe(true)
  })

  test('of a suspended and of a deleted agent is told as well', { tags: ['full'] }, async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: {} })
    const ben = await license.login('ben')
    const [ann, cleo] = [await license.login('ann'), await license.login('cleo')]
    await changeAgent(world.table, license.id, 'ann', { suspended: true })
    await deleteAgent(world.table, license.id, 'cleo')
    await Promise.all([ann.closing(), cleo.closing()])
    await timePasses()
    await ben.caughtUp()
    const offline = ben.presence.filter(({ payload }) => payload.routing_status === 'offline')
    expect(offline.map(({ payload }) => payload.agent_id).toSorted()).toEqual(['ann', 'cleo'])
  })
})

describe('an agent within its time of grace', () => {
  const arrive = async (license: License): Promise<string[]> => {
    const { client } = await license.visit()
    const { chat } = await client.ok('start_chat', { chat: { thread: { events: [message('hello')] } } })
    await world.settled()
    return agentsOf((await client.ok('get_chat_threads', { chat_id: chat.id })).chat)
  }
  const agentsOf = ({ users }: any): string[] =>
    users.filter(({ type, present }: any) => type === 'agent' && present).map(({ id }: any) => id)

  test('keeps its chats, and is given no other until it is back', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat', { chat: { thread: { events: [message('hello')] } } })
    await leave(ann)
    expect(await isOnline(license, 'ann')).toBe(true)
    expect(await arrive(license)).toEqual([])
    const ben = await license.login('ben')
    expect(await arrive(license)).toEqual(['ben'])
    await carl.client.ok('send_event', { chat_id: chat.id, event: message('hello?') })
    await world.settled()
    expect(agentsOf((await ben.ok('get_chat_threads', { chat_id: chat.id })).chat)).toEqual(['ann'])
    await ben.ok('update_agent', { routing_status: 'not_accepting_chats' })
    expect(await arrive(license)).toEqual([])
    await license.login('ann', { reconnect: true })
    await world.settled()
    expect(await arrive(license)).toEqual(['ann'])
  })
})
