import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { deleteGroup } from '../../shared/provisioning/change-group.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import { calm } from '../races/holding.ts'
import { expectLoads } from '../customer/loads.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { message } from '../support/events.ts'
import { type AgentDraft, type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0 })
})

const sales = 1
const support = 2

interface Desk {
  license: License
  ann: Client
  kim: CustomerClient
  chat_id: string
}
/** A customer's chat of ann's, who is in sales; each other agent is there but has not logged in. */
const openDesk = async (
  others: Record<string, AgentDraft>,
  scopes: object = { groups: [sales] },
): Promise<Desk> => {
  const license = await world.license(
    { ann: { name: 'Ann', groups: [sales] }, ...others },
    { groups: ['Sales', 'Support'] },
  )
  const ann = await license.login('ann')
  const { client: kim } = await license.visit({ customer: { name: 'Kim' } })
  const { chat } = await kim.ok('start_chat', { chat: { scopes, thread: { events: [message('hello')] } } })
  await calm(world)
  return { license, ann, kim, chat_id: chat.id }
}
const attendance = async (chat_id: string) => {
  const chat = await readChat(world.table.read, chat_id)
  if (chat === undefined) throw new Error('There is no such chat')
  const of = (type: string) =>
    chat.users.filter((user) => user.type === type && user.present).map(({ id }) => id)
  return {
    agents: of('agent'),
    supervisors: of('supervisor'),
    waits: chat.waiting_since !== undefined,
    scopes: chat.scopes,
  }
}
const heard = async (client: Client | CustomerClient): Promise<{ action: string; payload: any }[]> => {
  await calm(world)
  return (await client.received()).filter(
    ({ action }) => action !== 'customer_updated' && action !== 'agent_updated',
  )
}
/** What a client was told since, in order; of messages their texts. */
const told = async (client: Client | CustomerClient): Promise<string[]> =>
  (await heard(client)).map(({ action, payload }) =>
    action === 'incoming_event' ? payload.event.text : action,
  )
/** The payload of the one push of this name that a client was told since. */
const toldOf = async (client: Client | CustomerClient, name: string): Promise<any> => {
  const named = (await heard(client)).filter(({ action }) => action === name)
  expect(named).toHaveLength(1)
  return named[0]?.payload
}
const clear = async (...clients: (Client | CustomerClient)[]) => {
  await calm(world)
  for (const client of clients) await client.received()
}
const refusedWith = async (client: Client, payload: object): Promise<any> => {
  const answer: any = await client.call('transfer_chat', payload)
  return answer.payload.error
}
const agentTarget = (...ids: string[]) => ({ type: 'agent', ids })
const groupTarget = (...ids: number[]) => ({ type: 'group', ids })

describe('transfer_chat to an agent', () => {
  test('takes the requester out and the agent in at once, and tells everyone in this order', async () => {
    const { license, ann, kim, chat_id } = await openDesk({
      ben: { name: 'Ben', groups: [sales] },
      eve: { groups: [sales] },
    })
    const ben = await license.login('ben')
    const eve = await license.login('eve')
    await clear(ann, kim, ben, eve)
    await ann.ok('transfer_chat', { chat_id, target: agentTarget('ben') })
    const order = ['Chat transferred to Ben by Ann', 'chat_users_updated', 'chat_transferred']
    for (const client of [ann, ben, eve, kim]) expect(await told(client)).toEqual(order)
    expect(await attendance(chat_id)).toMatchObject({
      agents: ['ben'],
      waits: false,
      scopes: { groups: [sales], agents: [] },
    })
    await expectLoads(world, license.id)
    // who was taken out writes no more
    expect((await ann.call('send_event', { chat_id, event: message('one more') })) as any).toMatchObject({
      payload: { error: { type: 'authorization' } },
    })
  })

  test('says who has it, and of whom it was', async () => {
    const { license, ann, kim, chat_id } = await openDesk({ ben: { groups: [sales] } })
    const ben = await license.login('ben')
    await clear(ann, kim, ben)
    await ann.ok('transfer_chat', { id: chat_id, target: agentTarget('ben') })
    const expected = {
      chat_id,
      thread_id: `${chat_id}_1`,
      requester_id: 'ann',
      reason: 'manual',
      transferred_to: { agent_ids: ['ben'], group_ids: [] },
    }
    expect(await ben.eventually('chat_transferred')).toEqual(expected)
    expect(await kim.eventually('chat_transferred')).toEqual(expected)
    expect(await kim.eventually('incoming_event')).toMatchObject({
      event: { type: 'system_message', system_message_type: 'transferred', recipients: 'all' },
    })
  })

  test('names to the customer nobody whom it has not met', async () => {
    const { license, kim, chat_id } = await openDesk({
      boss: { name: 'Boss', permission: 'administrator' },
      ben: { groups: [sales] },
    })
    await license.login('ben')
    const boss = await license.login('boss')
    await clear(kim)
    await boss.ok('transfer_chat', { chat_id, target: agentTarget('ben'), ignore_requester_presence: true })
    expect(await toldOf(kim, 'chat_transferred')).toEqual({
      chat_id,
      thread_id: `${chat_id}_1`,
      reason: 'manual',
      transferred_to: { agent_ids: ['ben'], group_ids: [] },
    })
  })

  test('again changes nothing, and pushes nothing', async () => {
    const { license, ann, kim, chat_id } = await openDesk({ ben: { groups: [sales] } })
    const ben = await license.login('ben')
    await ann.ok('transfer_chat', { chat_id, target: agentTarget('ben') })
    await clear(ann, kim, ben)
    await ann.ok('transfer_chat', { chat_id, target: agentTarget('ben') })
    for (const client of [ann, ben, kim]) expect(await told(client)).toEqual([])
  })

  test('leaves supervisors where they are, and makes one that it is given to an agent', async () => {
    const { license, ann, chat_id } = await openDesk({ ben: { groups: [sales] }, eve: { groups: [sales] } })
    const [ben, eve] = [await license.login('ben'), await license.login('eve')]
    for (const client of [ben, eve]) await client.ok('supervise_chat', { chat_id })
    await ann.ok('transfer_chat', { chat_id, target: agentTarget('ben') })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ben'], supervisors: ['eve'] })
    await expectLoads(world, license.id)
  })

  test.each([
    ['is not there', 'ben', {}, undefined, 'is not logged in'],
    ['does not accept chats', 'ben', {}, 'not_accepting_chats', 'does not accept chats'],
    ['takes no more', 'ben', { max_chats: 0 }, 'accepting_chats', 'has 0 active chats and takes 0'],
  ])('who %s is refused, says why, and changes nothing', async (_, id, draft, status, why) => {
    const { license, ann, kim, chat_id } = await openDesk({ ben: { groups: [sales], ...draft } })
    if (status !== undefined)
      await (await license.login('ben')).ok('update_agent', { agent_id: 'ben', routing_status: status })
    await clear(ann, kim)
    expect(await refusedWith(ann, { chat_id, target: agentTarget(id) })).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.target.ids.0', message: `The agent ben ${why}` }],
    })
    expect(await told(kim)).toEqual([])
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ann'], waits: false })
    await expectLoads(world, license.id)
  })

  test('who cannot see the chat is refused, also where it may wait', async () => {
    const { license, ann, chat_id } = await openDesk({ ben: { groups: [support] } })
    await license.login('ben')
    for (const ignore_agents_availability of [false, true])
      expect(
        await refusedWith(ann, { chat_id, target: agentTarget('ben'), ignore_agents_availability }),
      ).toMatchObject({ type: 'validation', details: [{ message: 'The agent ben cannot see this chat' }] })
  })

  test('who is not free is not named to the customer, where the chat waits; asked again, nothing changes', async () => {
    const { license, ann, kim, chat_id } = await openDesk({
      ben: { name: 'Ben', groups: [sales], max_chats: 0 },
    })
    await license.login('ben')
    await clear(ann, kim)
    const asked = { chat_id, target: agentTarget('ben'), ignore_agents_availability: true }
    await ann.ok('transfer_chat', asked)
    expect(await attendance(chat_id)).toMatchObject({ agents: [], waits: true })
    expect(JSON.stringify(await heard(kim))).not.toContain('Ben')
    await clear(ann)
    await ann.ok('transfer_chat', asked)
    expect(await told(ann)).toEqual([])
  })

  test('that there is none of is not_found', async () => {
    const { ann, license, chat_id } = await openDesk({ ben: { groups: [sales] } })
    await changeAgent(world.table, license.id, 'ben', { suspended: true })
    for (const id of ['nobody', 'ben'])
      expect(await refusedWith(ann, { chat_id, target: agentTarget(id) })).toMatchObject({
        type: 'not_found',
      })
  })

  test('of several goes to the one with the fewest chats', async () => {
    const { license, ann, chat_id } = await openDesk(
      { ben: { groups: [support] }, eve: { groups: [support] } },
      {},
    )
    for (const id of ['ben', 'eve']) await license.login(id)
    const { client: lee } = await license.visit({ customer: { name: 'Lee' } })
    const { chat } = await lee.ok('start_chat', { chat: { scopes: { groups: [support] } } })
    await calm(world)
    const busy = (await attendance(chat.id)).agents[0]
    await ann.ok('transfer_chat', { chat_id, target: agentTarget('ben', 'eve') })
    expect((await attendance(chat_id)).agents).toEqual([busy === 'ben' ? 'eve' : 'ben'])
    expect((await attendance(chat_id)).agents).not.toContain('ann')
  })
})

describe('transfer_chat to a group', () => {
  test('takes the chat over to it, with the scopes, and shows it to who could not see it', async () => {
    const { license, ann, kim, chat_id } = await openDesk({
      ben: { groups: [support] },
      eve: { groups: [support] },
    })
    const ben = await license.login('ben')
    await clear(ann, kim, ben)
    await ann.ok('transfer_chat', { chat_id, target: groupTarget(support) })
    const order = [
      'Chat transferred to Support by Ann',
      'chat_users_updated',
      'chat_scopes_updated',
      'chat_transferred',
    ]
    expect(await told(ben)).toEqual(['incoming_chat_thread', ...order])
    expect(await told(ann)).toEqual(order.slice(1))
    expect(await told(kim)).toEqual(order)
    expect(await attendance(chat_id)).toEqual({
      agents: ['ben'],
      supervisors: [],
      waits: false,
      scopes: { groups: [support], agents: [] },
    })
    await expectLoads(world, license.id)
  })

  test('of which nobody is free is refused, and says what they lack', async () => {
    const { license, ann, chat_id } = await openDesk({
      ben: { groups: [support] },
      eve: { groups: [support], max_chats: 0 },
    })
    await license.login('eve')
    expect(await refusedWith(ann, { chat_id, target: groupTarget(support) })).toMatchObject({
      type: 'validation',
      details: [
        {
          path: 'payload.target.ids',
          message: 'Nobody is free: 1 is not logged in, 1 has 0 active chats and takes 0',
        },
      ],
    })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ann'], scopes: { groups: [sales] } })
  })

  test('of which nobody is free waits where it may, and goes to the first who is', async () => {
    const { license, ann, kim, chat_id } = await openDesk({ ben: { groups: [support] } })
    await clear(ann, kim)
    await ann.ok('transfer_chat', { chat_id, target: groupTarget(support), ignore_agents_availability: true })
    await calm(world)
    expect(await attendance(chat_id)).toMatchObject({
      agents: [],
      waits: true,
      scopes: { groups: [support] },
    })
    const pushes = await heard(kim)
    expect(pushes.find(({ action }) => action === 'chat_transferred')?.payload).toMatchObject({
      transferred_to: { agent_ids: [], group_ids: [support] },
      queue: { position: 1, queued_at: expect.any(Number) },
    })
    expect(
      pushes.map(({ action, payload }) => (action === 'incoming_event' ? payload.event.text : action)),
    ).toEqual([
      'Chat transferred to Support by Ann',
      'chat_properties_updated',
      'chat_thread_properties_updated',
      'chat_users_updated',
      'chat_scopes_updated',
      'chat_transferred',
      'queue_position_updated',
    ])
    await license.login('ben')
    await calm(world)
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ben'], waits: false })
    expect(await toldOf(kim, 'chat_transferred')).toMatchObject({
      reason: 'assigned',
      transferred_to: { agent_ids: ['ben'], group_ids: [] },
    })
    await expectLoads(world, license.id)
  })

  test('is not given back to who transfers it, though that one is in the group and free', async () => {
    const { ann, chat_id } = await openDesk({ ben: { groups: [sales] } })
    await ann.ok('transfer_chat', { chat_id, target: groupTarget(sales), ignore_agents_availability: true })
    await calm(world)
    expect(await attendance(chat_id)).toMatchObject({ agents: [], waits: true })
  })

  test('that was deleted is its successor, and one that never was is not_found', async () => {
    const { license, ann, chat_id } = await openDesk({ ben: { groups: [support] } }, {})
    await license.login('ben')
    await deleteGroup(world.table, license.id, sales, { evenWithAgents: true, into: support })
    expect(await refusedWith(ann, { chat_id, target: groupTarget(99) })).toMatchObject({
      type: 'not_found',
      details: [{ path: 'payload.target.ids.0' }],
    })
    await ann.ok('transfer_chat', { chat_id, target: groupTarget(sales) })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ben'], scopes: { groups: [support] } })
  })
})

describe('transfer_chat', () => {
  test('without a target goes to any free agent of its groups, and to nobody who has it', async () => {
    const { license, ann, chat_id } = await openDesk({ ben: { groups: [support] }, eve: { groups: [sales] } })
    await license.login('ben')
    expect(await refusedWith(ann, { chat_id })).toMatchObject({ type: 'validation' })
    await license.login('eve')
    await ann.ok('transfer_chat', { chat_id })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['eve'] })
    // it comes again: eve keeps it
    await ann.ok('transfer_chat', { chat_id })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['eve'] })
  })

  test('asked again by who has lost access by it is refused, as who leaves again is; nothing changes', async () => {
    const { license, ann, kim, chat_id } = await openDesk({
      bob: { groups: [sales] },
      ben: { groups: [support] },
    })
    const [bob, ben] = [await license.login('bob'), await license.login('ben')]
    const target = { type: 'group', ids: [support] }
    await ann.ok('transfer_chat', { chat_id, target })
    await clear(kim, ben)
    expect(await refusedWith(ann, { chat_id, target })).toMatchObject({ type: 'authorization' })
    // who has no access is told nothing of the chat, not even that it is where it was wanted
    expect(await refusedWith(bob, { chat_id, target })).toMatchObject({ type: 'authorization' })
    for (const client of [kim, ben]) expect(await told(client)).toEqual([])
    await ben.ok('join_chat', { chat_id, agent_ids: ['ann'] })
    await ann.ok('remove_from_chat', { chat_id })
    expect(await ann.refused('remove_from_chat', { chat_id })).toMatchObject({ type: 'authorization' })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ben'], scopes: { groups: [support] } })
  })

  test('is for agents of the chat, unless it says that this does not matter', async () => {
    const { license, chat_id } = await openDesk({ ben: { groups: [sales] }, eve: { groups: [sales] } })
    const eve = await license.login('eve')
    await license.login('ben')
    await eve.ok('supervise_chat', { chat_id })
    const target = agentTarget('ben')
    expect(await refusedWith(eve, { chat_id, target })).toMatchObject({ type: 'authorization' })
    await eve.ok('transfer_chat', { chat_id, target, ignore_requester_presence: true })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ben'], supervisors: ['eve'] })
  })

  test('goes to nobody who looks on, nor to who asks for it', async () => {
    const { license, chat_id } = await openDesk({
      boss: { permission: 'owner' },
      eve: { groups: [sales] },
    })
    const [boss, eve] = [await license.login('boss'), await license.login('eve')]
    await eve.ok('supervise_chat', { chat_id })
    expect(await refusedWith(boss, { chat_id, ignore_requester_presence: true })).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.target', message: 'Nobody else can be given the chat' }],
    })
    expect(await attendance(chat_id)).toMatchObject({ agents: ['ann'], supervisors: ['eve'] })
  })

  test('of a closed thread is chat_inactive', async () => {
    const { license, ann, chat_id } = await openDesk({ ben: { groups: [sales] } })
    await license.login('ben')
    await ann.ok('close_thread', { chat_id })
    expect(await refusedWith(ann, { chat_id, target: agentTarget('ben') })).toMatchObject({
      type: 'chat_inactive',
    })
  })

  test('of a chat without a customer goes to an agent, is nobody’s load, and never waits', async () => {
    const { license, ann } = await openDesk({ ben: { groups: [sales] } })
    const { chat } = await ann.ok('start_chat')
    const waiting = { chat_id: chat.id, target: groupTarget(support), ignore_agents_availability: true }
    expect(await refusedWith(ann, waiting)).toMatchObject({ type: 'validation' })
    await license.login('ben')
    await ann.ok('transfer_chat', { chat_id: chat.id, target: agentTarget('ben') })
    expect(await attendance(chat.id)).toMatchObject({ agents: ['ben'], waits: false })
    await expectLoads(world, license.id)
  })

  let asked: Desk
  beforeAll(async () => {
    asked = await openDesk({})
  })
  test.each([
    [{ target: { type: 'agent', ids: [] } }, 'payload.target.ids'],
    [{ target: { type: 'team', ids: ['ben'] } }, 'payload.target.type'],
    [{ target: { type: 'group', ids: ['one'] } }, 'payload.target.ids.0'],
    [{ ignore_agents_availability: 'maybe' }, 'payload.ignore_agents_availability'],
  ])('with %j is validation at %s', async (payload, path) => {
    const error = await refusedWith(asked.ann, { chat_id: asked.chat_id, ...payload })
    expect(error).toMatchObject({ type: 'validation', details: [{ path }] })
  })

  test('is nobody’s twice: of two at once one is done, and the chat has one agent', async () => {
    const { license, ann, chat_id } = await openDesk({
      boss: { permission: 'owner' },
      ben: { groups: [sales] },
      eve: { groups: [sales] },
    })
    const boss = await license.login('boss')
    await license.login('ben')
    await license.login('eve')
    await Promise.all([
      ann.call('transfer_chat', { chat_id, target: agentTarget('ben') }),
      boss.call('transfer_chat', { chat_id, target: agentTarget('eve'), ignore_requester_presence: true }),
    ])
    await calm(world)
    expect((await attendance(chat_id)).agents).toHaveLength(1)
    await expectLoads(world, license.id)
  })

  test(
    'never overfills an agent: of eight chats that are transferred to it at once it takes as many as it may',
    { tags: ['full'] },
    async () => {
      const { license, ann } = await openDesk({ ben: { groups: [sales], max_chats: 3 } })
      await changeAgent(world.table, license.id, 'ann', { max_chats: 20 })
      const chats: string[] = []
      for (let n = 0; n < 8; n += 1) {
        const { client } = await license.visit({ customer: { name: `Lee ${n}` } })
        chats.push((await client.ok('start_chat', { chat: { scopes: { groups: [sales] } } })).chat.id)
      }
      await calm(world)
      await license.login('ben')
      await calm(world)
      await Promise.all(
        chats.map((chat_id) => ann.call('transfer_chat', { chat_id, target: agentTarget('ben') })),
      )
      await calm(world)
      const mine = await Promise.all(chats.map(attendance))
      expect(mine.filter(({ agents }) => agents.includes('ben')).length).toBeLessThanOrEqual(3)
      expect(mine.every(({ agents, waits }) => agents.length === 1 || waits)).toBe(true)
      await expectLoads(world, license.id)
    },
  )
})

describe('list_agents_for_transfer', () => {
  test('names who is logged in and can see the chat, the one with the fewest chats first', async () => {
    const { license, ann, chat_id } = await openDesk({
      ben: { groups: [sales] },
      eve: { groups: [support] },
      off: { groups: [sales] },
      boss: { permission: 'owner' },
    })
    for (const id of ['ben', 'eve', 'boss']) await license.login(id)
    await ann.ok('update_agent', { agent_id: 'ann', routing_status: 'not_accepting_chats' })
    const { agents } = await ann.ok('list_agents_for_transfer', { chat_id })
    expect(agents.map(({ agent_id }: any) => agent_id).toSorted()).toEqual(['ann', 'ben', 'boss'])
    expect(agents.at(-1)).toEqual({ agent_id: 'ann', active_chats: 1, routing_status: 'not_accepting_chats' })
    expect(agents[0]).toMatchObject({ active_chats: 0, routing_status: 'accepting_chats' })
  })
})
