import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { type License, sharedWorld, type Visitor, type World } from '../support/world.ts'
import { expectLoads } from '../customer/loads.ts'
import { atEachStep, calm } from './holding.ts'
import { logOf, message } from './stored.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0, stream: false })
})

const licenses: License[] = []
afterEach(async () => {
  world.proxy.setDelay(0)
  world.proxy.setFault(undefined)
  await world.settled()
  for (const { id } of licenses.splice(0)) await expectLoads(world, id)
})
const openLicense: World['license'] = async (...args) => {
  const license = await world.license(...args)
  licenses.push(license)
  return license
}

const start = async ({ client }: Pick<Visitor, 'client'>, text = 'hi'): Promise<string> =>
  (await client.ok('start_chat', { chat: { thread: { events: [message(text)] } } })).chat.id
const agentsOf = async (chat: string): Promise<string[]> => {
  const { users } = (await readChat(world.table.read, chat))!
  return users.filter(({ type, present }) => type === 'agent' && present).map(({ id }) => id)
}
/** What routing has told in a chat's log. */
const routed = async (chat: string): Promise<string[]> =>
  (await logOf(world, chat)).flatMap(({ event }) =>
    event.system_message_type?.startsWith('routing.') ? [event.text!] : [],
  )
const waitingOf = async (license: string): Promise<string[]> =>
  (await readActiveChats(world.table.read, license))
    .filter(({ waiting_since }) => waiting_since !== undefined)
    .toSorted((a, b) => a.waiting_since! - b.waiting_since!)
    .map(({ id }) => id)

const crowd = async (license: License, count: number): Promise<Visitor[]> => {
  const visitors = []
  for (let i = 0; i < count; i += 1) visitors.push(await license.visit())
  return visitors
}

describe('20 customers who arrive at once at 3 agents with a limit of 6', () => {
  test('18 are assigned, at most 6 to each; 2 wait, and are taken when threads close', async () => {
    const license = await openLicense({ ann: {}, ben: {}, cyd: {} })
    const staff = [await license.login('ann'), await license.login('ben'), await license.login('cyd')]
    const visitors = await crowd(license, 20)
    const chats = await Promise.all(visitors.map((one) => start(one)))
    await world.settled()
    expect(await expectLoads(world, license.id)).toEqual({ ann: 6, ben: 6, cyd: 6 })
    const given = await Promise.all(chats.map(agentsOf))
    expect(given.filter(({ length }) => length === 1)).toHaveLength(18)
    const waiting = await waitingOf(license.id)
    expect(waiting).toHaveLength(2)
    expect(chats.filter((_, index) => given[index]!.length === 0).toSorted()).toEqual(waiting.toSorted())
    for (const chat of chats)
      expect(await routed(chat)).toEqual([
        waiting.includes(chat) ? 'Chat is unassigned' : expect.stringMatching(/^Chat assigned to/),
      ])

    // both at once, of two agents
    const ofAnn = chats.find((_, index) => given[index]![0] === 'ann')!
    const ofBen = chats.find((_, index) => given[index]![0] === 'ben')!
    await Promise.all([
      staff[0]!.ok('close_thread', { chat_id: ofAnn }),
      staff[1]!.ok('close_thread', { chat_id: ofBen }),
    ])
    await world.settled()
    expect(await waitingOf(license.id)).toEqual([])
    expect((await Promise.all(waiting.map(agentsOf))).flat().toSorted()).toEqual(['ann', 'ben'])
    expect(await expectLoads(world, license.id)).toEqual({ ann: 6, ben: 6, cyd: 6 })
    for (const chat of waiting)
      expect(await routed(chat)).toEqual(['Chat is unassigned', expect.stringMatching(/^Chat assigned to/)])
  })

  test('the same where they wait already and the agents log in at once', async () => {
    const license = await openLicense({ ann: {}, ben: {}, cyd: {} })
    const visitors = await crowd(license, 20)
    const chats = []
    for (const one of visitors) chats.push(await start(one))
    await Promise.all(['ann', 'ben', 'cyd'].map((agent) => license.login(agent)))
    await world.settled()
    expect(await expectLoads(world, license.id)).toEqual({ ann: 6, ben: 6, cyd: 6 })
    // those who have waited longest were first
    expect(await waitingOf(license.id)).toEqual(chats.slice(18))
    for (const chat of chats.slice(0, 18)) {
      expect(await agentsOf(chat)).toHaveLength(1)
      expect(await routed(chat)).toEqual(['Chat is unassigned', expect.stringMatching(/^Chat assigned to/)])
    }
  })

  test('none is given to two, or above a limit, while threads close and start all the time', async () => {
    const license = await openLicense({ ann: { max_chats: 2 }, ben: { max_chats: 2 }, cyd: { max_chats: 2 } })
    const staff = await Promise.all(['ann', 'ben', 'cyd'].map((agent) => license.login(agent)))
    const visitors = await crowd(license, 9)
    const chats = await Promise.all(
      visitors.map(async (one, i) => {
        const chat = await start(one)
        for (let round = 0; round < 3; round += 1) {
          await (round % 2 === 0 ? one.client : staff[i % 3]!).call('close_thread', { chat_id: chat })
          // another client may have closed it first
          await start(one, `again ${round}`)
        }
        return chat
      }),
    )
    await world.settled()
    // its own agent keeps a chat that it reopens, which may overfill that agent: never by assignment
    for (const chat of chats) expect((await agentsOf(chat)).length).toBeLessThanOrEqual(1)
    const loads = await expectLoads(world, license.id)
    const waiting = await waitingOf(license.id)
    expect(Object.values(loads).reduce((sum, load) => sum + load, 0) + waiting.length).toBe(9)
    // nobody waits while somebody is free
    if (waiting.length > 0)
      for (const agent of ['ann', 'ben', 'cyd']) expect(loads[agent]).toBeGreaterThanOrEqual(2)
  })
})

describe('a chat that becomes unassigned while an agent comes to be free', () => {
  /** Ann is new each time; Carl's chat is his own. */
  const prepared = async () => {
    const license = await world.license({ ann: {}, ben: { max_chats: 0 } })
    const carl = await license.visit()
    const token = await license.token('ann')
    await calm(world)
    const ann = await world.open()
    let chat = ''
    return {
      arrives: async () => {
        chat = await start(carl)
      },
      logsIn: () => ann.ok('login', { token }),
      check: async () => {
        await world.settled()
        expect(await agentsOf(chat)).toEqual(['ann'])
        expect(await waitingOf(license.id)).toEqual([])
        expect((await routed(chat)).at(-1)).toBe('Chat assigned to ann')
        expect(await expectLoads(world, license.id)).toEqual({ ann: 1 })
      },
    }
  }

  test('is taken, whenever within its start that agent logs in', async () => {
    const steps = await atEachStep(world, async () => {
      const { arrives, logsIn, check } = await prepared()
      return { held: arrives, meanwhile: logsIn, check }
    })
    expect(steps).toBeGreaterThan(4)
  })

  test('is taken, whenever within the agent’s login it starts', async () => {
    const steps = await atEachStep(world, async () => {
      const { arrives, logsIn, check } = await prepared()
      return { held: logsIn, meanwhile: arrives, check }
    })
    expect(steps).toBeGreaterThan(4)
  })

  test('is taken, whenever within its start the thread that kept the agent busy is closed', async () => {
    const steps = await atEachStep(world, async () => {
      const license = await world.license({ ann: { max_chats: 1 } })
      const ann = await license.login('ann')
      const [carl, dora] = [await license.visit(), await license.visit()]
      const first = await start(carl)
      await calm(world)
      let second = ''
      return {
        held: async () => {
          second = await start(dora)
        },
        meanwhile: () => ann.ok('close_thread', { chat_id: first }),
        check: async () => {
          await world.settled()
          expect(await agentsOf(second)).toEqual(['ann'])
          expect(await expectLoads(world, license.id)).toEqual({ ann: 1 })
        },
      }
    })
    expect(steps).toBeGreaterThan(4)
  })
})

describe('two tabs of a customer that start a chat at once', () => {
  test('have one chat, with the events of both, given to one agent', async () => {
    const license = await openLicense({ ann: {}, ben: {} })
    await license.login('ann')
    await license.login('ben')
    world.proxy.setDelay(5)
    for (let i = 0; i < 10; i += 1) {
      const one = await license.visit({ customer: { name: `c${i}` } })
      const two = await license.visit({ token: one.token })
      const chats = await Promise.all([start(one, 'from the one'), start(two, 'from the other')])
      expect(chats[0]).toBe(chats[1])
      await world.settled()
      const said = (await logOf(world, chats[0])).flatMap(({ n, event }) =>
        event.type === 'message' ? [[n, event.text]] : [],
      )
      expect(said.toSorted()).toEqual([
        [1, 'from the one'],
        [1, 'from the other'],
      ])
      expect(await agentsOf(chats[0])).toHaveLength(1)
      expect(await routed(chats[0])).toHaveLength(1)
    }
    expect(await expectLoads(world, license.id)).toEqual({ ann: 5, ben: 5 })
  })

  test('have one chat, however far the one has come when the other starts', async () => {
    const license = await openLicense({ ann: { max_chats: 1000 } })
    await license.login('ann')
    const steps = await atEachStep(world, async () => {
      const one = await license.visit()
      const two = await license.visit({ token: one.token })
      await calm(world)
      let chats: string[] = []
      return {
        held: async () => chats.push(await start(one, 'from the one')),
        meanwhile: async () => chats.push(await start(two, 'from the other')),
        check: async () => {
          if (chats.length < 2) chats.push(await start(two, 'from the other'))
          expect(chats[0]).toBe(chats[1])
          const log = await logOf(world, chats[0]!)
          expect(log.filter(({ event }) => event.type === 'message').map(({ n }) => n)).toEqual([1, 1])
          expect(await agentsOf(chats[0]!)).toEqual(['ann'])
          expect(await routed(chats[0]!)).toEqual(['Chat assigned to ann'])
        },
      }
    })
    expect(steps).toBeGreaterThan(4)
  })
})

// with the stream's worker, who hears of sockets and accounts
describe('a chat whose agent goes', () => {
  beforeAll(async () => {
    world = await sharedWorld({ presenceGraceS: 0 })
  })

  test('is taken, whenever within the routing of what its customer says that agent logs in', async () => {
    const steps = await atEachStep(world, async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const ben = await license.login('ben')
      const carl = await license.visit()
      const chat = await start(carl)
      await ben.ok('send_event', { chat_id: chat, event: message('yes?') })
      await ben.close()
      await calm(world)
      const token = await license.token('ann')
      const ann = await world.open()
      return {
        held: async () => {
          await carl.client.ok('send_event', { chat_id: chat, event: message('hello?') })
          await world.settled()
        },
        meanwhile: () => ann.ok('login', { token }),
        check: async () => {
          await world.settled()
          expect(await agentsOf(chat)).toEqual(['ann'])
          expect(await waitingOf(license.id)).toEqual([])
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(8)
  })

  test('is not left with an agent who is suspended, whenever within its start that is', async () => {
    const steps = await atEachStep(world, async () => {
      const license = await world.license({
        ann: {},
        own: { permission: 'owner', default_status: 'not_accepting_chats' },
      })
      await license.login('ann')
      const carl = await license.visit()
      await calm(world)
      let chat = ''
      return {
        held: async () => {
          chat = await start(carl)
        },
        meanwhile: () => changeAgent(world.table, license.id, 'ann', { suspended: true }),
        check: async () => {
          await world.settled()
          expect(await agentsOf(chat)).toEqual([])
          expect(await waitingOf(license.id)).toEqual([chat])
          expect((await routed(chat)).at(-1)).toBe('Chat is unassigned')
          expect(await expectLoads(world, license.id)).toEqual({})
        },
      }
    })
    expect(steps).toBeGreaterThan(4)
  })
})
