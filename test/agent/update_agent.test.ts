import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { deleteAgent, findAgent } from '../../shared/provisioning/change-agent.ts'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { atEachStep, calm, testAtSteps } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => {
  world.proxy.setFault(undefined)
  world.gateway.setJitter(undefined)
})

const denied = {
  type: 'authorization',
  code: 403,
  message: 'You are not allowed to change routing status for this agent.',
}
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const accepting = { routing_status: 'accepting_chats' } as const
const notAccepting = { routing_status: 'not_accepting_chats' } as const

/** The presence that a client was told of, and forgets it. */
const told = async (client: Client): Promise<PushPayload<'agent_updated'>[]> => {
  await client.caughtUp()
  return client.presence.splice(0).map(({ payload }) => payload)
}
const openOffice = async () => {
  const license = await world.license({
    ann: {},
    ben: {},
    olga: { permission: 'owner' },
    ada: { permission: 'administrator' },
    lea: {},
  })
  const [ann, second] = [await license.login('ann'), await license.login('ann')]
  const [ben, olga] = [await license.login('ben'), await license.login('olga')]
  const ada = await license.login('ada')
  const all = [ann, second, ben, olga, ada]
  await world.settled()
  for (const client of all) await told(client)
  return { license, ann, second, ben, olga, ada, all }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
/**
 * A license that tests share in which nobody goes offline: ann and ben accept chats, all pushes are
 * forgotten.
 */
const sameOffice = async () => {
  for (const client of [office.ann, office.ben]) await client.ok('update_agent', accepting)
  for (const client of office.all) await told(client)
  return office
}
const statusOf = async (license: License, agent: string) =>
  (await findAgent(world.table, license.id, agent))?.routing_status
const login = async (license: License, agent: string, payload: object = {}) => {
  const client = await world.open()
  const answer = await client.ok('login', { token: await license.token(agent), ...payload })
  return { client, answer, profile: answer.my_profile }
}
/** Takes an agent offline as the loss of its last socket does. */
const goOffline = async (license: License, agent: string, clients: Client[]) => {
  for (const client of clients) await client.close()
  await calm(world)
  expect(await findAgent(world.table, license.id, agent)).toMatchObject({ online: false })
}

describe('update_agent', () => {
  test('changes the requester’s own status and tells every agent of the license', async () => {
    const { license, ann, all } = await sameOffice()
    const stranger = await (await world.license({ zoe: {} })).login('zoe')
    await told(stranger)
    const answer = await ann.call('update_agent', notAccepting)
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'update_agent',
      type: 'response',
      success: true,
    })
    for (const client of all) expect(await told(client)).toEqual([{ agent_id: 'ann', ...notAccepting }])
    for (const client of [...all, stranger]) await client.receivesNothing()
    expect(await told(stranger)).toEqual([])
    expect(await statusOf(license, 'ann')).toBe('not_accepting_chats')
    expect(await statusOf(license, 'ben')).toBe('accepting_chats')
  })

  test('takes the requester’s own id, and null for it', async () => {
    const { ben, all } = await sameOffice()
    for (const [agent_id, change] of [
      ['ben', notAccepting],
      [null, accepting],
    ] as const) {
      await ben.ok('update_agent', { agent_id, ...change })
      for (const client of all) expect(await told(client)).toEqual([{ agent_id: 'ben', ...change }])
    }
  })

  test('changes another’s status for owners and administrators', async () => {
    const { license, olga, ada, all } = await sameOffice()
    for (const [client, change] of [
      [olga, notAccepting],
      [ada, accepting],
    ] as const) {
      await client.ok('update_agent', { agent_id: 'ben', ...change })
      for (const each of all) expect(await told(each)).toEqual([{ agent_id: 'ben', ...change }])
      expect(await statusOf(license, 'ben')).toBe(change.routing_status)
    }
  })

  test('to the status that is in force changes nothing and pushes nothing', async () => {
    const { license, ann, olga, all } = await sameOffice()
    const before = await findAgent(world.table, license.id, 'ann')
    await ann.ok('update_agent', accepting)
    await olga.ok('update_agent', { agent_id: 'ann', ...accepting })
    for (const client of all) expect(await told(client)).toEqual([])
    expect(await findAgent(world.table, license.id, 'ann')).toEqual(before)
    await ann.ok('update_agent', notAccepting)
    await ann.ok('update_agent', notAccepting)
    for (const client of all) expect(await told(client)).toHaveLength(1)
  })

  test('ignores what it does not know', async () => {
    const { license, ann } = await sameOffice()
    const before = await findAgent(world.table, license.id, 'ann')
    await ann.ok('update_agent', { ...notAccepting, name: 'Eve', permission: 'owner', groups: [1] })
    expect(await findAgent(world.table, license.id, 'ann')).toEqual({ ...before, ...notAccepting })
  })

  test('is shown in users, to newcomers, and in the agent’s own profile', async () => {
    const { license, ann, ben } = await openOffice()
    const { chat } = await ann.ok('start_chat')
    await ben.ok('update_agent', notAccepting)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    const shown = { id: 'ben', ...notAccepting }
    const { updated_users } = await ann.eventually('chat_users_updated')
    expect(updated_users.agents.added).toMatchObject([shown])
    const threads = await ann.ok('get_chat_threads', { chat_id: chat.id })
    expect(threads.chat.users).toMatchObject([{ id: 'ann', ...accepting }, shown])
    const { answer, profile } = await login(license, 'ben')
    expect(profile).toMatchObject(shown)
    expect(answer.agents).toContainEqual(expect.objectContaining(shown))
    expect(answer.chats_summary[0].users).toMatchObject([{ id: 'ann', ...accepting }, shown])
  })

  test('says nothing of a later socket: only the first sets a status', async () => {
    const { license, ann, ben } = await openOffice()
    await ann.ok('update_agent', notAccepting)
    await told(ben)
    expect((await login(license, 'ann')).profile).toMatchObject(notAccepting)
    expect(await told(ben)).toEqual([])
    expect(await statusOf(license, 'ann')).toBe('not_accepting_chats')
  })
})

describe('the status of an agent who is offline', () => {
  test('is kept for its return: nobody is told of it, and login with reconnect shows it', async () => {
    const { license, ben, olga, ann, ada, second } = await openOffice()
    await goOffline(license, 'ben', [ben])
    const others = [ann, second, olga, ada]
    for (const client of others)
      expect(await told(client)).toEqual([{ agent_id: 'ben', routing_status: 'offline' }])
    await olga.ok('update_agent', { agent_id: 'ben', ...notAccepting })
    for (const client of others) expect(await told(client)).toEqual([])
    const colleagues = (await login(license, 'ann')).answer.agents
    expect(colleagues.find(({ id }: { id: string }) => id === 'ben')).not.toHaveProperty('routing_status')

    expect((await login(license, 'ben', { reconnect: true })).profile).toMatchObject(notAccepting)
    for (const client of others) expect(await told(client)).toEqual([{ agent_id: 'ben', ...notAccepting }])
  })

  test('is forgotten at a login without reconnect', async () => {
    const { license, olga } = await openOffice()
    await olga.ok('update_agent', { agent_id: 'lea', ...notAccepting })
    expect((await login(license, 'lea')).profile).toMatchObject(accepting)
    expect(await told(olga)).toEqual([{ agent_id: 'lea', ...accepting }])
  })

  test('goes for one who has never logged in, too', async () => {
    const { license, olga } = await openOffice()
    await olga.ok('update_agent', { agent_id: 'lea', ...notAccepting })
    expect(await told(olga)).toEqual([])
    expect((await login(license, 'lea', { reconnect: true })).profile).toMatchObject(notAccepting)
  })

  test('is the one that was set, and offline is none that can be', async () => {
    const { license, ben, olga } = await openOffice()
    await ben.ok('update_agent', notAccepting)
    await goOffline(license, 'ben', [ben])
    expect(await statusOf(license, 'ben')).toBe('not_accepting_chats')
    await told(olga)
    // the same again changes nothing
    await olga.ok('update_agent', { agent_id: 'ben', ...notAccepting })
    expect(await told(olga)).toEqual([])
  })
})

describe('update_agent at once with', () => {
  test('others: the last push says what is stored', async () => {
    const { license, ann, second, olga, ada, all } = await sameOffice()
    world.gateway.setJitter(() => Math.random() * 20)
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        [ann, second, olga, ada].map((client, i) =>
          client.ok('update_agent', { agent_id: 'ann', ...(i % 2 === 0 ? accepting : notAccepting) }),
        ),
      )
      const stored = await statusOf(license, 'ann')
      // where nothing but the status in force was asked for, nothing is pushed
      for (const client of all)
        expect((await told(client)).at(-1) ?? { routing_status: stored }).toMatchObject({
          routing_status: stored,
        })
    }
  })

  test('another, at each of its steps: the last push says what is stored', { tags: ['full'] }, async () => {
    const { license, ann, olga, ben } = await openOffice()
    const steps = await atEachStep(
      world,
      async () => {
        await ann.ok('update_agent', accepting)
        await told(ben)
        return {
          held: () => ann.ok('update_agent', notAccepting),
          meanwhile: () => olga.ok('update_agent', { agent_id: 'ann', ...accepting }),
          check: async () => {
            const stored = await statusOf(license, 'ann')
            expect((await told(ben)).at(-1)).toEqual({ agent_id: 'ann', routing_status: stored })
          },
        }
      },
      // what is read for the push is read in one round
      ['with the rest'],
    )
    expect(steps).toBeGreaterThan(2)
  })

  describe.each([
    ['a return with reconnect', true],
    ['a login beside another socket', false],
  ])('%s', (_what, first) => {
    testAtSteps('stores the status set, and the agent learns it', async (hold) => {
      const license = await world.license({ lea: {}, olga: { permission: 'owner' } })
      const olga = await license.login('olga')
      let open: Client[] = [await license.login('lea')]
      await hold(
        world,
        async () => {
          await olga.ok('update_agent', { agent_id: 'lea', ...accepting })
          if (first) await goOffline(license, 'lea', open.splice(0))
          else await calm(world)
          await told(olga)
          const client = await world.open()
          const token = await license.token('lea')
          open.push(client)
          let status: string | undefined
          return {
            held: async () => {
              status = (await client.ok('login', { token, reconnect: true })).my_profile.routing_status
            },
            meanwhile: () => olga.ok('update_agent', { agent_id: 'lea', ...notAccepting }),
            check: async () => {
              expect(await statusOf(license, 'lea')).toBe('not_accepting_chats')
              // in the answer, or by a push since the session was written
              const own = (await told(client)).filter(({ agent_id }) => agent_id === 'lea')
              expect([status, ...own.map(({ routing_status }) => routing_status)]).toContain(
                'not_accepting_chats',
              )
              expect(await told(olga)).toContainEqual({ agent_id: 'lea', ...notAccepting })
            },
          }
        },
        4,
      )
    })
  })
})

describe('update_agent whose write goes wrong', () => {
  test.each<[string, Fault]>([
    ['an InternalServerError', { errorType: 'InternalServerError' }],
    ['a connection that breaks', { reset: true }],
    ['an answer that is lost after the write was done', { reset: true, afterWrite: true }],
    ['an error after the write was done', { errorType: 'InternalServerError', afterWrite: true }],
    ['a conflict with a transaction', { errorType: 'TransactionConflictException' }],
    ['a throttled table', { errorType: 'ProvisionedThroughputExceededException' }],
  ])('through %s changes the status and tells so once', async (_, fault) => {
    const { license, ann, all } = await sameOffice()
    const left = [fault]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'UpdateItem' && JSON.stringify(request).includes(license.id) ? left.shift() : undefined,
    )
    await ann.ok('update_agent', notAccepting)
    expect(left).toEqual([])
    for (const client of all) expect(await told(client)).toEqual([{ agent_id: 'ann', ...notAccepting }])
    expect(await statusOf(license, 'ann')).toBe('not_accepting_chats')
  })
})

describe('update_agent is refused', () => {
  test('with its own sentence for another agent, by a normal one', async () => {
    const { license, ann, all } = await sameOffice()
    for (const agent_id of ['ben', 'olga', 'Ann', 'ann '])
      expect(await ann.refused('update_agent', { agent_id, ...notAccepting })).toEqual(denied)
    for (const client of all) expect(await told(client)).toEqual([])
    expect(await statusOf(license, 'ben')).toBe('accepting_chats')
  })

  test('with not_found for an agent that is unknown, deleted or of another license', async () => {
    const { license, olga, ada, all } = await openOffice()
    const other = await world.license({ zoe: {} })
    await other.login('zoe')
    await deleteAgent(world.table, license.id, 'lea')
    const items = async () => [
      await findAgent(world.table, license.id, 'lea'),
      await findAgent(world.table, other.id, 'zoe'),
    ]
    const before = await items()
    for (const client of [olga, ada])
      for (const agent_id of ['nosuch', 'lea', 'zoe', 'BEN', '#', 'ben#', license.id])
        expect(await client.refused('update_agent', { agent_id, ...notAccepting })).toEqual(notFound)
    for (const client of all) expect(await told(client)).toEqual([])
    expect(await items()).toEqual(before)
    expect(await findAgent(world.table, license.id, 'nosuch')).toBeUndefined()
  })
})
