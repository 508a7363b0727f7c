import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { findAgent } from '../../shared/provisioning/change-agent.ts'
import { deviceHash, readAgentDevices, readDevice } from '../../shared/table/devices.ts'
import { keys } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { calm, testAtSteps } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { notLoggedIn } from '../support/wire-errors.ts'
import { isOverHttp, type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const newToken = () => `firebase:${crypto.randomUUID()}`
const isOnline = async ({ id }: License, agent: string) =>
  (await findAgent(world.table, id, agent))?.online === true
const devicesOf = async ({ id }: License, agent: string) =>
  (await readAgentDevices(world.table.read, id, agent)).map(({ token }) => token)
const rowsOf = ({ id }: License, agent: string) => readAgentSockets(world.table.read, id, agent)
/** What this client heard of an agent's coming and going since it was asked last. */
const heardOf = async (client: Client, agent: string): Promise<string[]> => {
  await client.caughtUp()
  const heard = client.presence.splice(0).filter(({ payload }) => payload.agent_id === agent)
  return heard.map(({ payload }) => payload.routing_status)
}
const opened = async (): Promise<[Client, string]> => {
  const before = world.gateway.connections()
  const client = await world.open()
  const connection = world.gateway.connections().find((id) => !before.includes(id))
  if (connection === undefined) throw new Error('The gateway has no new connection')
  return [client, connection]
}
const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  await heardOf(ben, 'ann')
  return { license, ann, ben }
}

describe('logout', () => {
  // over HTTP there is no session
  test.skipIf(isOverHttp)(
    'is answered without a payload; then the connection is not logged in, and is closed',
    async () => {
      const { license, ann } = await openOffice()
      expect(await ann.call('logout')).toEqual({
        request_id: expect.any(String),
        ...{ action: 'logout', type: 'response', success: true },
      })
      for (const action of ['start_chat', 'update_agent', 'logout'])
        expect(await ann.refused(action, {})).toEqual(notLoggedIn)
      expect(await ann.ok('ping', { cursor: true })).toBeUndefined()
      await ann.received()
      await ann.closing()
      // who asked for it is not told why
      expect(ann.pushes).toEqual([])
      await world.settled()
      expect(await rowsOf(license, 'ann')).toEqual([])
    },
  )

  test('of the last connection takes the agent offline at once, told to its colleagues once', async () => {
    const { license, ann, ben } = await openOffice()
    await ann.ok('logout', {})
    await ben.eventually('agent_updated', ({ agent_id }) => agent_id === 'ann')
    expect(await isOnline(license, 'ann')).toBe(false)
    await ann.closing()
    await calm(world)
    await calm(world)
    expect(await heardOf(ben, 'ann')).toEqual([])
    expect(await isOnline(license, 'ann')).toBe(false)
  })

  test('hands the chats of the agent on that wait for an answer', async () => {
    const license = await world.license({ ann: {}, ben: { default_status: 'not_accepting_chats' } })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat', { chat: { thread: { events: [message('hello')] } } })
    await world.settled()
    await ben.ok('update_agent', { routing_status: 'accepting_chats' })
    await ann.ok('logout', {})
    const { updated_users } = await ben.eventually('chat_users_updated', ({ chat_id }) => chat_id === chat.id)
    expect(updated_users.agents).toMatchObject({ added: [{ id: 'ben' }], removed_ids: ['ann'] })
  })

  test('leaves the other connections of the agent as they are', { tags: ['full'] }, async () => {
    const { license, ann, ben } = await openOffice()
    const second = await license.login('ann')
    await ann.ok('logout', {})
    await ann.closing()
    await calm(world)
    expect(await heardOf(ben, 'ann')).toEqual([])
    expect(await isOnline(license, 'ann')).toBe(true)
    const { chat } = await second.ok('start_chat')
    await second.ok('send_event', { chat_id: chat.id, event: message('still here') })
    expect(await rowsOf(license, 'ann')).toHaveLength(1)
  })

  test('hears nothing more, while its connection is still open', async () => {
    const { ann, ben } = await openOffice()
    const { chat } = await ben.ok('start_chat')
    await ann.received()
    await ann.ok('logout', {})
    await ben.ok('send_event', { chat_id: chat.id, event: message('gone?') })
    await ann.receivesNothing()
  })

  test('is no failed login, and the agent may log in anew, also on the same connection', async () => {
    const { license, ann, ben } = await openOffice()
    await ann.ok('logout', {})
    await ann.ok('login', { token: await license.token('ann') })
    await calm(world)
    expect(ann.closed).toBeUndefined()
    expect(await isOnline(license, 'ann')).toBe(true)
    expect((await heardOf(ben, 'ann')).at(-1) ?? 'accepting_chats').toBe('accepting_chats')
    await ann.ok('start_chat')
  })
})

describe('the device that a logout names', () => {
  test('is forgotten, others of the agent are not', async () => {
    const { license, ann } = await openOffice()
    const [phone, tablet] = [newToken(), newToken()]
    for (const firebase_token of [phone, tablet])
      await ann.ok('change_push_notifications', { firebase_token, platform: 'ios', enabled: true })
    await ann.ok('logout', { firebase_token: phone })
    expect(await devicesOf(license, 'ann')).toEqual([tablet])
    expect(await readDevice(world.table.read, deviceHash(phone))).toBeUndefined()
  })

  test('of another agent, of another license, or of nobody stays as it is, and nothing says so', async () => {
    const { license, ann, ben } = await openOffice()
    const other = await world.license({ ann: {} })
    const stranger = await other.login('ann')
    const [bens, strangers] = [newToken(), newToken()]
    await ben.ok('change_push_notifications', { firebase_token: bens, platform: 'ios', enabled: true })
    await stranger.ok('change_push_notifications', {
      ...{ firebase_token: strangers, platform: 'ios', enabled: true },
    })
    for (const [index, firebase_token] of [bens, strangers, newToken()].entries()) {
      const client = index === 0 ? ann : await license.login('ann')
      expect(await client.call('logout', { firebase_token })).not.toHaveProperty('payload')
    }
    expect(await devicesOf(license, 'ben')).toEqual([bens])
    expect(await devicesOf(other, 'ann')).toEqual([strangers])
  })

  test('is not needed, and is checked: a wrong one ends nothing', async () => {
    const { ann } = await openOffice()
    for (const firebase_token of ['', 5, 'x'.repeat(1025)])
      expect(await ann.refused('logout', { firebase_token })).toMatchObject({
        type: 'validation',
        details: [{ path: 'payload.firebase_token' }],
      })
    await ann.ok('start_chat')
    await ann.ok('logout', { firebase_token: null })
  })
})

describe('logout is refused', () => {
  test('before a login', async () => {
    const client = await world.open()
    expect(await client.refused('logout', {})).toEqual(notLoggedIn)
    expect(client.closed).toBeUndefined()
  })
})

describe('logout beside', () => {
  testAtSteps(
    'a login on the same connection leaves session, rows and presence of one mind',
    async (hold) => {
      const license = await world.license({ ann: {}, ben: {} })
      const ben = await license.login('ben')
      await hold(
        world,
        async () => {
          const [ann, connection] = await opened()
          const token = await license.token('ann')
          await ann.ok('login', { token })
          await calm(world)
          await heardOf(ben, 'ann')
          return {
            held: () => ann.call('logout', {}),
            meanwhile: () => ann.call('login', { token }),
            check: async () => {
              await calm(world)
              const socket: any = await world.table.read.get(keys.socket(connection), { strong: true })
              const isIn = socket !== undefined && socket.session?.ended === undefined
              const rows = await rowsOf(license, 'ann')
              expect(rows.map((row) => row.ended)).toEqual(isIn ? [undefined] : [])
              expect(await isOnline(license, 'ann')).toBe(isIn)
              const heard = await heardOf(ben, 'ann')
              expect(heard.at(-1) ?? 'accepting_chats').toBe(isIn ? 'accepting_chats' : 'offline')
              await ann.close()
              await calm(world)
            },
          }
        },
        2,
      )
    },
  )

  testAtSteps('the end of its connection forgets the device, and leaves nothing behind', async (hold) => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    await hold(
      world,
      async () => {
        const [ann, connection] = await opened()
        const firebase_token = newToken()
        const push_notifications = { firebase_token, platform: 'ios' }
        await ann.ok('login', { token: await license.token('ann'), push_notifications })
        await calm(world)
        await heardOf(ben, 'ann')
        let isDone: boolean | undefined
        return {
          held: async () => {
            isDone = (await ann.call('logout', { firebase_token })).success
          },
          meanwhile: () => world.disconnect(connection),
          check: async () => {
            await calm(world)
            expect(await rowsOf(license, 'ann')).toEqual([])
            expect(await isOnline(license, 'ann')).toBe(false)
            expect(await heardOf(ben, 'ann')).toEqual(['offline'])
            // one that came too late is no request of a logged-in agent
            expect((await devicesOf(license, 'ann')).includes(firebase_token)).toBe(isDone !== true)
            await ann.close()
          },
        }
      },
      2,
    )
  })

  test('a process that dies behind its write: the clock closes the connection, and the agent goes', async () => {
    const { license, ann, ben } = await openOffice()
    let isWritten = false
    world.proxy.setFault(({ operation, request }) => {
      if (operation !== 'TransactWriteItems' || !JSON.stringify(request).includes(license.id))
        return undefined
      isWritten = true
      return { errorType: 'InternalServerError', afterWrite: true }
    })
    await ann.call('logout', {})
    world.proxy.setFault(undefined)
    expect(isWritten).toBe(true)
    world.queue.discard()
    expect(await rowsOf(license, 'ann')).toMatchObject([{ ended: 'logged_out' }])
    await world.tick(Date.now() + 60_000)
    await ann.closing()
    await calm(world)
    expect(await isOnline(license, 'ann')).toBe(false)
    expect(await heardOf(ben, 'ann')).toEqual(['offline'])
  })
})
