import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { setStatus } from '../../shared/table/agent-status.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { chatPk, keys } from '../../shared/table/keys.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { addCustomer, startCustomerChat } from '../support/customers.ts'
import { testFirst } from '../support/sample.ts'
import { type License, startWorld, type World } from '../support/world.ts'
import { expectLoads } from './loads.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const licenses: License[] = []
afterEach(async () => {
  vi.useRealTimers()
  world.proxy.setFault(undefined)
  await world.settled()
  for (const { id } of licenses.splice(0)) {
    await expectLoads(world, id)
    // each run of the clock goes through all that are listed
    await world.table.write.write({ Delete: { Key: keys.licenseListed(id) } })
  }
})

const message = (text: string) => ({ type: 'message', text })
const minuteMs = 60_000
const notAccepting = { default_status: 'not_accepting_chats' } as const
const idle = (minutes: number) => `Chat is idle due to ${minutes} minutes of inactivity`
const archived = 'Chat archived due to long inactivity'

interface Office {
  license: License
  ann: Client
  carl: CustomerClient
  id: string
  chat_id: string
  thread_id: string
  /** Runs the clock so many minutes after the chat began, and waits for what follows. */
  after(minutes: number): Promise<void>
  /** What a client was told since it was last asked, in its order. */
  told(client: Client | CustomerClient): Promise<string[]>
}
type Settings = NonNullable<Parameters<World['license']>[1]>['settings']

/** Carl has said one thing, and Ann been given his chat, and looked at it. */
const openOffice = async (
  settings: Settings = {},
  others: Parameters<World['license']>[0] = {},
): Promise<Office> => {
  const office = await openUnseen(settings, others)
  const { ann, carl, chat_id, told } = office
  await ann.ok('update_last_seen_timestamp', { chat_id })
  for (const client of [ann, carl]) await told(client)
  return office
}

/** The same, but that Ann has not looked. */
const openUnseen = async (
  settings: Settings = {},
  others: Parameters<World['license']>[0] = {},
): Promise<Office> => {
  const license = await world.license({ ann: {}, ...others }, { settings })
  licenses.push(license)
  const ann = await license.login('ann')
  const { client: carl, id } = await license.visit({ customer: { name: 'Carl' } })
  const begin = Date.now()
  const { chat } = await carl.ok('start_chat', { chat: { thread: { events: [message('hi')] } } })
  const told: Office['told'] = async (client) => {
    await world.settled()
    return (await client.received())
      .filter(({ action }) => action !== 'customer_updated' && !action.startsWith('queue_position'))
      .map(({ action, payload }: any) => (action === 'incoming_event' ? payload.event.text : action))
  }
  for (const client of [ann, carl]) await told(client)
  return {
    ...{ license, ann, carl, id, chat_id: chat.id, thread_id: chat.thread.id, told },
    after: async (minutes) => {
      // what was said took its time to be written
      await world.tick(Math.ceil(begin + minutes * minuteMs))
      await world.settled()
    },
  }
}

const chatNow = async ({ ann, chat_id }: Office): Promise<any> =>
  (await ann.ok('get_chat_threads', { chat_id })).chat
const agentsNow = async (office: Office): Promise<string[]> =>
  (await chatNow(office)).users
    .filter((one: any) => one.type === 'agent' && one.present)
    .map(({ id }: any) => id)
const textsNow = async (office: Office): Promise<string[]> =>
  (await chatNow(office)).threads[0].events.map(({ text }: any) => text)
const propertiesUpdated = ['chat_properties_updated', 'chat_thread_properties_updated']
const secondsPass = (seconds: number) =>
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

describe('a chat in which nothing is said', () => {
  test('is idle after 10 minutes, once, as its properties say, and archived after 30, by nobody', async () => {
    const office = await openOffice()
    const { ann, carl, chat_id, thread_id, after, told } = office
    await after(9.9)
    for (const client of [ann, carl]) expect(await told(client)).toEqual([])
    await after(10.2)
    for (const client of [ann, carl]) {
      await client.caughtUp()
      const { event } = await (client as Client).next('incoming_event')
      expect(event).toMatchObject({
        type: 'system_message',
        system_message_type: 'routing.idle',
        text: idle(10),
      })
      const properties = { routing: { idle: { value: true } } }
      expect(await (client as Client).next('chat_properties_updated')).toMatchObject({ chat_id, properties })
      expect(await (client as Client).next('chat_thread_properties_updated')).toMatchObject({
        ...{ chat_id, thread_id, properties },
      })
    }
    const { properties, threads } = await chatNow(office)
    const routing = { idle: { value: true }, unassigned: { value: false } }
    expect([properties, threads[0].properties]).toEqual([{ routing }, { routing }])
    for (const minutes of [10.3, 11, 15, 20, 21, 29.9]) await after(minutes)
    for (const client of [ann, carl]) expect(await told(client)).toEqual([])

    await after(30.1)
    for (const client of [ann, carl] as Client[]) {
      const { event } = await client.next('incoming_event')
      expect(event).toMatchObject({
        system_message_type: 'routing.archived',
        text: archived,
        recipients: 'all',
      })
      expect(await client.next('thread_closed')).toEqual({ chat_id, thread_id })
      await client.receivesNothing()
    }
    expect((await chatNow(office)).threads[0].active).toBe(false)
    await after(31)
    await after(60)
    for (const client of [ann, carl]) expect(await told(client)).toEqual([])
    expect(await expectLoads(world, office.license.id)).toEqual({})
  })

  test('is archived also where its customer was taken out of it', { tags: ['full'] }, async () => {
    const office = await openOffice()
    const { ann, carl, chat_id, id, after, told } = office
    await ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    for (const client of [ann, carl]) await told(client)
    await after(30.1)
    expect(await told(ann)).toEqual([archived, 'thread_closed'])
    expect(await told(carl)).toEqual([])
    expect(await expectLoads(world, office.license.id)).toEqual({})
  })

  test('is archived only, where it is due to be idle as well', async () => {
    const office = await openOffice()
    await office.after(30.1)
    expect(await office.told(office.carl)).toEqual([archived, 'thread_closed'])
    expect((await chatNow(office)).properties.routing).toEqual({ unassigned: { value: false } })
  })

  test('is idle and archived after the minutes of its license', { tags: ['full'] }, async () => {
    const { carl, after, told } = await openOffice({ idle_minutes: 2, archive_minutes: 4, unseen_minutes: 3 })
    await after(1.9)
    expect(await told(carl)).toEqual([])
    await after(2.1)
    expect(await told(carl)).toEqual([idle(2), ...propertiesUpdated])
    await after(3.9)
    expect(await told(carl)).toEqual([])
    await after(4.1)
    expect(await told(carl)).toEqual([archived, 'thread_closed'])
  })

  test('is so where nothing was ever said in it, from its beginning', async () => {
    const office = await openOffice()
    const { ann, carl, chat_id, after, told } = office
    await carl.ok('close_thread', { chat_id })
    await carl.ok('start_chat')
    await told(carl)
    await ann.ok('send_event', { chat_id, event: { type: 'annotation', annotation_type: 'note' } })
    await told(carl)
    await after(10.5)
    expect(await told(carl)).toEqual([idle(10), ...propertiesUpdated])
    await after(30.5)
    expect(await told(carl)).toEqual([archived, 'thread_closed'])
  })

  test('is so where no agent is there for it', async () => {
    const office = await openOffice({}, { own: { permission: 'owner', ...notAccepting } })
    const { ann, carl, chat_id, after, told } = office
    await ann.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await ann.ok('remove_from_chat', { chat_id })
    await told(carl)
    await after(10.2)
    expect(await told(carl)).toEqual([idle(10), ...propertiesUpdated])
    await after(30.2)
    expect(await told(carl)).toEqual([archived, 'thread_closed'])
  })

  test('is left as it is where it has no customer', async () => {
    const { license, ann, after, told } = await openOffice()
    const { chat } = await ann.ok('start_chat', { initial_events: [message('a note to myself')] })
    await told(ann)
    for (const minutes of [10.5, 30.5]) await after(minutes)
    await ann.received()
    const active = await readActiveChats(world.table.read, license.id)
    expect(active.map(({ id }) => id)).toEqual([chat.id])
    const { threads } = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    expect(threads[0].events).toHaveLength(1)
  })

  test('is idle and archived once by two runs at the same time', { tags: ['full'] }, async () => {
    const office = await openOffice()
    const { after, carl, told } = office
    await Promise.all([after(10.2), after(10.2)])
    expect(await told(carl)).toEqual([idle(10), ...propertiesUpdated])
    await Promise.all([after(30.2), after(30.2)])
    expect(await told(carl)).toEqual([archived, 'thread_closed'])
    expect((await textsNow(office)).slice(-2)).toEqual([idle(10), archived])
  })
})

describe('a chat that is idle', () => {
  const sayings: Record<string, (office: Office) => Promise<unknown>> = {
    'its customer’s message': ({ carl, chat_id }) =>
      carl.ok('send_event', { chat_id, event: message('still here') }),
    'its agent’s message': ({ ann, chat_id }) =>
      ann.ok('send_event', { chat_id, event: message('still here') }),
    'what its customer starts the chat with': ({ carl }) =>
      carl.ok('start_chat', { chat: { thread: { events: [message('still here')] } } }),
  }
  testFirst('is so no more with %s, and says so', Object.entries(sayings), async (_, say) => {
    const office = await openOffice({ unseen_minutes: 60 })
    const { ann, carl, after, told } = office
    await after(10.2)
    for (const client of [ann, carl]) await told(client)
    await say(office)
    for (const client of [ann, carl]) expect(await told(client)).toEqual(['still here', ...propertiesUpdated])
    const { properties, threads } = await chatNow(office)
    const routing = { idle: { value: false }, unassigned: { value: false } }
    expect([properties, threads[0].properties]).toEqual([{ routing }, { routing }])

    // it was said at the time of that run: once more, 10 and 30 minutes after it
    await after(20.1)
    expect(await told(carl)).toEqual([])
    await after(20.4)
    expect(await told(carl)).toEqual([idle(10), ...propertiesUpdated])
    await after(40)
    expect(await told(carl)).toEqual([])
    await after(40.4)
    expect(await told(carl)).toEqual([archived, 'thread_closed'])
  })

  test(
    'is so in spite of annotations and system messages, which prolong nothing',
    { tags: ['full'] },
    async () => {
      const office = await openOffice({}, { own: { permission: 'owner', ...notAccepting } })
      const { license, ann, carl, chat_id, after, told } = office
      await after(10.2)
      await told(carl)
      await carl.ok('send_event', {
        chat_id,
        event: { type: 'annotation', annotation_type: 'rating', text: 'good' },
      })
      const own = await license.login('own')
      await own.ok('join_chat', { chat_id, agent_ids: ['own'] })
      await ann.ok('update_chat_properties', { chat_id, properties: { crm: { id: 7 } } })
      expect(await told(carl)).toEqual([
        ...['good', 'own joined the chat', 'chat_users_updated', 'chat_properties_updated'],
      ])
      expect((await chatNow(office)).properties.routing.idle).toEqual({ value: true })
      for (const minutes of [11, 20.5, 21, 29.9]) await after(minutes)
      expect(await told(carl)).toEqual([])
      await after(30.1)
      expect(await told(carl)).toEqual([archived, 'thread_closed'])
    },
  )

  test('is so in spite of what agents say among themselves', async () => {
    const office = await openOffice({ unseen_minutes: 60 })
    const { ann, carl, chat_id, after, told } = office
    await after(10.2)
    await told(carl)
    await ann.ok('send_event', { chat_id, event: { ...message('a note'), recipients: 'agents' } })
    expect(await told(carl)).toEqual([])
    expect((await chatNow(office)).properties.routing.idle).toEqual({ value: true })
    await ann.ok('send_event', { chat_id, event: message('still there?') })
    expect(await told(carl)).toEqual(['still there?', ...propertiesUpdated])
    expect((await chatNow(office)).properties.routing.idle).toEqual({ value: false })
  })

  test('is so no more with its next thread', async () => {
    const office = await openOffice()
    const { carl, chat_id, after, told } = office
    await after(10.2)
    await after(30.2)
    await told(carl)
    await carl.ok('send_event', { chat_id, event: message('again') })
    expect(await told(carl)).toEqual(['incoming_chat_thread', 'chat_properties_updated'])
    expect((await chatNow(office)).properties.routing.idle).toEqual({ value: false })
    expect(await agentsNow(office)).toEqual(['ann'])
  })
})

describe('a chat whose customer speaks unseen', () => {
  const because = (name: string, minutes = 5) => ` because ${name} hasn't replied in ${minutes} minutes`
  const reassignedAfter = (minutes: number) => [
    `Chat assigned to ben${because('ann', minutes)}`,
    ...['ann left the chat', 'chat_users_updated', 'chat_transferred'],
  ]
  const reassigned = reassignedAfter(5)

  test('goes to another agent after 5 minutes, and on after 5 more', async () => {
    const office = await openUnseen()
    const { license, ann, carl, after, told } = office
    await license.addAgent('ben')
    await license.login('ben')
    await after(4.9)
    expect(await told(carl)).toEqual([])
    await after(5.1)
    expect(await told(carl)).toEqual(reassigned)
    expect(await told(ann)).toEqual(reassigned)
    expect(await agentsNow(office)).toEqual(['ben'])
    expect(await expectLoads(world, license.id)).toEqual({ ben: 1 })
    await after(9.9)
    expect(await told(carl)).toEqual([])
    await after(10.3)
    expect(await told(carl)).toEqual([
      ...[idle(10), ...propertiesUpdated],
      ...[
        `Chat assigned to ann${because('ben')}`,
        'ben left the chat',
        'chat_users_updated',
        'chat_transferred',
      ],
    ])
  })

  test('goes to another after the minutes of its license', async () => {
    const { license, carl, after, told } = await openUnseen({ unseen_minutes: 2 })
    await license.addAgent('ben')
    await license.login('ben')
    await after(1.9)
    expect(await told(carl)).toEqual([])
    await after(2.1)
    expect(await told(carl)).toEqual(reassignedAfter(2))
  })

  const looks: Record<string, (office: Office) => Promise<unknown>> = {
    'has marked it as seen': ({ ann, chat_id, thread_id }) =>
      ann.ok('mark_event_as_seen', { chat_id, event_id: `${thread_id}_1` }),
    'has seen the chat': ({ ann, chat_id }) => ann.ok('update_last_seen_timestamp', { chat_id }),
    'has answered': ({ ann, chat_id }) => ann.ok('send_event', { chat_id, event: message('yes?') }),
  }
  testFirst('stays with an agent who %s, until the next message', Object.entries(looks), async (_, look) => {
    const office = await openUnseen()
    const { license, carl, chat_id, after, told } = office
    await license.addAgent('ben')
    await license.login('ben')
    await look(office)
    await told(carl)
    await after(5.5)
    expect(await told(carl)).toEqual([])
    secondsPass(6 * 60)
    await carl.ok('send_event', { chat_id, event: message('and now?') })
    await told(carl)
    await after(10.9)
    expect(await told(carl)).toEqual([])
    await after(11.2)
    expect(await told(carl)).toEqual(reassigned)
  })

  test.each([
    ['goes to another agent', 'earlier', 0],
    ['stays', 'later', 1],
  ])('%s where its agent has marked the %s of two messages of one second', async (what, _, marked) => {
    const { license, ann, carl, chat_id, after, told } = await openUnseen({}, { ben: notAccepting })
    const ben = await license.login('ben')
    vi.useFakeTimers({ toFake: ['Date'], now: Math.ceil(Date.now() / 1000) * 1000 })
    const ids: string[] = []
    for (const text of ['one', 'two'])
      ids.push((await carl.ok('send_event', { chat_id, event: message(text) })).event.id)
    secondsPass(1)
    await ann.ok('mark_event_as_seen', { chat_id, event_id: ids[marked] })
    await ben.ok('update_agent', { routing_status: 'accepting_chats' })
    await told(carl)
    await after(5.2)
    expect(await told(carl)).toEqual(what === 'stays' ? [] : reassigned)
  })

  test(
    'goes to another agent, though a supervisor has seen it and whispered',
    { tags: ['full'] },
    async () => {
      const office = await openUnseen(
        {},
        { own: { permission: 'owner', ...notAccepting }, ben: notAccepting },
      )
      const { license, ann, carl, chat_id, after, told } = office
      const [own, ben] = [await license.login('own'), await license.login('ben')]
      await own.ok('supervise_chat', { chat_id, agent_ids: ['own'] })
      await own.ok('send_event', { chat_id, event: message('Ann?') })
      await own.ok('update_last_seen_timestamp', { chat_id })
      await ben.ok('update_agent', { routing_status: 'accepting_chats' })
      await told(carl)
      await ann.received()
      await after(5.2)
      expect(await told(carl)).toEqual(reassigned)
    },
  )

  test('waits where nobody else is free, and goes to whoever is next', async () => {
    const office = await openUnseen({}, { ben: notAccepting })
    const { license, carl, after, told } = office
    const ben = await license.login('ben')
    await after(5.1)
    expect(await told(carl)).toEqual([
      ...[`Chat is unassigned${because('ann')}`, ...propertiesUpdated, 'chat_transferred'],
    ])
    await after(6.1)
    expect(await told(carl)).toEqual([])
    expect(await agentsNow(office)).toEqual(['ann'])
    await ben.ok('update_agent', { routing_status: 'accepting_chats' })
    expect(await told(carl)).toEqual([
      ...['Chat assigned to ben', 'ann left the chat', ...propertiesUpdated, 'chat_users_updated'],
      'chat_transferred',
    ])
    expect(await expectLoads(world, license.id)).toEqual({ ben: 1 })
  })

  test('goes, in its next thread, to the agent who did not reply in the one before', async () => {
    const office = await openUnseen()
    const { ann, carl, chat_id, after } = office
    await after(5.1)
    await carl.ok('close_thread', { chat_id })
    await ann.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await carl.ok('send_event', { chat_id, event: message('again') })
    await world.settled()
    expect((await chatNow(office)).properties.routing.unassigned).toEqual({ value: true })
    await ann.ok('update_agent', { routing_status: 'accepting_chats' })
    await world.settled()
    expect((await chatNow(office)).properties.routing.unassigned).toEqual({ value: false })
  })

  test('is not handed on at once from who takes it by starting it', async () => {
    const office = await openUnseen({ idle_minutes: 20 }, { own: { permission: 'owner', ...notAccepting } })
    const { license, carl, id, after, told } = office
    const own = await license.login('own')
    await after(5.1)
    secondsPass(8 * 60)
    await own.ok('start_chat', { chat: { users: [{ id, type: 'customer' }] } })
    await told(carl)
    await after(10.3)
    expect(await told(carl)).toEqual([])
    expect((await chatNow(office)).properties.routing.unassigned).toEqual({ value: false })
  })

  const resumes: Record<string, (office: Office) => Promise<unknown>> = {
    answers: ({ ann, chat_id }) => ann.ok('send_event', { chat_id, event: message('sorry!') }),
    'joins it once more': ({ ann, chat_id }) => ann.ok('join_chat', { chat_id, agent_ids: ['ann'] }),
  }
  testFirst('waits no more once its agent %s', Object.entries(resumes), async (_, resume) => {
    const office = await openUnseen({}, { ben: notAccepting })
    const { license, carl, after, told } = office
    const ben = await license.login('ben')
    await after(5.1)
    await told(carl)
    await resume(office)
    await world.settled()
    expect((await chatNow(office)).properties.routing.unassigned).toEqual({ value: false })
    await ben.ok('update_agent', { routing_status: 'accepting_chats' })
    await world.settled()
    expect(await agentsNow(office)).toEqual(['ann'])
  })

  test(
    'goes to whom another is taken from, also where it was looked at before that one',
    { tags: ['full'] },
    async () => {
      const office = await openUnseen({}, { ben: { max_chats: 1 } })
      const { license, ann, after } = office
      await ann.ok('update_agent', { routing_status: 'not_accepting_chats' })
      await license.login('ben')
      const dora = await license.visit()
      const { chat } = await dora.client.ok('start_chat', { chat: { thread: { events: [message('hi')] } } })
      const doras: Office = { ...office, chat_id: chat.id }
      await after(5.5)
      expect([await agentsNow(office), await agentsNow(doras)]).toEqual([['ann'], ['ben']])
      // she has left the one unanswered, and has room for the other: so ben has room for the one
      await ann.ok('update_agent', { routing_status: 'accepting_chats' })
      await world.settled()
      expect([await agentsNow(office), await agentsNow(doras)]).toEqual([['ben'], ['ann']])
    },
  )

  test('goes on where who has seen it is gone, and who is there has not looked', async () => {
    const office = await openUnseen({}, { ben: notAccepting, cyd: notAccepting })
    const { license, ann, carl, chat_id, after, told } = office
    const [ben, cyd] = [await license.login('ben'), await license.login('cyd')]
    // whoever comes beside an agent who does not reply starts no clock anew
    secondsPass(4 * 60)
    await ben.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    await ann.ok('update_last_seen_timestamp', { chat_id })
    await ann.close()
    await world.settled()
    await world.queue.flush()
    await world.settled()
    await cyd.ok('update_agent', { routing_status: 'accepting_chats' })
    await told(carl)
    await after(4.9)
    expect(await told(carl)).toEqual([])
    await after(5.1)
    expect((await told(carl))[0]).toBe(`Chat assigned to cyd${because('ann')}`)
  })

  const goings: Record<string, (office: Office) => Promise<unknown>> = {
    'is gone': async ({ ann }) => {
      await ann.close()
      await world.settled()
      await world.queue.flush()
      await world.settled()
    },
    'has left': ({ ann, chat_id }) => ann.ok('remove_from_chat', { chat_id, agent_ids: ['ann'] }),
  }
  testFirst('goes on in time where who has seen it %s', Object.entries(goings), async (_, go) => {
    const office = await openUnseen({}, { ben: notAccepting, cyd: notAccepting })
    const { license, ann, carl, chat_id, after, told } = office
    const [ben, cyd] = [await license.login('ben'), await license.login('cyd')]
    secondsPass(60)
    await ben.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    await ann.ok('update_last_seen_timestamp', { chat_id })
    // the clock looks at it, and finds that nothing will be due for long
    await after(4)
    await go(office)
    await cyd.ok('update_agent', { routing_status: 'accepting_chats' })
    await told(carl)
    await after(6.2)
    expect((await told(carl))[0]).toMatch(/^Chat assigned to cyd because /)
  })

  test('goes on in time where who has seen it leaves while the clock looks', async () => {
    const office = await openUnseen({}, { ben: notAccepting, cyd: notAccepting })
    const { license, ann, carl, chat_id, after, told } = office
    const [ben, cyd] = [await license.login('ben'), await license.login('cyd')]
    secondsPass(60)
    await ben.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    await ann.ok('update_last_seen_timestamp', { chat_id })
    let hasLeft = false
    world.proxy.setFault(async ({ lambda, operation, request }) => {
      if (
        lambda === 'worker/clock' &&
        operation === 'UpdateItem' &&
        JSON.stringify(request).includes(chat_id) &&
        !hasLeft
      ) {
        hasLeft = true
        secondsPass(3 * 60)
        await ann.ok('remove_from_chat', { chat_id, agent_ids: ['ann'] })
      }
      return undefined
    })
    await after(4)
    world.proxy.setFault(undefined)
    expect(hasLeft).toBe(true)
    await cyd.ok('update_agent', { routing_status: 'accepting_chats' })
    await told(carl)
    await after(6.2)
    expect((await told(carl))[0]).toMatch(/^Chat assigned to cyd because /)
  })

  test('is handed on in time, however often its customer asks', async () => {
    const office = await openUnseen({ unseen_minutes: 1 })
    const { license, carl, chat_id, after, told } = office
    await license.addAgent('ben')
    await license.login('ben')
    for (const minutes of [0.4, 0.8]) {
      await after(minutes)
      await carl.ok('send_event', { chat_id, event: message('hello?') })
    }
    await told(carl)
    await after(1.05)
    expect(await told(carl)).toEqual(reassignedAfter(1))
  })

  test('stays with its agent in manual mode', async () => {
    const office = await openUnseen({}, { ben: {} })
    const { license, ann, carl, after, told } = office
    await ann.received()
    await changeLicense(world.table, license.id, { routing: 'manual' })
    await license.login('ben')
    for (const minutes of [5.1, 6.1, 9.9]) await after(minutes)
    expect(await told(carl)).toEqual([])
    expect(await agentsNow(office)).toEqual(['ann'])
  })

  test('leaves its agent free for one that waits', async () => {
    const license = await world.license({ ann: { max_chats: 1 } }, { groups: ['one'] })
    licenses.push(license)
    await license.addAgent('ben', { max_chats: 1, groups: [1] })
    const ann = await license.login('ann')
    const begin = Date.now()
    const hello = { thread: { events: [message('hello')] } }
    const [carl, dora] = [await license.visit(), await license.visit()]
    const { chat: carls } = await carl.client.ok('start_chat', { chat: hello })
    const { chat: doras } = await dora.client.ok('start_chat', { chat: hello })
    const agents = async (client: CustomerClient, chat_id: string): Promise<string[]> => {
      const { chat } = await client.ok('get_chat_threads', { chat_id })
      return chat.users.filter((one: any) => one.type === 'agent' && one.present).map(({ id }: any) => id)
    }
    expect([await agents(carl.client, carls.id), await agents(dora.client, doras.id)]).toEqual([['ann'], []])
    await ann.ok('update_chat_scopes', { chat_id: doras.id, add_scopes: { agents: ['ann'] } })
    await license.login('ben')
    await world.settled()
    expect([await agents(carl.client, carls.id), await agents(dora.client, doras.id)]).toEqual([['ann'], []])
    await world.tick(begin + 5.5 * minuteMs)
    await world.settled()
    expect([await agents(carl.client, carls.id), await agents(dora.client, doras.id)]).toEqual([
      ['ben'],
      ['ann'],
    ])
  })
})

describe('what both sides have missed', () => {
  test('a chat that waits while somebody is free is given away with the next run', async () => {
    const office = await openOffice({}, { ben: notAccepting })
    const { license, ann, carl, chat_id, after, told } = office
    await license.login('ben')
    await ann.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await ann.ok('remove_from_chat', { chat_id })
    await told(carl)
    // as by an action that died before it set off what follows
    await world.table.write.write(setStatus(license.id, 'ben', 'accepting_chats', 'n'))
    await world.settled()
    expect(await told(carl)).toEqual([])
    await after(0.5)
    expect(await told(carl)).toEqual([
      ...['Chat assigned to ben', ...propertiesUpdated, 'chat_users_updated', 'chat_transferred'],
    ])
  })

  test('a chat that nobody is in, and that does not wait, is routed with the next run', async () => {
    const { license, ann } = await openOffice()
    await addCustomer(world, license.id, 'dora')
    const chat_id = await startCustomerChat(world, license.id, 'dora')
    await world.tick()
    await world.settled()
    await ann.eventually('chat_users_updated', ({ chat_id: id, updated_users }) => {
      return id === chat_id && updated_users.agents.added.some((one) => one.id === 'ann')
    })
  })

  test('customers of a license that has run out are disconnected', { tags: ['full'] }, async () => {
    const office = await openOffice()
    const { license, ann, carl } = office
    const soon = Math.floor(Date.now() / 1000) + 20
    await changeLicense(world.table, license.id, { expires_at: soon })
    await world.settled()
    await world.tick((soon + 1) * 1000)
    await world.settled()
    await world.queue.flush()
    expect(await carl.eventually('customer_disconnected')).toEqual({ reason: 'license_expired' })
    await carl.closing()
    await ann.closing()
  })
})

describe('a run of the clock', () => {
  test('reads of the chats that nothing is due for no more than their list', async () => {
    const { chat_id, after } = await openUnseen()
    // what the logins put off reads it too
    await world.queue.flush()
    await world.settled()
    const reads = async (minutes: number): Promise<string[]> => {
      const { calls } = await world.proxy.record(() => after(minutes))
      return calls
        .filter(({ request }) => JSON.stringify(request).includes(`"${chatPk(chat_id)}"`))
        .map(({ operation }) => operation)
    }
    expect(await reads(0.5)).not.toEqual([])
    for (const minutes of [1, 2, 3, 4, 4.9]) expect(await reads(minutes)).toEqual([])
    expect(await reads(5.1)).not.toEqual([])
  })

  test(
    'looks after the others where it cannot look after one, and fails in the end',
    { tags: ['full'] },
    async () => {
      const [first, second] = [await openOffice(), await openOffice()]
      world.proxy.setFault(({ operation, request }) =>
        operation === 'Query' && JSON.stringify(request).includes(`"${chatPk(first.chat_id)}"`)
          ? { errorType: 'ValidationException' }
          : undefined,
      )
      await expect(second.after(10.5)).rejects.toThrow('Licenses not swept')
      expect(await second.told(second.carl)).toEqual([idle(10), ...propertiesUpdated])
      expect(await first.told(first.carl)).toEqual([])
      world.proxy.setFault(undefined)
      await first.after(10.6)
      expect(await first.told(first.carl)).toEqual([idle(10), ...propertiesUpdated])
    },
  )
})
