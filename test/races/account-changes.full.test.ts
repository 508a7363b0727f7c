import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { readSocket } from '../../shared/table/sockets.ts'
import type { Client } from '../support/client.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { atEachStep, calm } from './holding.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

/** The sessions of lea's connections, as socket and row have them. */
const sessionsOf = async (license: License) => {
  const rows = await readAgentSockets(world.table.read, license.id, 'lea')
  const sockets = rows.map(({ connection }) => readSocket(world.table.read, connection, Date.now()))
  return [...rows, ...(await Promise.all(sockets)).flatMap((socket) => socket?.session ?? [])]
}

const orders = ['at each step of a login', 'while a login runs at any step of what follows from it'] as const

describe.each(orders)('an account that changes %s', (order) => {
  /** A change, its worker included, against a login of lea. */
  const against = async (
    login: () => Promise<unknown>,
    write: () => Promise<unknown>,
    check: () => Promise<void>,
  ) => {
    const change = async () => {
      await write()
      await world.stream.settled()
    }
    return {
      ...(order === orders[0] ? { held: login, meanwhile: change } : { held: change, meanwhile: login }),
      check: async () => {
        await calm(world)
        await check()
      },
    }
  }

  test('is what its session is made of, and opens the chats that it gives access to', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, lea: {} }, { groups: ['A', 'B'] })
    const ann = await license.login('ann')
    const { chat: forGroup } = await ann.ok('start_chat', { chat: { scopes: { groups: [2] } } })
    let before: Client[] = [await license.login('lea')]
    await atEachStep(world, async () => {
      await changeAgent(world.table, license.id, 'lea', { groups: [1], name: 'Lea' })
      for (const client of before.splice(1)) await client.close()
      await calm(world)
      // one connection is there already, so that there is one to bring up to date
      const [older] = before as [Client]
      await older.received()
      const token = await license.token('lea')
      const client = await world.open()
      before.push(client)
      let answer: any
      const knows = async (one: Client) =>
        (await one.received()).some(
          ({ action, payload }: any) => action === 'incoming_chat_thread' && payload.chat.id === forGroup.id,
        )
      return against(
        async () => {
          answer = await client.ok('login', { token })
        },
        () => changeAgent(world.table, license.id, 'lea', { groups: [2], name: 'Leonie' }),
        async () => {
          const sessions = await sessionsOf(license)
          expect(sessions).toHaveLength(4)
          for (const session of sessions) expect(session).toHaveProperty('groups', [2])
          for (const session of sessions) if ('name' in session) expect(session.name).toBe('Leonie')
          expect(await knows(older)).toBe(true)
          const answered = answer.chats_summary.some(({ id }: any) => id === forGroup.id)
          expect(answered || (await knows(client))).toBe(true)
          await client.ok('join_chat', { chat_id: forGroup.id, agent_ids: ['lea'] })
          await client.ok('remove_from_chat', { chat_id: forGroup.id })
        },
      )
    }, ['alone'])
  })

  test('and is suspended by it refuses the login, or ends the session that came of it', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, lea: {} })
    let before: Client | undefined
    const outcomes = new Set<string>()
    await atEachStep(world, async () => {
      await before?.close()
      await changeAgent(world.table, license.id, 'lea', { suspended: false })
      await calm(world)
      const token = await license.token('lea')
      const client = await world.open()
      before = client
      let answer: any
      return against(
        async () => {
          answer = await client.call('login', { token }).catch(() => 'closed')
        },
        () => changeAgent(world.table, license.id, 'lea', { suspended: true }),
        async () => {
          expect(await sessionsOf(license)).toEqual([])
          const told = client.pushes.flatMap((push) =>
            push.action === 'agent_disconnected' ? push.payload.reason : [],
          )
          if (answer.success === false) expect(answer.payload.error.type).toBe('auth')
          else expect(told).toEqual(['access_token_revoked'])
          outcomes.add(answer.success === false ? 'refused' : 'closed')
          await client.closing()
        },
      )
    }, ['alone'])
    if (order === orders[0]) expect(outcomes).toEqual(new Set(['refused', 'closed']))
  })

  test('and its license expires by it refuses the login, or ends the session that came of it', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, lea: {} })
    const nowS = Math.floor(Date.now() / 1000)
    let before: Client | undefined
    await atEachStep(world, async () => {
      await before?.close()
      await changeLicense(world.table, license.id, { expires_at: nowS + 3600 })
      await calm(world)
      const token = await license.token('lea')
      const client = await world.open()
      before = client
      let answer: any
      return against(
        async () => {
          answer = await client.call('login', { token }).catch(() => 'closed')
        },
        () => changeLicense(world.table, license.id, { expires_at: nowS - 1 }),
        async () => {
          expect(await sessionsOf(license)).toEqual([])
          const told = client.pushes.flatMap((push) =>
            push.action === 'agent_disconnected' ? push.payload.reason : [],
          )
          if (answer.success === false) expect(answer.payload.error.type).toBe('license_expired')
          else expect(told).toEqual(['license_expired'])
          await client.closing()
        },
      )
    }, ['alone'])
  })
})
