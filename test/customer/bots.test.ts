import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { setBotStatus } from '../../shared/table/agent-status.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import { presentAgents } from '../../shared/table/chat/chat-users.ts'
import { calm, type HoldSteps, testAtSteps } from '../races/holding.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { message } from '../support/events.ts'
import { type AgentDraft, type License, sharedWorld, type World } from '../support/world.ts'
import { expectLoads } from './loads.ts'

// A bot at work: when it is given a chat, how it hands one over, and what becomes of those it has.

let world: World
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0 })
})

const licenses: License[] = []
afterEach(async () => {
  await calm(world)
  for (const { id } of licenses.splice(0)) await expectLoads(world, id)
})

type Staff = Record<string, Client>
/** A license whose people and bots are logged in, the bots by their status, without any connection. */
const openDesk = async (
  agents: Record<string, AgentDraft>,
): Promise<{ license: License; people: Staff; bots: Staff }> => {
  const license = await world.license(agents, { groups: ['Sales', 'Support'] })
  licenses.push(license)
  const [people, bots]: [Staff, Staff] = [{}, {}]
  for (const [id, { bot }] of Object.entries(agents)) {
    const client = await license.login(id)
    if (bot) await client.ok('update_agent', accepting)
    ;(bot ? bots : people)[id] = client
  }
  await calm(world)
  return { license, people, bots }
}
const accepting = { routing_status: 'accepting_chats' }
const offline = { routing_status: 'offline' }
const bot = (priority: AgentDraft['priority'], draft: AgentDraft = {}): AgentDraft => ({
  ...{ bot: true, priority, name: 'Robin' },
  ...draft,
})

interface Arrived {
  client: CustomerClient
  chat_id: string
  thread_id: string
}
const arrive = async (license: License, events = [message('hello')]): Promise<Arrived> => {
  const { client } = await license.visit()
  const { chat } = await client.ok('start_chat', { chat: { thread: { events } } })
  return { client, chat_id: chat.id, thread_id: chat.thread.id }
}
const has = async ({ chat_id }: Arrived): Promise<string[]> => {
  await calm(world)
  const chat = await readChat(world.table.read, chat_id)
  if (chat === undefined) throw new Error('There is no such chat')
  expect(chat.waiting_since === undefined).toBe(presentAgents(chat).length > 0)
  return presentAgents(chat)
}
const textsIn = async ({ client, chat_id }: Arrived): Promise<string[]> =>
  (await client.ok('get_chat_threads', { chat_id })).chat.threads[0].events.map(({ text }: any) => text)
const toTeam = (chat_id: string, group = 1) => ({ chat_id, target: { type: 'group', ids: [group] } })
const denied = { type: 'authorization' }

test('a bot is first to answer, hands over to a team, and is silent from then on', async () => {
  const { license, people, bots } = await openDesk({
    robin: bot('first', { groups: [1] }),
    ann: { name: 'Ann', groups: [1] },
    eve: { name: 'Eve', groups: [2] },
  })
  const [ann, robin] = [people['ann']!, bots['robin']!]
  const carl = await arrive(license)
  const { chat_id } = carl
  expect(await has(carl)).toEqual(['robin'])
  await robin.ok('send_event', { chat_id, event: message('I am a bot') })
  await robin.ok('transfer_chat', toTeam(chat_id))
  expect(await has(carl)).toEqual(['ann'])
  for (const event of [message('one more thing'), { type: 'annotation', annotation_type: 'note' }])
    expect(await robin.refused('send_event', { chat_id, event })).toMatchObject(denied)
  // it is asked no more, whoever goes
  await carl.client.ok('send_event', { chat_id, event: message('are you there?') })
  await ann.ok('remove_from_chat', { chat_id })
  expect(await has(carl)).toEqual([])
  expect(await textsIn(carl)).toEqual([
    'hello',
    'Chat assigned to Robin',
    'I am a bot',
    'Chat transferred to Sales by Robin',
    'are you there?',
    'Ann left the chat',
    'Chat is unassigned',
  ])
  // in the next thread it is first again
  await carl.client.ok('close_thread', { chat_id })
  await carl.client.ok('start_chat', { chat: { thread: { events: [message('back')] } } })
  expect(await has(carl)).toEqual(['robin'])
})

describe('priority', () => {
  test('last: it has the chats that no person is free for, keeps them, and is given no other', async () => {
    const { license, people } = await openDesk({ robin: bot('last'), ann: { max_chats: 1 } })
    const [first, second] = [await arrive(license), await arrive(license)]
    expect([await has(first), await has(second)]).toEqual([['ann'], ['robin']])
    await first.client.ok('close_thread', { chat_id: first.chat_id })
    // a chat that a bot has does not wait
    expect(await has(second)).toEqual(['robin'])
    expect(await has(await arrive(license))).toEqual(['ann'])
    // nor does it keep the next thread of its own, while she is free again
    await people['ann']!.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await second.client.ok('close_thread', { chat_id: second.chat_id })
    await changeAgent(world.table, license.id, 'ann', { max_chats: 2 })
    await people['ann']!.ok('update_agent', accepting)
    await second.client.ok('start_chat', { chat: { thread: { events: [message('back')] } } })
    expect(await has(second)).toEqual(['ann'])
  })

  test('normal: it is one of them, and its limit of chats holds', async () => {
    const { license } = await openDesk({ robin: bot('normal', { max_chats: 1 }), ann: {} })
    const given: string[] = []
    for (let n = 0; n < 4; n += 1) given.push(...(await has(await arrive(license))))
    expect(given.toSorted()).toEqual(['ann', 'ann', 'ann', 'robin'])
    expect(given.slice(0, 2)).toContain('robin')
  })

  test('that is set anew counts from the next chat on', async () => {
    const { license } = await openDesk({ robin: bot('last'), ann: {} })
    expect(await has(await arrive(license))).toEqual(['ann'])
    await changeAgent(world.table, license.id, 'robin', { priority: 'first' })
    expect(await has(await arrive(license))).toEqual(['robin'])
  })
})

describe('a bot that has no connection', () => {
  const openAlone = async () => {
    const desk = await openDesk({ robin: bot('first'), olga: { permission: 'owner' } })
    await desk.people['olga']!.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await desk.bots['robin']!.close()
    await calm(world)
    return { ...desk, olga: desk.people['olga']! }
  }

  test('is given chats and keeps them, while its customers ask and the clock goes on', async () => {
    const { license } = await openAlone()
    const carl = await arrive(license)
    await carl.client.ok('send_event', { chat_id: carl.chat_id, event: message('hello?') })
    await calm(world)
    await world.tick()
    expect(await has(carl)).toEqual(['robin'])
  })

  test('is given the chats that wait, once an administrator has it accept chats', async () => {
    const { license, olga } = await openAlone()
    await olga.ok('update_agent', { agent_id: 'robin', ...offline })
    const carl = await arrive(license)
    expect(await has(carl)).toEqual([])
    await olga.ok('update_agent', { agent_id: 'robin', ...accepting })
    expect(await has(carl)).toEqual(['robin'])
  })
})

describe('the chats of a bot', () => {
  const openTwo = async () => {
    const desk = await openDesk({ robin: bot('first'), ann: { name: 'Ann' } })
    const [asks, answered] = [await arrive(desk.license), await arrive(desk.license)]
    const robin = desk.bots['robin']!
    await robin.ok('send_event', { chat_id: answered.chat_id, event: message('yes') })
    return { ...desk, robin, asks, answered }
  }

  test('go to others where it goes and their customers ask, now or later, connected or not', async () => {
    const { robin, asks, answered } = await openTwo()
    await robin.ok('update_agent', { routing_status: 'not_accepting_chats' })
    expect([await has(asks), await has(answered)]).toEqual([['robin'], ['robin']])
    await robin.ok('update_agent', offline)
    expect([await has(asks), await has(answered)]).toEqual([['ann'], ['robin']])
    await answered.client.ok('send_event', { chat_id: answered.chat_id, event: message('and?') })
    expect(await has(answered)).toEqual(['ann'])
  })

  test('go to others, too, where the function that took it offline died behind its write', async () => {
    const { license, asks } = await openTwo()
    expect(await has(asks)).toEqual(['robin'])
    await world.table.write.write(setBotStatus(license.id, 'robin', 'offline', 'of a function that died'))
    expect(await has(asks)).toEqual(['ann'])
  })

  test.each([
    ['suspended', (license: string) => changeAgent(world.table, license, 'robin', { suspended: true })],
    ['deleted', (license: string) => deleteAgent(world.table, license, 'robin')],
  ])('go to others where it is %s at work', async (_, take) => {
    const { license, robin, asks, answered } = await openTwo()
    await take(license.id)
    expect([await has(asks), await has(answered)]).toEqual([['ann'], ['ann']])
    expect((await textsIn(asks)).slice(2)).toEqual(['Robin left the chat', 'Chat assigned to Ann'])
    await robin.closing()
    expect(await has(await arrive(license))).toEqual(['ann'])
  })
})

describe('a transfer', () => {
  test('to a team never comes back to the bot that asks for it, though it is in the team and first', async () => {
    const { license, bots } = await openDesk({ robin: bot('first', { groups: [1] }), ann: { max_chats: 0 } })
    const carl = await arrive(license)
    const { chat_id } = carl
    const robin = bots['robin']!
    expect(await robin.refused('transfer_chat', toTeam(chat_id))).toMatchObject({ type: 'validation' })
    expect(await has(carl)).toEqual(['robin'])
    await robin.ok('transfer_chat', { ...toTeam(chat_id), ignore_agents_availability: true })
    expect(await has(carl)).toEqual([])
    expect(await robin.refused('send_event', { chat_id, event: message('late') })).toMatchObject(denied)
    await robin.ok('update_agent', offline)
    await robin.ok('update_agent', accepting)
    expect(await has(carl)).toEqual([])
  })

  test('asks bots in their turn as well', async () => {
    const { license, people } = await openDesk({
      ann: { groups: [1] },
      ben: { groups: [1] },
      robin: bot('last', { groups: [1] }),
    })
    const carl = await arrive(license)
    const [had] = await has(carl)
    const other = had === 'ann' ? 'ben' : 'ann'
    await people[had!]!.ok('transfer_chat', toTeam(carl.chat_id))
    expect(await has(carl)).toEqual([other])
    await people[other]!.ok('transfer_chat', { ...toTeam(carl.chat_id) })
    expect(await has(carl)).toEqual(['robin'])
  })
})

type Asks = (robin: Client, chat: Pick<Arrived, 'chat_id' | 'thread_id'>) => Promise<unknown>

const handsOver: Asks = (robin, { chat_id }) => robin.call('transfer_chat', toTeam(chat_id))

/** What others read of what a bot may leave in a chat beside events. */
const leftIn = async (client: Client, { chat_id }: { chat_id: string }) => {
  const { chat } = await client.ok('get_chat_threads', { chat_id })
  const [{ properties, tags }] = chat.threads
  return { chat: chat.properties['bot'], thread: properties['bot'], tags }
}

const raceOf =
  (held: Asks, meanwhile: Asks) =>
  async (hold: HoldSteps): Promise<void> => {
    await hold(
      world,
      async () => {
        const { license, bots, people } = await openDesk({ robin: bot('first'), ann: { groups: [1] } })
        const robin = bots['robin']!
        const second = await license.login('robin')
        const carl = await arrive(license)
        await calm(world)
        let answer: any
        let left: unknown
        const asks = async (asked: Asks, client: Client) => {
          const { chat_id, thread_id } = carl
          const answered = await asked(client, { chat_id, thread_id })
          if (asked === handsOver) left = await leftIn(people['ann']!, carl)
          return answered
        }
        return {
          held: async () => {
            answer = await asks(held, robin)
          },
          meanwhile: () => asks(meanwhile, second),
          check: async () => {
            if (!answer.success) expect(answer.payload.error).toMatchObject(denied)
            expect(await has(carl)).toEqual(['ann'])
            const texts = await textsIn(carl)
            const at = texts.findIndex((text) => text.startsWith('Chat transferred'))
            expect(texts.slice(at + 1)).not.toContain('a bot says')
            expect(await leftIn(people['ann']!, carl)).toEqual(left)
            if (answer.action === 'send_event') expect(texts.includes('a bot says')).toBe(answer.success)
            expect(
              await robin.refused('send_event', { chat_id: carl.chat_id, event: message('x') }),
            ).toMatchObject(denied)
            await people['ann']!.close()
          },
        }
      },
      3,
    )
  }
const says: Asks = (robin, { chat_id }) => robin.call('send_event', { chat_id, event: message('a bot says') })
const properties = { bot: { step: { value: 'asked' } } }

describe.each<[string, Asks]>([
  ['an event', says],
  [
    'a property of the chat',
    (robin, { chat_id }) => robin.call('update_chat_properties', { chat_id, properties }),
  ],
  [
    'a property of the thread',
    (robin, chat) => robin.call('update_chat_thread_properties', { ...chat, properties }),
  ],
  ['a tag', (robin, chat) => robin.call('tag_thread', { ...chat, tag: 'asked' })],
])('%s of a bot', (_, asks) => {
  testAtSteps('does not land behind its own hand-over', raceOf(asks, handsOver))
  testAtSteps('does not land behind the hand-over that it sends beside', raceOf(handsOver, asks))
})
