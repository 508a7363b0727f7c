import { beforeAll, describe, expect, test } from 'vitest'
import { mintToken } from '../../infra/local/secrets/token-key.ts'
import type { AgentStatus } from '../../shared/protocol/agent-status.ts'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { changeAgent, deleteAgent, findAgent } from '../../shared/provisioning/change-agent.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { audience, issuer, type License, sharedWorld, type World } from '../support/world.ts'

// A bot's account: who logs in as it, where it shows, and when it is there. What it is given is in
// customer/bots.test.ts.

let world: World
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0 })
})

const status = (routing_status: AgentStatus) => ({ routing_status })
const accepting = status('accepting_chats')

const openOffice = async () => {
  const license = await world.license({
    olga: { permission: 'owner' },
    robin: { bot: true, priority: 'first', name: 'Robin', avatar: 'https://example.com/robin.png' },
  })
  const olga = await license.login('olga')
  const robin = await license.login('robin')
  await told(olga)
  return { license, olga, robin }
}

/** What of presence a client was told, and forgets. */
const told = async (client: Client): Promise<PushPayload<'agent_updated'>[]> => {
  await calm(world)
  await client.caughtUp()
  return client.presence.splice(0).map(({ payload }) => payload)
}
const stored = async ({ id }: License) => (await findAgent(world.table, id, 'robin'))!

describe('the token of a bot', () => {
  test('is a client’s own, or another of its subject; a client’s never logs a person in', async () => {
    const { license } = await openOffice()
    const login = async (agent: string, machine: boolean) => {
      const subject = `${license.id}/${agent}`
      const token = await mintToken({ key: world.key, issuer, audience, subject, machine, expiresInS: 60 })
      return (await world.open()).call('login', { token })
    }
    expect(await login('robin', true)).toMatchObject({ success: true })
    // some issuers name a service account as they name people
    expect(await login('robin', false)).toMatchObject({ success: true })
    expect(await login('olga', false)).toMatchObject({ success: true })
    expect(await login('olga', true)).toMatchObject({ success: false, payload: { error: { type: 'auth' } } })
  })

  test('has no mobile device with it: nobody is notified of what a bot is asked', async () => {
    const { license, robin } = await openOffice()
    const device = { firebase_token: 'f'.repeat(20), platform: 'ios' }
    const details = (path: string) => [{ path, message: 'A bot has no mobile devices' }]
    const token = await license.token('robin')
    expect(await (await world.open()).refused('login', { token, push_notifications: device })).toMatchObject({
      type: 'validation',
      details: details('payload.push_notifications'),
    })
    expect(await robin.refused('change_push_notifications', { ...device, enabled: true })).toMatchObject({
      type: 'validation',
      details: details('payload.firebase_token'),
    })
  })
})

test('is_bot is in users, profiles and directories, for agents and customers, and of bots alone', async () => {
  const { license, olga, robin } = await openOffice()
  await robin.ok('update_agent', accepting)
  const { client: carl } = await license.visit()
  const { chat } = await carl.ok('start_chat', { chat: { thread: { events: [message('hi')] } } })
  await olga.ok('join_chat', { chat_id: chat.id, agent_ids: ['olga'] })
  const bots = (list: any[], id = 'id') => list.filter(({ is_bot }) => is_bot === true).map((one) => one[id])
  const isNobodyElse = (list: any[]) => expect(list.filter((one) => 'is_bot' in one)).toHaveLength(1)

  const again = await world.open()
  const answer = await again.ok('login', { token: await license.token('robin') })
  expect(answer.my_profile).toMatchObject({ is_bot: true, ...accepting })
  expect(answer.agents).toContainEqual({
    ...{ id: 'robin', name: 'Robin', avatar: 'https://example.com/robin.png', permission: 'normal' },
    ...{ ...accepting, is_bot: true },
  })
  const { users } = (await olga.ok('get_chat_threads', { chat_id: chat.id })).chat
  const { agents } = await olga.ok('list_agents_for_transfer', { chat_id: chat.id })
  const shown = (await carl.ok('get_chat_threads', { chat_id: chat.id })).chat.users
  for (const list of [answer.agents, answer.chats_summary[0].users, users, shown]) {
    expect(bots(list)).toEqual(['robin'])
    isNobodyElse(list)
  }
  expect(bots(agents, 'agent_id')).toEqual(['robin'])
  isNobodyElse(agents)

  const isSecond = ({ agent_id }: PushPayload<'agent_created'>) => agent_id === 'second'
  await license.addAgent('second', { bot: true, name: 'Second' })
  expect(await olga.eventually('agent_created', isSecond)).toMatchObject({ name: 'Second', is_bot: true })
})

describe('a bot is there', () => {
  test('while its status says so: set by itself or an administrator, told to the license, however often', async () => {
    const { license, olga, robin } = await openOffice()
    const profile = async () =>
      (await (await world.open()).ok('login', { token: await license.token('robin') })).my_profile
    expect(await stored(license)).toMatchObject({ online: false })
    expect(await profile()).not.toHaveProperty('routing_status')
    const by = { ...{ robin, olga } }
    for (const [who, next, pushed] of [
      ['robin', 'not_accepting_chats', true],
      ['robin', 'not_accepting_chats', false],
      ['olga', 'accepting_chats', true],
      ['olga', 'offline', true],
      ['robin', 'offline', false],
      ['robin', 'accepting_chats', true],
    ] as const) {
      await by[who].ok('update_agent', { agent_id: 'robin', ...status(next) })
      expect(await told(olga)).toEqual(pushed ? [{ agent_id: 'robin', ...status(next) }] : [])
      expect(await stored(license)).toMatchObject({ online: next !== 'offline' })
    }
    expect(await profile()).toMatchObject(accepting)
  })

  test('whatever becomes of its connections: none is needed, and one brings it no status', async () => {
    const { license, olga, robin } = await openOffice()
    const second = await license.login('robin', { reconnect: true })
    for (const [online, change] of [
      [true, accepting],
      [false, status('offline')],
    ] as const) {
      await olga.ok('update_agent', { agent_id: 'robin', ...change })
      await told(olga)
      const third = await license.login('robin')
      await third.close()
      await second.close()
      const last = await license.login('robin')
      await last.ok('logout', {})
      await calm(world)
      await world.tick()
      expect(await told(olga)).toEqual([])
      expect(await stored(license)).toMatchObject({ online })
    }
    await robin.close()
    await calm(world)
    expect(await stored(license)).not.toHaveProperty('away', true)
  })

  test('no more once it is suspended or deleted; resumed, it comes back by its own status', async () => {
    const { license, olga, robin } = await openOffice()
    const offline = [{ agent_id: 'robin', ...status('offline') }]
    await robin.ok('update_agent', accepting)
    await told(olga)
    await changeAgent(world.table, license.id, 'robin', { suspended: true })
    expect(await told(olga)).toEqual(offline)
    expect(await robin.closing()).toBe(1000)
    for (const next of ['accepting_chats', 'not_accepting_chats'] as const)
      expect(await olga.refused('update_agent', { agent_id: 'robin', ...status(next) })).toMatchObject({
        details: [{ message: 'The bot is suspended: it is offline until it is resumed' }],
      })
    await changeAgent(world.table, license.id, 'robin', { suspended: false })
    await calm(world)
    expect(await stored(license)).toMatchObject({ online: false, suspended: false })
    await (await license.login('robin')).ok('update_agent', accepting)
    await told(olga)
    await deleteAgent(world.table, license.id, 'robin')
    expect(await told(olga)).toEqual(offline)
    for (const next of ['accepting_chats', 'offline'] as const)
      expect(await olga.refused('update_agent', { agent_id: 'robin', ...status(next) })).toMatchObject({
        type: 'not_found',
      })
    expect(await stored(license)).toMatchObject({ online: false, deleted: true })
  })
})

test('a person is not offline by a status, nor is anybody of another license', async () => {
  const { olga, robin } = await openOffice()
  const person = { type: 'validation', details: [{ path: 'payload.routing_status' }] }
  expect(await olga.refused('update_agent', status('offline'))).toMatchObject(person)
  const stranger = await (await world.license({ zoe: { permission: 'owner' } })).login('zoe')
  for (const next of ['accepting_chats', 'offline'] as const) {
    expect(await stranger.refused('update_agent', { agent_id: 'robin', ...status(next) })).toMatchObject({
      type: 'not_found',
    })
    expect(await robin.refused('update_agent', { agent_id: 'olga', ...status(next) })).toMatchObject({
      type: 'authorization',
    })
  }
  expect(await told(olga)).toEqual([])
})
