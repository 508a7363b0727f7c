import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { changeGroup, createGroup, deleteGroup } from '../../shared/provisioning/change-group.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { keys } from '../../shared/table/keys.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { notLoggedIn } from '../support/wire-errors.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // jobs come when a test says so
  world = await sharedWorld({ delayScale: 1000 })
})
afterEach(() => world.proxy.setFault(undefined))

/**
 * Teams Sales (1), with ann and bea, and Support (2), with cat; the owner, who sees every chat, stays away.
 */
const openTeams = async () => {
  const license = await world.license(
    {
      ann: { groups: [1], max_chats: 1 },
      bea: { groups: [1], max_chats: 1 },
      cat: { groups: [2], max_chats: 1 },
      owner: { permission: 'owner' },
    },
    { groups: ['Sales', 'Support'] },
  )
  return { license, cat: await license.login('cat') }
}
/** Statuses after all that was put off is done. */
const statusesOf = async (client: Client, payload: object = {}) => {
  await calm(world)
  return (await client.ok('list_group_statuses', payload)).groups_status
}
/** What this client was told of statuses since it was asked last. */
const told = async (client: Client) => {
  await calm(world)
  await client.caughtUp()
  return client.statuses.splice(0).map(({ payload }: any) => payload.groups_status)
}
const startChat = async (license: License, groups: number[]) => {
  const { client } = await license.visit()
  const { chat } = await client.ok('start_chat', {
    chat: { scopes: { groups }, thread: { events: [message('hello')] } },
  })
  await world.settled()
  return { client, chat_id: chat.id }
}

describe('list_group_statuses', () => {
  test('says of each group whether somebody is free, there but full, or nobody is there', async () => {
    const { license, cat } = await openTeams()
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online' })
    const ann = await license.login('ann')
    expect(await statusesOf(cat)).toEqual({ 1: 'online', 2: 'online' })
    const { client, chat_id } = await startChat(license, [1])
    expect(await statusesOf(cat)).toEqual({ 1: 'online_for_queue', 2: 'online' })
    const bea = await license.login('bea')
    expect(await statusesOf(cat)).toEqual({ 1: 'online', 2: 'online' })
    await bea.ok('update_agent', { routing_status: 'not_accepting_chats' })
    expect(await statusesOf(cat)).toEqual({ 1: 'online_for_queue', 2: 'online' })
    await client.ok('close_thread', { chat_id })
    expect(await statusesOf(cat)).toEqual({ 1: 'online', 2: 'online' })
    await ann.ok('logout', {})
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online' })
  })

  test('answers the groups asked for; those that there are not are left out', async () => {
    const { cat } = await openTeams()
    expect(await statusesOf(cat, { group_ids: [2] })).toEqual({ 2: 'online' })
    expect(await statusesOf(cat, { group_ids: ['2', 7, -1, 1] })).toEqual({ 1: 'offline', 2: 'online' })
    expect(await statusesOf(cat, { group_ids: [] })).toEqual({})
    expect(await statusesOf(cat, { group_ids: null })).toEqual({ 1: 'offline', 2: 'online' })
    expect(await cat.refused('list_group_statuses', { group_ids: ['x'] })).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.group_ids.0' }],
    })
  })

  test('group 0, asked for by its id, stands for chats that name no group', async () => {
    const license = await world.license({ ann: {} })
    const visitor = await license.visit()
    const ask = async () => {
      await calm(world)
      return (await visitor.client.ok('list_group_statuses', { group_ids: [0] })).groups_status
    }
    expect(await ask()).toEqual({ 0: 'offline' })
    await license.login('ann')
    expect(await ask()).toEqual({ 0: 'online' })
  })

  test('counts who routing would give a chat of the group: owners and administrators are there for all', async () => {
    const { license, cat } = await openTeams()
    await license.login('owner')
    expect(await statusesOf(cat)).toEqual({ 1: 'online', 2: 'online' })
    await changeAgent(world.table, license.id, 'owner', { permission: 'normal' })
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online' })
  })

  test('follows the operator: groups and limits of agents, suspended and deleted ones, groups that come and go', async () => {
    const { license, cat } = await openTeams()
    const { id } = license
    await license.login('ann')
    await changeAgent(world.table, id, 'ann', { groups: [2] })
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online' })
    await changeAgent(world.table, id, 'ann', { groups: [1] })
    await startChat(license, [1])
    expect(await statusesOf(cat)).toEqual({ 1: 'online_for_queue', 2: 'online' })
    await changeAgent(world.table, id, 'ann', { max_chats: 2 })
    expect(await statusesOf(cat)).toEqual({ 1: 'online', 2: 'online' })
    await changeAgent(world.table, id, 'ann', { suspended: true })
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online' })
    await createGroup(world.table, { license_id: id, id: 3, name: 'Night' })
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online', 3: 'offline' })
    await deleteGroup(world.table, id, 3, { evenWithAgents: true })
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online' })
    // who is given the chat that waits
    await license.login('bea')
    expect(await statusesOf(cat)).toEqual({ 1: 'online_for_queue', 2: 'online' })
    await deleteAgent(world.table, id, 'bea')
    expect(await statusesOf(cat)).toEqual({ 1: 'offline', 2: 'online' })
  })

  test(
    'knows a license whose statuses nobody has kept yet, and the clock keeps them',
    { tags: ['full'] },
    async () => {
      const { license, cat } = await openTeams()
      await calm(world)
      await world.table.write.write({ Delete: { Key: keys.groupStatuses(license.id) } })
      const ask = async () => (await cat.ok('list_group_statuses')).groups_status
      expect(await ask()).toEqual({ 1: 'offline', 2: 'online' })
      await world.tick()
      await calm(world)
      expect(await world.table.read.get(keys.groupStatuses(license.id))).toMatchObject({ online: [0, 2] })
      expect(await ask()).toEqual({ 1: 'offline', 2: 'online' })
    },
  )

  test('is mended by the clock where a job was lost', { tags: ['full'] }, async () => {
    const { license, cat } = await openTeams()
    await calm(world)
    await license.login('ann')
    await world.settled()
    world.queue.discard()
    expect((await cat.ok('list_group_statuses')).groups_status).toEqual({ 1: 'offline', 2: 'online' })
    await world.tick(Date.now() + 60_000)
    expect(await statusesOf(cat)).toEqual({ 1: 'online', 2: 'online' })
  })

  test('of a license that is over is not computed each minute: neither agents nor loads are read', async () => {
    const [kept, unknown] = [(await openTeams()).license, (await openTeams()).license]
    await calm(world)
    await world.table.write.write({ Delete: { Key: keys.groupStatuses(unknown.id) } })
    const queried = async () => {
      const read: string[] = []
      world.proxy.setFault(({ request }) => void read.push(JSON.stringify(request)))
      await world.tick()
      return [kept, unknown].map(({ id }) => read.some((one) => one.includes(`LICENSE#${id}#LOAD`)))
    }
    expect(await queried()).toEqual([true, true])
    for (const { id } of [kept, unknown])
      await changeLicense(world.table, id, { expires_at: Math.floor(Date.now() / 1000) - 1 })
    await world.settled()
    expect(await queried()).toEqual([false, false])
  })

  test('needs a login', async () => {
    const client = await world.open()
    expect(await client.refused('list_group_statuses')).toEqual(notLoggedIn)
  })
})

describe('groups_status_updated', () => {
  test('tells every agent of the license which groups changed, and nobody else', async () => {
    const { license, cat } = await openTeams()
    const other = await world.license({ ann: {} }, { groups: ['Sales'] })
    const stranger = await other.login('ann')
    expect(await told(cat)).toEqual([{ 2: 'online' }])
    await told(stranger)
    const visitor = await license.visit()
    const ann = await license.login('ann')
    expect(await told(cat)).toEqual([{ 1: 'online' }])
    expect(await told(ann)).toEqual([{ 1: 'online' }])
    expect(await told(stranger)).toEqual([])
    await visitor.client.receivesNothing()
    // nothing of it moves a group
    await changeAgent(world.table, license.id, 'ann', { name: 'Anna', max_chats: 5 })
    await changeGroup(world.table, license.id, 1, { name: 'Sellers' })
    await ann.ok('update_agent', { routing_status: 'accepting_chats' })
    expect(await told(cat)).toEqual([])
  })

  test('of many changes at once comes once, with what they come to', async () => {
    const { license, cat } = await openTeams()
    await told(cat)
    const [ann, bea] = [await license.login('ann'), await license.login('bea')]
    for (const routing_status of ['not_accepting_chats', 'accepting_chats', 'not_accepting_chats'] as const)
      await Promise.all([ann, bea].map((one) => one.ok('update_agent', { routing_status })))
    await ann.ok('update_agent', { routing_status: 'accepting_chats' })
    await cat.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await world.settled()
    const jobs = world.queue.pending()
    await world.settled()
    expect(world.queue.pending()).toBe(jobs)
    expect(await told(cat)).toEqual([{ 1: 'online', 2: 'offline' }])
  })

  test('is told where the worker dies behind its write', async () => {
    const { license, cat } = await openTeams()
    await told(cat)
    let failures = 1
    world.proxy.setFault(({ lambda, operation, request }) => {
      const isAudience = operation === 'Query' && JSON.stringify(request).includes(`${license.id}#SOCKETS`)
      if (lambda !== 'worker/later' || !isAudience || failures === 0) return undefined
      failures -= 1
      return { errorType: 'ValidationException', status: 400 }
    })
    const ann = await license.login('ann')
    await changeAgent(world.table, license.id, 'ann', { groups: [1, 2] })
    await world.settled()
    await calm(world)
    world.proxy.setFault(undefined)
    expect(failures).toBe(0)
    expect(await told(cat)).toContainEqual({ 1: 'online' })
    await told(ann)
    expect(await world.table.read.get(keys.groupStatuses(license.id))).not.toHaveProperty('untold')
  })
})
