import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import {
  listWaitingChat,
  readWaitingChats,
  removeWaitingChat,
} from '../../shared/table/chat/waiting-chats.ts'
import { activePk } from '../../shared/table/keys.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { testFirst } from '../support/sample.ts'
import { type License, sharedWorld, type Visitor, type World } from '../support/world.ts'
import { expectLoads } from './loads.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0 })
})

const licenses: License[] = []
afterEach(async () => {
  await world.settled()
  for (const { id } of licenses.splice(0)) await expectLoads(world, id)
})
const openLicense: World['license'] = async (...args) => {
  const license = await world.license(...args)
  licenses.push(license)
  return license
}

const message = (text: string) => ({ type: 'message', text })
const minute = 60_000

/** A customer who comes and starts its chat. */
interface Arrived extends Visitor {
  chat_id: string
  /** As `start_chat` answered it. */
  chat: any
}
const arrive = async (license: License, name: string, chat: object = {}): Promise<Arrived> => {
  const visitor = await license.visit({ customer: { name } })
  const answer = await visitor.client.ok('start_chat', {
    chat: { ...chat, thread: { events: [message(`I am ${name}`)] } },
  })
  return { ...visitor, chat_id: answer.chat.id, chat: answer.chat }
}

const isPresent = ({ present }: { present: boolean }) => present
/** The agents of a chat, as its customer is shown them. */
const agentsOf = ({ users }: any): string[] =>
  users.filter((user: any) => user.type === 'agent' && isPresent(user)).map(({ id }: any) => id)
const chatNow = async ({ client, chat_id }: Arrived): Promise<any> =>
  (await client.ok('get_chat_threads', { chat_id })).chat
const agentsNow = async (customer: Arrived): Promise<string[]> => {
  await world.settled()
  return agentsOf(await chatNow(customer))
}
const textsOf = ({ thread, threads = [thread] }: any): string[] =>
  threads.at(-1).events.map(({ text }: any) => text)
const routing = (name: 'unassigned' | 'idle', value: boolean) => ({ routing: { [name]: { value } } })
const isUnassigned = async (customer: Arrived): Promise<[boolean, boolean]> => {
  await world.settled()
  const { properties, threads } = await chatNow(customer)
  return [properties.routing.unassigned.value, threads[0].properties.routing.unassigned.value]
}

/** What a client was told, in its order; of the customers' presence and of queues nothing. */
const told = async (client: Client | CustomerClient): Promise<string[]> => {
  await world.settled()
  return (await client.received())
    .filter(({ action }) => action !== 'customer_updated' && !action.startsWith('queue_position'))
    .map(({ action, payload }: any) => (action === 'incoming_event' ? payload.event.text : action))
}
const leaves = async (client: Client, agent: string, witness: Client) => {
  await witness.caughtUp()
  await client.close()
  await witness.eventually(
    'agent_updated',
    (one) => one.agent_id === agent && one.routing_status === 'offline',
  )
  await world.settled()
}
const not_accepting_chats = 'not_accepting_chats'

describe('a thread that a customer starts', () => {
  test('is given to the agent with the fewest active chats, on a tie to the one assigned longest ago', async () => {
    const license = await openLicense({ ann: {}, ben: {}, cyd: {} })
    const staff = {
      ann: await license.login('ann'),
      ben: await license.login('ben'),
      cyd: await license.login('cyd'),
    }
    const order: string[] = []
    const chats: Arrived[] = []
    for (let i = 0; i < 6; i += 1) {
      const customer = await arrive(license, `c${i}`)
      chats.push(customer)
      order.push(...agentsOf(customer.chat))
    }
    expect(order).toEqual(['ann', 'ben', 'cyd', 'ann', 'ben', 'cyd'])
    await staff.cyd.ok('close_thread', { chat_id: chats[2]!.chat_id })
    expect(agentsOf((await arrive(license, 'c6')).chat)).toEqual(['cyd'])
    // now that all have as many, ann was the first to be given her last one
    expect(agentsOf((await arrive(license, 'c7')).chat)).toEqual(['ann'])
    expect(await expectLoads(world, license.id)).toEqual({ ann: 3, ben: 2, cyd: 2 })
  })

  test('is given to nobody who has as many as its limit', async () => {
    const license = await openLicense({ ann: { max_chats: 1 }, ben: { max_chats: 2 } })
    await license.login('ann')
    await license.login('ben')
    const given = []
    for (let i = 0; i < 4; i += 1) given.push(agentsOf((await arrive(license, `c${i}`)).chat))
    expect(given).toEqual([['ann'], ['ben'], ['ben'], []])
  })

  test('is not given to one who is offline, suspended, not accepting chats or cannot see it', async () => {
    const license = await openLicense(
      {
        ann: { groups: [1] },
        ben: { groups: [2] },
        cyd: { groups: [2] },
        dan: { groups: [2] },
        eve: { groups: [2] },
      },
      { groups: ['one', 'two'] },
    )
    await license.login('ann')
    await license.login('ben')
    const dan = await license.login('dan')
    await license.login('eve')
    await dan.ok('update_agent', { routing_status: not_accepting_chats })
    await changeAgent(world.table, license.id, 'eve', { suspended: true })
    await world.settled()
    for (let i = 0; i < 3; i += 1)
      expect(agentsOf((await arrive(license, `c${i}`, { scopes: { groups: [2] } })).chat)).toEqual(['ben'])
    expect(agentsOf((await arrive(license, 'other')).chat)).toEqual(['ann'])
  })

  test('is given to an owner or administrator whatever its scopes', async () => {
    const license = await openLicense({ ann: {}, own: { permission: 'owner' } }, { groups: ['one'] })
    await license.login('ann')
    await license.login('own')
    expect(agentsOf((await arrive(license, 'carl', { scopes: { groups: [1] } })).chat)).toEqual(['own'])
  })

  test('has its initial events first, then who it is assigned to, and says so in its properties', async () => {
    const license = await openLicense({
      ann: { name: 'Ann' },
      own: { permission: 'owner', default_status: not_accepting_chats },
    })
    const [ann, own] = [await license.login('ann'), await license.login('own')]
    const { client: carl } = await license.visit()
    const { chat } = await carl.ok('start_chat', {
      chat: { properties: { crm: { id: 7 } }, thread: { events: [message('one'), message('two')] } },
    })
    expect(textsOf(chat)).toEqual(['one', 'two', 'Chat assigned to Ann'])
    expect(chat.thread.events.at(-1)).toMatchObject({
      ...{ order: 3, type: 'system_message', system_message_type: 'routing.assigned', recipients: 'all' },
    })
    expect(chat.properties).toEqual({ crm: { id: { value: 7 } }, ...routing('unassigned', false) })
    expect(chat.thread.properties).toEqual(routing('unassigned', false))
    for (const client of [ann, own]) {
      const { chat: shown } = await client.next('incoming_chat_thread')
      expect([textsOf(shown), agentsOf(shown)]).toEqual([['one', 'two', 'Chat assigned to Ann'], ['ann']])
      expect([shown.properties, shown.thread.properties]).toEqual([chat.properties, chat.thread.properties])
      expect(shown.thread.user_ids.toSorted()).toEqual([...shown.users.map(({ id }) => id)].toSorted())
    }
  })

  test('stays unassigned where nobody is free, and says so', async () => {
    const license = await openLicense({ ann: { default_status: not_accepting_chats }, ben: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    expect(textsOf(carl.chat)).toEqual(['I am Carl', 'Chat is unassigned'])
    expect(carl.chat.thread.events.at(-1)).toMatchObject({ system_message_type: 'routing.unassigned' })
    expect(agentsOf(carl.chat)).toEqual([])
    expect(await isUnassigned(carl)).toEqual([true, true])
    expect(await told(ann)).toEqual(['incoming_chat_thread'])
    expect(await told(carl.client)).toEqual(['incoming_chat_thread'])
  })

  test('is not routed where an agent starts it: that agent is there', async () => {
    const license = await openLicense({ ann: { max_chats: 0 }, ben: {} })
    const ann = await license.login('ann')
    await license.login('ben')
    const carl = await arrive(license, 'Carl')
    expect(agentsOf(carl.chat)).toEqual(['ben'])
    const dora = await license.visit({ customer: { name: 'Dora' } })
    const { chat } = await ann.ok('start_chat', {
      initial_events: [message('hello')],
      chat: { users: [{ id: dora.id, type: 'customer' }] },
    })
    expect([textsOf(chat), agentsOf(chat), chat.properties]).toEqual([['hello'], ['ann'], undefined])
  })
})

describe('a chat that waits', () => {
  test('goes to whoever logs in, the one waiting longest first; the next when a thread is closed', async () => {
    const license = await openLicense({
      ann: { name: 'Ann', max_chats: 1 },
      own: { permission: 'owner', default_status: not_accepting_chats },
    })
    const own = await license.login('own')
    const carl = await arrive(license, 'Carl')
    const dora = await arrive(license, 'Dora')
    for (const client of [own, carl.client, dora.client]) await told(client)
    const ann = await license.login('ann')
    const assigning = [
      'Chat assigned to Ann',
      'chat_properties_updated',
      'chat_thread_properties_updated',
      'chat_users_updated',
      'chat_transferred',
    ]
    for (const client of [own, carl.client]) expect(await told(client)).toEqual(assigning)
    expect(await told(dora.client)).toEqual([])
    expect([await agentsNow(carl), await agentsNow(dora)]).toEqual([['ann'], []])
    expect([await isUnassigned(carl), await isUnassigned(dora)]).toEqual([
      [false, false],
      [true, true],
    ])
    await told(ann)
    await ann.ok('close_thread', { chat_id: carl.chat_id })
    expect(await told(ann)).toEqual(['Ann archived the chat', 'thread_closed', ...assigning])
    expect(await told(dora.client)).toEqual(assigning)
    expect(await agentsNow(dora)).toEqual(['ann'])
    expect(await isUnassigned(dora)).toEqual([false, false])
    expect((await chatNow(carl)).properties).toEqual(routing('unassigned', false))
  })

  test('tells of its assignment what changed: the properties, and who came', async () => {
    const license = await openLicense({ ann: { name: 'Ann' } })
    const { client, chat, chat_id } = await arrive(license, 'Carl')
    await told(client)
    const ann = await license.login('ann')
    await world.settled()
    expect(await client.next('incoming_event')).toMatchObject({
      chat_id,
      event: { text: 'Chat assigned to Ann' },
    })
    const unassigned = routing('unassigned', false)
    expect(await client.next('chat_properties_updated')).toEqual({
      chat_id,
      properties: unassigned,
      version: expect.any(Number),
    })
    expect(await client.next('chat_thread_properties_updated')).toEqual({
      ...{ chat_id, thread_id: chat.thread.id, properties: unassigned, version: expect.any(Number) },
    })
    expect(await client.next('chat_users_updated')).toMatchObject({
      updated_users: { added: [{ id: 'ann', name: 'Ann' }], removed_ids: [] },
    })
    expect(await client.next('chat_transferred')).toEqual({
      ...{ chat_id, thread_id: chat.thread.id, reason: 'assigned' },
      transferred_to: { agent_ids: ['ann'], group_ids: [] },
    })
    await client.receivesNothing()
    await ann.eventually(
      'chat_users_updated',
      ({ updated_users }) => updated_users.agents.added[0]?.id === 'ann',
    )
  })

  test('is shown, before it is assigned, to an agent who did not see it', async () => {
    const license = await openLicense({ ann: {} }, { groups: ['one', 'two'] })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl', { scopes: { groups: [1] } })
    expect(await agentsNow(carl)).toEqual([])
    expect(await told(ann)).toEqual([])
    await changeAgent(world.table, license.id, 'ann', { groups: [1] })
    expect(await agentsNow(carl)).toEqual(['ann'])
    expect((await told(ann))[0]).toBe('incoming_chat_thread')
  })

  test(
    'goes to whoever begins to accept chats, by its own hand or another’s',
    { tags: ['full'] },
    async () => {
      const license = await openLicense({ ann: {}, own: { permission: 'owner' } })
      const [ann, own] = [await license.login('ann'), await license.login('own')]
      for (const client of [ann, own])
        await client.ok('update_agent', { routing_status: not_accepting_chats })
      const carl = await arrive(license, 'Carl')
      expect(await agentsNow(carl)).toEqual([])
      await ann.ok('update_agent', { routing_status: 'accepting_chats' })
      expect(await agentsNow(carl)).toEqual(['ann'])
      await ann.ok('update_agent', { routing_status: not_accepting_chats })
      const dora = await arrive(license, 'Dora')
      expect(await agentsNow(dora)).toEqual([])
      await own.ok('update_agent', { agent_id: 'ann', routing_status: 'accepting_chats' })
      expect(await agentsNow(dora)).toEqual(['ann'])
    },
  )

  test(
    'goes to one who is taken out of another chat, which then waits itself',
    { tags: ['full'] },
    async () => {
      const license = await openLicense({
        ann: { max_chats: 1 },
        own: { permission: 'owner', default_status: not_accepting_chats },
      })
      await license.login('ann')
      const own = await license.login('own')
      const carl = await arrive(license, 'Carl')
      const dora = await arrive(license, 'Dora')
      await own.ok('remove_from_chat', { chat_id: carl.chat_id, agent_ids: ['ann'] })
      // it has waited longer
      expect([await agentsNow(carl), await agentsNow(dora)]).toEqual([[], ['ann']])
      expect([await isUnassigned(carl), await isUnassigned(dora)]).toEqual([
        [true, true],
        [false, false],
      ])
      await dora.client.ok('close_thread', { chat_id: dora.chat_id })
      expect(await agentsNow(carl)).toEqual(['ann'])
    },
  )

  test('goes to one whose limit is raised', { tags: ['full'] }, async () => {
    const license = await openLicense({ ann: { max_chats: 1 } })
    await license.login('ann')
    await arrive(license, 'Carl')
    const dora = await arrive(license, 'Dora')
    expect(await agentsNow(dora)).toEqual([])
    await changeAgent(world.table, license.id, 'ann', { max_chats: 2 })
    expect(await agentsNow(dora)).toEqual(['ann'])
  })

  test('goes to one who can see it by its new scopes', { tags: ['full'] }, async () => {
    const license = await openLicense(
      { ann: { groups: [2] }, own: { permission: 'owner', default_status: not_accepting_chats } },
      { groups: ['one', 'two'] },
    )
    await license.login('ann')
    const own = await license.login('own')
    const [carl, dora] = [
      await arrive(license, 'Carl', { scopes: { groups: [1] } }),
      await arrive(license, 'Dora', { scopes: { groups: [1] } }),
    ]
    expect(await agentsNow(carl)).toEqual([])
    await own.ok('update_chat_scopes', { chat_id: carl.chat_id, add_scopes: { groups: [2] } })
    expect(await agentsNow(carl)).toEqual(['ann'])
    await dora.client.ok('update_chat_scopes', { chat_id: dora.chat_id, add_scopes: { groups: [2] } })
    expect(await agentsNow(dora)).toEqual(['ann'])
  })

  test('waits no more once an agent joins it by hand, which may overfill that agent', async () => {
    const license = await openLicense({ ann: { max_chats: 0 } })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await told(carl.client)
    await ann.ok('join_chat', { chat_id: carl.chat_id, agent_ids: ['ann'] })
    expect(await told(carl.client)).toEqual([
      ...[
        'ann joined the chat',
        'chat_properties_updated',
        'chat_thread_properties_updated',
        'chat_users_updated',
      ],
    ])
    expect(await isUnassigned(carl)).toEqual([false, false])
    expect(await expectLoads(world, license.id)).toEqual({ ann: 1 })
  })

  test(
    'waits on where somebody only supervises it, which makes nobody’s load higher',
    { tags: ['full'] },
    async () => {
      const license = await openLicense({
        ann: { max_chats: 1 },
        own: { permission: 'owner', default_status: not_accepting_chats },
      })
      const own = await license.login('own')
      const carl = await arrive(license, 'Carl')
      await own.ok('supervise_chat', { chat_id: carl.chat_id, agent_ids: ['own'] })
      expect(await isUnassigned(carl)).toEqual([true, true])
      expect(await expectLoads(world, license.id)).toEqual({})
      await license.login('ann')
      expect(await agentsNow(carl)).toEqual(['ann'])
    },
  )

  test('sets nothing off by what its customer adds to it', async () => {
    const license = await openLicense({ ann: {} })
    const carl = await arrive(license, 'Carl')
    await world.settled()
    const events = [message('anybody?')]
    const { calls } = await world.proxy.record(async () => {
      await carl.client.ok('start_chat', { chat: { thread: { events } } })
      await carl.client.ok('send_event', { chat_id: carl.chat_id, event: message('hello?') })
      await world.settled()
    })
    expect(calls.length).toBeGreaterThan(0)
    const ofList = calls.filter(
      ({ operation, request }) =>
        operation === 'Query' && JSON.stringify(request).includes(`"${activePk(license.id)}"`),
    )
    expect(ofList).toEqual([])
    await license.login('ann')
    expect(await agentsNow(carl)).toEqual(['ann'])
  })

  test('is given to one who supervises it, as its agent', async () => {
    const license = await openLicense({ ann: { name: 'Ann', default_status: not_accepting_chats } })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await ann.ok('supervise_chat', { chat_id: carl.chat_id, agent_ids: ['ann'] })
    await told(carl.client)
    await ann.ok('update_agent', { routing_status: 'accepting_chats' })
    expect(await agentsNow(carl)).toEqual(['ann'])
    expect(await told(carl.client)).toContain('chat_users_updated')
    expect(await expectLoads(world, license.id)).toEqual({ ann: 1 })
  })

  test('waits no more once it is closed; its next thread is routed anew', { tags: ['full'] }, async () => {
    const license = await openLicense({ ann: {} })
    const carl = await arrive(license, 'Carl')
    await carl.client.ok('close_thread', { chat_id: carl.chat_id })
    const ann = await license.login('ann')
    expect(await agentsNow(carl)).toEqual([])
    expect(await told(ann)).toEqual([])
    await carl.client.ok('send_event', { chat_id: carl.chat_id, event: message('again') })
    expect(await agentsNow(carl)).toEqual(['ann'])
    expect(textsOf(await chatNow(carl))).toEqual(['again', 'Chat assigned to ann'])
    expect(await isUnassigned(carl)).toEqual([false, false])
  })

  test('is not given to anyone while its customer is not in it', { tags: ['full'] }, async () => {
    const license = await openLicense({
      ann: {},
      own: { permission: 'owner', default_status: not_accepting_chats },
    })
    const own = await license.login('own')
    const carl = await arrive(license, 'Carl')
    await own.ok('remove_from_chat', { chat_id: carl.chat_id, customer_ids: [carl.id] })
    await license.login('ann')
    expect(await agentsNow(carl)).toEqual([])
    await carl.client.ok('start_chat')
    expect(await agentsNow(carl)).toEqual(['ann'])
  })
})

describe('an active thread whose last agent leaves', () => {
  test('goes to another', async () => {
    const license = await openLicense({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await license.login('ben')
    await told(carl.client)
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id })
    expect(await told(carl.client)).toEqual([
      ...['ann left the chat', 'chat_users_updated', 'Chat assigned to ben', 'chat_users_updated'],
      'chat_transferred',
    ])
    expect(await agentsNow(carl)).toEqual(['ben'])
  })

  test('is unassigned where nobody else is free; of who is in it nothing is told twice', async () => {
    const license = await openLicense({ ann: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await told(carl.client)
    await told(ann)
    await ann.ok('update_agent', { routing_status: not_accepting_chats })
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id })
    const pushes = [
      ...['ann left the chat', 'chat_users_updated', 'Chat is unassigned'],
      ...['chat_properties_updated', 'chat_thread_properties_updated', 'chat_transferred'],
    ]
    expect(await told(carl.client)).toEqual(pushes)
    expect(await told(ann)).toEqual(pushes)
    expect(await isUnassigned(carl)).toEqual([true, true])
  })

  test('stays with an agent who is left', async () => {
    const license = await openLicense({ ann: {}, ben: {}, cyd: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await license.login('ben')
    await license.login('cyd')
    await ann.ok('join_chat', { chat_id: carl.chat_id, agent_ids: ['ben'] })
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id })
    expect(await agentsNow(carl)).toEqual(['ben'])
    expect(textsOf(await chatNow(carl))).not.toContain('Chat assigned to ben')
  })

  test('goes to another where the last one is suspended', async () => {
    const license = await openLicense({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await license.login('ben')
    await changeAgent(world.table, license.id, 'ann', { suspended: true })
    await ann.closing()
    expect(await agentsNow(carl)).toEqual(['ben'])
    expect(textsOf(await chatNow(carl)).slice(-2)).toEqual(['ann left the chat', 'Chat assigned to ben'])
  })
})

describe('a thread that a customer reopens', () => {
  const close = ({ client, chat_id }: Arrived) => client.ok('close_thread', { chat_id })
  const reopenings: Record<string, (carl: Arrived) => Promise<unknown>> = {
    start_chat: ({ client }) => client.ok('start_chat', { chat: { thread: { events: [message('again')] } } }),
    send_event: ({ client, chat_id }) => client.ok('send_event', { chat_id, event: message('again') }),
  }

  const ways = Object.entries(reopenings)
  testFirst('by %s stays with its agent who accepts chats, even above the limit', ways, async (_, reopen) => {
    const license = await openLicense({ ann: { max_chats: 1 }, ben: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await close(carl)
    const dora = await arrive(license, 'Dora')
    expect(agentsOf(dora.chat)).toEqual(['ann'])
    await license.login('ben')
    await told(ann)
    await reopen(carl)
    expect(await agentsNow(carl)).toEqual(['ann'])
    expect(textsOf(await chatNow(carl))).toEqual(['again'])
    expect(await told(ann)).toEqual(['incoming_chat_thread'])
    expect(await expectLoads(world, license.id)).toEqual({ ann: 2 })
  })

  testFirst(
    'by %s goes to another where its agent accepts none, and waits where nobody does',
    ways,
    async (_, reopen) => {
      const license = await openLicense({ ann: {}, ben: {} })
      const ann = await license.login('ann')
      const carl = await arrive(license, 'Carl')
      const ben = await license.login('ben')
      for (const client of [ann, ben])
        await client.ok('update_agent', { routing_status: not_accepting_chats })
      await close(carl)
      await reopen(carl)
      expect(await isUnassigned(carl)).toEqual([true, true])
      expect(await agentsNow(carl)).toEqual(['ann'])
      await ben.ok('update_agent', { routing_status: 'accepting_chats' })
      expect(await agentsNow(carl)).toEqual(['ben'])
    },
  )

  testFirst(
    'by %s goes to another while its agent is away: the event, the assignment, then who left',
    ways,
    async (_, reopen) => {
      const license = await openLicense({ ann: {}, ben: {} })
      const ann = await license.login('ann')
      const carl = await arrive(license, 'Carl')
      const ben = await license.login('ben')
      await close(carl)
      await leaves(ann, 'ann', ben)
      await told(ben)
      await told(carl.client)
      await reopen(carl)
      expect(await agentsNow(carl)).toEqual(['ben'])
      expect(textsOf(await chatNow(carl))).toEqual(['again', 'Chat assigned to ben', 'ann left the chat'])
      for (const client of [ben, carl.client])
        expect(await told(client)).toEqual(['incoming_chat_thread', 'chat_users_updated'])
    },
  )

  testFirst(
    'by %s is unassigned while its agent is away and nobody is free, until that agent is back',
    ways,
    async (_, reopen) => {
      const license = await openLicense({
        ann: {},
        own: { permission: 'owner', default_status: not_accepting_chats },
      })
      const ann = await license.login('ann')
      const carl = await arrive(license, 'Carl')
      const own = await license.login('own')
      await close(carl)
      await leaves(ann, 'ann', own)
      await told(carl.client)
      await reopen(carl)
      expect(await agentsNow(carl)).toEqual(['ann'])
      expect(textsOf(await chatNow(carl))).toEqual(['again', 'Chat is unassigned'])
      expect(await isUnassigned(carl)).toEqual([true, true])
      expect(await told(carl.client)).toEqual(['incoming_chat_thread', 'chat_properties_updated'])
      await license.login('ann')
      expect(await told(carl.client)).toEqual([
        ...['Chat assigned to ann', 'chat_properties_updated', 'chat_thread_properties_updated'],
        'chat_transferred',
      ])
      expect(await isUnassigned(carl)).toEqual([false, false])
      expect(await expectLoads(world, license.id)).toEqual({ ann: 1 })
    },
  )
})

describe('an agent who leaves a chat', () => {
  test('does not get that thread again, but the next one', async () => {
    const license = await openLicense({ ann: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id })
    await world.tick()
    expect(await agentsNow(carl)).toEqual([])
    expect(await isUnassigned(carl)).toEqual([true, true])
    await carl.client.ok('close_thread', { chat_id: carl.chat_id })
    await carl.client.ok('send_event', { chat_id: carl.chat_id, event: message('again') })
    expect(await agentsNow(carl)).toEqual(['ann'])
  })

  test('does not get that thread again by supervising it', async () => {
    const license = await openLicense({ ann: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id })
    await ann.ok('supervise_chat', { chat_id: carl.chat_id })
    await world.tick()
    expect(await agentsNow(carl)).toEqual([])
  })

  test('has it again by joining, or where another took it out', async () => {
    const license = await openLicense({
      ann: {},
      own: { permission: 'owner', default_status: not_accepting_chats },
    })
    const [ann, own] = [await license.login('ann'), await license.login('own')]
    const carl = await arrive(license, 'Carl')
    await own.ok('remove_from_chat', { chat_id: carl.chat_id, agent_ids: ['ann'] })
    expect(await agentsNow(carl)).toEqual(['ann'])
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id })
    expect(await agentsNow(carl)).toEqual([])
    await ann.ok('join_chat', { chat_id: carl.chat_id, agent_ids: ['ann'] })
    expect(await isUnassigned(carl)).toEqual([false, false])
  })
})

describe('a chat whose agent is gone', () => {
  const gone = async (license: License, ann: Client): Promise<Client> => {
    const witness = await license.login('own')
    await leaves(ann, 'ann', witness)
    return witness
  }
  const own = { permission: 'owner', default_status: not_accepting_chats } as const

  test('goes to another while its customer waits for an answer, or waits', async () => {
    const license = await openLicense({ ann: {}, ben: {}, own })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await license.login('ben')
    await gone(license, ann)
    expect(await agentsNow(carl)).toEqual(['ben'])
    expect(textsOf(await chatNow(carl)).slice(-2)).toEqual(['Chat assigned to ben', 'ann left the chat'])

    const alone = await openLicense({ ann: {}, own })
    const [other, dora] = [await alone.login('ann'), await arrive(alone, 'Dora')]
    await gone(alone, other)
    expect(await isUnassigned(dora)).toEqual([true, true])
    await alone.login('ann')
    expect(await isUnassigned(dora)).toEqual([false, false])
  })

  test('stays where it is once its customer has an answer, until that customer asks again', async () => {
    const license = await openLicense({ ann: {}, ben: {}, own })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await license.login('ben')
    await ann.ok('send_event', { chat_id: carl.chat_id, event: message('here you are') })
    await gone(license, ann)
    expect(await agentsNow(carl)).toEqual(['ann'])
    await carl.client.ok('send_event', { chat_id: carl.chat_id, event: message('and this?') })
    expect(await agentsNow(carl)).toEqual(['ben'])
  })

  test('stays with one who only stopped accepting chats', async () => {
    const license = await openLicense({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await license.login('ben')
    await ann.ok('update_agent', { routing_status: not_accepting_chats })
    await carl.client.ok('send_event', { chat_id: carl.chat_id, event: message('hello?') })
    expect(await agentsNow(carl)).toEqual(['ann'])
  })
})

describe('chats among agents', () => {
  test('count for nobody, until a customer is in them', async () => {
    const license = await openLicense({ ann: { max_chats: 1 } })
    const ann = await license.login('ann')
    for (let i = 0; i < 3; i += 1) await ann.ok('start_chat')
    expect(await expectLoads(world, license.id)).toEqual({})
    const carl = await arrive(license, 'Carl')
    expect(agentsOf(carl.chat)).toEqual(['ann'])
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id, customer_ids: [carl.id] })
    expect(await expectLoads(world, license.id)).toEqual({})
    const dora = await arrive(license, 'Dora')
    expect(agentsOf(dora.chat)).toEqual(['ann'])
    await carl.client.ok('start_chat')
    expect(await expectLoads(world, license.id)).toEqual({ ann: 2 })
  })
})

describe('in manual mode', () => {
  test('a chat waits until an agent joins it, and again once the last one leaves', async () => {
    const license = await openLicense({ ann: {}, ben: {} }, { settings: { routing: 'manual' } })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    expect(textsOf(carl.chat)).toEqual(['I am Carl', 'Chat is unassigned'])
    await license.login('ben')
    await ann.ok('update_agent', { routing_status: not_accepting_chats })
    await ann.ok('update_agent', { routing_status: 'accepting_chats' })
    await world.tick(Date.now() + minute)
    expect(await agentsNow(carl)).toEqual([])
    await ann.ok('join_chat', { chat_id: carl.chat_id, agent_ids: ['ann'] })
    expect(await isUnassigned(carl)).toEqual([false, false])
    await ann.ok('remove_from_chat', { chat_id: carl.chat_id })
    expect(await agentsNow(carl)).toEqual([])
    expect(await isUnassigned(carl)).toEqual([true, true])
  })

  test('an agent of the chat who is logged in keeps it', async () => {
    const license = await openLicense({ ann: {} }, { settings: { routing: 'manual' } })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await ann.ok('join_chat', { chat_id: carl.chat_id, agent_ids: ['ann'] })
    await carl.client.ok('close_thread', { chat_id: carl.chat_id })
    await carl.client.ok('send_event', { chat_id: carl.chat_id, event: message('again') })
    expect(textsOf(await chatNow(carl))).toEqual(['again'])
    expect((await chatNow(carl)).properties).toEqual(routing('unassigned', false))
  })

  test('a waiting chat that an earlier release did not list is given away by the clock, and strays go', async () => {
    const license = await openLicense({ ann: { default_status: 'not_accepting_chats' } })
    const ann = await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await world.settled()
    const [row] = await readWaitingChats(world.table.read, license.id)
    await world.table.write.write(removeWaitingChat(license.id, carl.chat_id))
    await world.table.write.write(listWaitingChat(license.id, { ...row!, id: 'stray' }, undefined))
    await ann.ok('update_agent', { routing_status: 'accepting_chats' })
    expect(await agentsNow(carl)).toEqual([])
    await world.tick()
    expect(await agentsNow(carl)).toEqual(['ann'])
    expect(await readWaitingChats(world.table.read, license.id)).toEqual([])
  })

  test('nothing is given away until the mode is changed, by the clock at the latest', async () => {
    const license = await openLicense({ ann: {} }, { settings: { routing: 'manual' } })
    await license.login('ann')
    const carl = await arrive(license, 'Carl')
    await changeLicense(world.table, license.id, { routing: 'automatic' })
    await world.settled()
    await world.tick()
    expect(await agentsNow(carl)).toEqual(['ann'])
  })
})
