import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { atEachStep, calm, testAtSteps } from '../races/holding.ts'
import { logOf } from '../races/stored.ts'
import type { Client } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { testFirst } from '../support/sample.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const nobody = { added: [], removed_ids: [] }
const online = { routing_status: 'accepting_chats' }
const message = (text: string, more: object = {}) => ({ type: 'message', text, ...more })

/** Starts a chat that only this agent and whoever is in it may see, and forgets its pushes. */
const startOwn = async (
  client: Client,
  options: object = {},
): Promise<PushPayload<'incoming_chat_thread'>['chat']> => {
  const { chat } = await client.ok('start_chat', { chat: { scopes: { agents: ['ann'] } }, ...options })
  await client.next('incoming_chat_thread')
  return chat
}
const shown = async (client: Client, chat_id: string) =>
  (await client.ok('get_chat_threads', { chat_id })).chat
const storedUsers = async (chat_id: string) => (await readChat(world.table.read, chat_id))?.users
const names = async (client: Client) => (await client.received()).map(({ action }) => action)

/** Tests share a license: ann, Ben and Cleo are logged in, dora is not. */
const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: { name: 'Ben' }, cleo: { name: 'Cleo' }, dora: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const cleo = await license.login('cleo')
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
  return { license, ann, ben, cleo }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
/** The shared license, with all pushes forgotten. */
const sameOffice = async () => {
  for (const client of [office.ann, office.ben, office.cleo]) await client.received()
  return office
}

describe('supervise_chat', () => {
  test('adds a supervisor: agents are told so, and whoever gains access is shown the chat first', async () => {
    const license = await world.license({
      ann: {},
      ben: { name: 'Ben' },
      cleo: {},
      dora: { permission: 'owner' },
    })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const [cleo, dora] = [await license.login('cleo'), await license.login('dora')]
    const chat = await startOwn(ann, { initial_events: [message('hello')] })
    await dora.next('incoming_chat_thread')

    const answer = await dora.call('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'supervise_chat',
      type: 'response',
      success: true,
    })

    const event = {
      ...{ id: `${chat.thread.id}_2`, order: 2, type: 'system_message', system_message_type: 'agent_joined' },
      ...{ text: 'Ben joined the chat', recipients: 'agents', timestamp: expect.any(Number) },
    }
    const incoming = { chat_id: chat.id, thread_id: chat.thread.id, event }
    const updated = {
      chat_id: chat.id,
      updated_users: {
        customers: nobody,
        agents: nobody,
        supervisors: {
          added: [{ id: 'ben', type: 'supervisor', name: 'Ben', present: true, ...online }],
          removed_ids: [],
        },
      },
    }
    for (const client of [ann, dora]) {
      expect(await client.next('incoming_event')).toEqual(incoming)
      expect(await client.next('chat_users_updated')).toEqual(updated)
      await client.receivesNothing()
    }
    await cleo.receivesNothing()

    const gained = await ben.next('incoming_chat_thread')
    expect(gained.chat).toMatchObject({
      id: chat.id,
      users: [
        { id: 'ann', type: 'agent' },
        { id: 'ben', type: 'supervisor', present: true },
      ],
      scopes: { agents: ['ann'] },
      thread: { id: chat.thread.id, active: true, events: [{ text: 'hello' }, event] },
    })
    expect(gained.chat.thread.user_ids.toSorted()).toEqual(['ann', 'ben'])
    expect(await ben.next('incoming_event')).toEqual(incoming)
    expect(await ben.next('chat_users_updated')).toEqual(updated)
    await ben.receivesNothing()
  })

  test('without a list, with null or an empty one adds the requester, who is not shown anew what it could see', async () => {
    const license = await world.license({ ann: {}, dora: { permission: 'administrator', name: 'Dora' } })
    const [ann, dora] = [await license.login('ann'), await license.login('dora')]
    await calm(world)
    for (const agent_ids of [undefined, null, []]) {
      const chat = await startOwn(ann)
      await dora.next('incoming_chat_thread')
      await dora.ok('supervise_chat', { chat_id: chat.id, agent_ids })
      for (const client of [ann, dora]) {
        expect(await client.next('incoming_event')).toMatchObject({
          event: { text: 'Dora joined the chat', recipients: 'agents' },
        })
        expect(await client.next('chat_users_updated')).toMatchObject({
          updated_users: { agents: nobody, supervisors: { added: [{ id: 'dora', type: 'supervisor' }] } },
        })
        await client.receivesNothing()
      }
    }
  })

  test('adds several at once: a message for each, in the order asked, and one push of users', async () => {
    const { ann } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['cleo', 'ben', 'cleo'] })
    for (const [i, text] of ['Cleo joined the chat', 'Ben joined the chat'].entries())
      expect(await ann.next('incoming_event')).toMatchObject({ event: { text, order: i + 1 } })
    const { updated_users } = await ann.next('chat_users_updated')
    expect(updated_users.supervisors.added.map(({ id }) => id)).toEqual(['cleo', 'ben'])
    await ann.receivesNothing()
  })

  test('leaves an agent of the chat an agent, and adds the others alone', async () => {
    const { ann } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.received()
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben', 'cleo', 'ann'] })
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'Cleo joined the chat' } })
    expect(await ann.next('chat_users_updated')).toMatchObject({
      updated_users: { agents: nobody, supervisors: { added: [{ id: 'cleo' }], removed_ids: [] } },
    })
    await ann.receivesNothing()
    expect((await shown(ann, chat.id)).users).toMatchObject([
      { id: 'ann', type: 'agent' },
      { id: 'ben', type: 'agent' },
      { id: 'cleo', type: 'supervisor' },
    ])
  })

  test('of those who are in the chat already, as agents or supervisors, changes nothing and pushes nothing', async () => {
    const { ann, ben } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    for (const client of [ann, ben]) await client.received()
    const before = [await shown(ann, chat.id), await readChat(world.table.read, chat.id)]
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.ok('supervise_chat', { chat_id: chat.id })
    await ben.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ann', 'ben'] })
    for (const client of [ann, ben]) await client.receivesNothing()
    expect([await shown(ann, chat.id), await readChat(world.table.read, chat.id)]).toEqual(before)
  })

  test('is undone by join_chat: the supervisor becomes an agent', async () => {
    const { ann, ben } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    expect(await storedUsers(chat.id)).toMatchObject([{ id: 'ann' }, { id: 'ben', type: 'supervisor' }])
    for (const client of [ann, ben]) await client.received()
    await ben.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    for (const client of [ann, ben]) {
      expect(await client.next('incoming_event')).toMatchObject({
        event: { system_message_type: 'agent_joined', text: 'Ben joined the chat', recipients: 'all' },
      })
      expect(await client.next('chat_users_updated')).toEqual({
        chat_id: chat.id,
        updated_users: {
          customers: nobody,
          agents: {
            added: [{ id: 'ben', type: 'agent', name: 'Ben', present: true, ...online }],
            removed_ids: [],
          },
          supervisors: { added: [], removed_ids: ['ben'] },
        },
      })
      await client.receivesNothing()
    }
    expect(await storedUsers(chat.id)).toEqual([
      { id: 'ann', type: 'agent', present: true, met: true, since: expect.any(Number) },
      { id: 'ben', type: 'agent', present: true, met: true, since: expect.any(Number) },
    ])
  })

  test('of who left it as an agent keeps that customers have met it, of others there is no such mark', async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: {} })
    const ann = await license.login('ann')
    const chat = await startOwn(ann)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben', 'cleo'] })
    const supervisor = { type: 'supervisor', present: true }
    const users = [
      { id: 'ann', type: 'agent', present: true, met: true, since: expect.any(Number) },
      { id: 'ben', ...supervisor, met: true },
      { id: 'cleo', ...supervisor },
    ]
    expect(await storedUsers(chat.id)).toEqual(users)
    const [active] = await readActiveChats(world.table.read, license.id)
    expect(active?.users).toEqual(users)

    // the mark stays through leaving and coming back
    for (const action of ['remove_from_chat', 'supervise_chat'])
      await ann.ok(action, { chat_id: chat.id, agent_ids: ['ben', 'cleo'] })
    expect(await storedUsers(chat.id)).toEqual(users)
  })

  test('of an agent twice at once adds it once', async () => {
    const { ann } = await sameOffice()
    const chat = await startOwn(ann)
    const asked = [['ben'], ['ben'], ['cleo'], ['ben', 'cleo'], ['dora']]
    await Promise.all(asked.map((agent_ids) => ann.ok('supervise_chat', { chat_id: chat.id, agent_ids })))
    const users = (await storedUsers(chat.id)) ?? []
    expect(users.map(({ id }) => id).toSorted()).toEqual(['ann', 'ben', 'cleo', 'dora'])
    const texts = (await logOf(world, chat.id)).map(({ event }) => event.text)
    expect(texts.toSorted()).toEqual(['Ben joined the chat', 'Cleo joined the chat', 'dora joined the chat'])
  })
})

describe('a supervisor', () => {
  const supervised = async () => {
    const { ann, ben } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    for (const client of [ann, ben]) await client.received()
    return { ann, ben, chat }
  }

  test('speaks to agents only: by default, and an explicit all is refused', async () => {
    const { ann, ben, chat } = await supervised()
    const send = (event: object) => ({ chat_id: chat.id, event })
    expect(await ben.refused('send_event', send(message('hi', { recipients: 'all' })))).toEqual({
      type: 'authorization',
      code: 403,
      message: 'You cannot send event in this chat.',
    })
    for (const client of [ann, ben]) await client.receivesNothing()
    for (const recipients of [undefined, null, 'agents']) {
      const { event } = await ben.ok('send_event', send(message('hi', { recipients })))
      expect(event.recipients).toBe('agents')
      for (const client of [ann, ben]) expect((await client.next('incoming_event')).event).toEqual(event)
    }
    // in the log as well: what customers may see counts none of it
    for (const { event } of await logOf(world, chat.id)) expect(event.recipients).toBe('agents')
  })

  test('speaks to all once it has joined', async () => {
    const { ben, chat } = await supervised()
    await ben.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    const { event } = await ben.ok('send_event', { chat_id: chat.id, event: message('hi') })
    expect(event.recipients).toBe('all')
  })

  test('leaves with a message for agents, and hears of the chat no more', async () => {
    const { ann, ben, chat } = await supervised()
    await ben.ok('remove_from_chat', { chat_id: chat.id })
    expect(await ann.next('incoming_event')).toMatchObject({
      event: { system_message_type: 'agent_left', text: 'Ben left the chat', recipients: 'agents' },
    })
    for (const client of [ann, ben])
      expect(await client.next('chat_users_updated')).toEqual({
        chat_id: chat.id,
        updated_users: {
          customers: nobody,
          agents: nobody,
          supervisors: { added: [], removed_ids: ['ben'] },
        },
      })
    await ann.ok('send_event', { chat_id: chat.id, event: message('gone?') })
    await ben.receivesNothing()
    expect((await shown(ann, chat.id)).users).toMatchObject([
      { id: 'ann', present: true },
      { id: 'ben', type: 'supervisor', present: false },
    ])
  })

  test('that customers never met closes the thread with a message for agents', async () => {
    const { ann, ben, chat } = await supervised()
    await ben.ok('close_thread', { chat_id: chat.id })
    expect(await ann.next('incoming_event')).toMatchObject({
      event: { system_message_type: 'manual_archived', recipients: 'agents' },
    })
  })

  test('is shown with when it saw the chat last, also in the push that brings it back', async () => {
    const { ann, ben, chat } = await supervised()
    const { timestamp } = await ben.ok('update_last_seen_timestamp', { chat_id: chat.id })
    await ben.ok('remove_from_chat', { chat_id: chat.id })
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    const { updated_users } = await ann.eventually(
      'chat_users_updated',
      ({ updated_users: { supervisors } }) => supervisors.added.length > 0,
    )
    expect(updated_users.supervisors.added).toMatchObject([{ id: 'ben', last_seen_timestamp: timestamp }])
    const { chat: gained } = await ben.eventually('incoming_chat_thread')
    expect(gained.users).toMatchObject([{ id: 'ann' }, { id: 'ben', last_seen_timestamp: timestamp }])
  })
})

describe('supervise_chat without an active thread', () => {
  test('changes the users and tells of it, and appends nothing', async () => {
    const { ann, ben, cleo } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('close_thread', { chat_id: chat.id })
    await ann.received()
    await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })

    const updated = {
      chat_id: chat.id,
      updated_users: {
        customers: nobody,
        agents: nobody,
        supervisors: { added: [{ id: 'ben', type: 'supervisor' }], removed_ids: [] },
      },
    }
    expect(await ann.next('chat_users_updated')).toMatchObject(updated)
    expect(await ben.next('incoming_chat_thread')).toMatchObject({
      chat: { id: chat.id, thread: { active: false, events: [{ system_message_type: 'manual_archived' }] } },
    })
    expect(await ben.next('chat_users_updated')).toMatchObject(updated)
    for (const client of [ann, ben, cleo]) await client.receivesNothing()
    expect(await logOf(world, chat.id)).toHaveLength(1)
    expect((await shown(ben, chat.id)).users).toMatchObject([{ id: 'ann' }, { id: 'ben', present: true }])

    // it is in the thread that starts next
    await ann.ok('send_event', { chat_id: chat.id, event: message('again') })
    const { chat: reopened } = await ben.next('incoming_chat_thread')
    expect(reopened.thread.user_ids.toSorted()).toEqual(['ann', 'ben'])
  })
})

describe('supervise_chat is refused', () => {
  test('with not_found for agents that are unknown, suspended, deleted or of another license', async () => {
    const license = await world.license({ ann: {}, ben: {}, sam: {}, del: {} })
    await world.license({ zoe: {} })
    await changeAgent(world.table, license.id, 'sam', { suspended: true })
    await deleteAgent(world.table, license.id, 'del')
    const ann = await license.login('ann')
    const chat = await startOwn(ann)
    for (const id of ['nosuch', 'sam', 'del', 'zoe', 'ann#x', '#', license.id])
      for (const agent_ids of [[id], ['ben', id]])
        expect(await ann.refused('supervise_chat', { chat_id: chat.id, agent_ids })).toEqual(notFound)
    await ann.receivesNothing()
    expect(await storedUsers(chat.id)).toHaveLength(1)
  })

  test('with not_found where the agent is suspended at the last moment', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const chat = await startOwn(ann)
    let suspended = false
    world.proxy.setFault(async ({ operation }) => {
      if (operation === 'TransactWriteItems' && !suspended) {
        suspended = true
        await changeAgent(world.table, license.id, 'ben', { suspended: true })
      }
      return undefined
    })
    expect(await ann.refused('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })).toEqual(notFound)
    expect(suspended).toBe(true)
    expect(await storedUsers(chat.id)).toHaveLength(1)
    await ann.receivesNothing()
  })

  test(
    'for more than 50 present users, supervisors among them, and each one leaving makes room',
    { tags: ['full'] },
    async () => {
      const others = Array.from({ length: 50 }, (_, i) => `agent-${i}`)
      const license = await world.license({ ann: {} })
      await Promise.all(others.map((id) => license.addAgent(id)))
      const ann = await license.login('ann')
      const { id: chat_id } = await startOwn(ann)
      await ann.ok('join_chat', { chat_id, agent_ids: others.slice(0, 20) })
      await ann.ok('supervise_chat', { chat_id, agent_ids: others.slice(20, 40) })
      const last = others.slice(40)
      expect(await ann.refused('supervise_chat', { chat_id, agent_ids: last })).toMatchObject({
        type: 'validation',
        details: [{ path: 'payload.agent_ids', message: 'At most 50 users can be in a chat' }],
      })
      await ann.ok('supervise_chat', { chat_id, agent_ids: last.slice(0, 9) })
      expect(await ann.refused('supervise_chat', { chat_id, agent_ids: last.slice(9) })).toMatchObject({
        type: 'validation',
      })
      await ann.ok('remove_from_chat', { chat_id, agent_ids: ['agent-20'] })
      await ann.ok('supervise_chat', { chat_id, agent_ids: last.slice(9) })
      const users = (await storedUsers(chat_id)) ?? []
      expect(users.filter(({ present }) => present)).toHaveLength(50)
    },
  )
})

describe('supervise_chat at each of its steps', () => {
  test('meets join_chat of the same agent: it is an agent in the end', { tags: ['full'] }, async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const became = new Set<string>()
    const steps = await atEachStep(world, async () => {
      for (const client of [ann, ben]) await client.received()
      const chat = await startOwn(ann)
      const who = { chat_id: chat.id, agent_ids: ['ben'] }
      return {
        held: () => ann.ok('supervise_chat', who),
        meanwhile: () => ann.ok('join_chat', who),
        check: async () => {
          expect(await storedUsers(chat.id)).toMatchObject([
            { id: 'ann' },
            { id: 'ben', type: 'agent', present: true, met: true },
          ])
          const joined = (await logOf(world, chat.id)).map(({ event }) => event.recipients ?? 'all')
          expect(joined.at(-1)).toBe('all')
          became.add(joined.join())
          expect(await names(ben)).toContain('incoming_chat_thread')
        },
      }
    })
    expect(steps).toBeGreaterThan(2)
    // joined first, and nothing was left to do; or supervised first
    expect(became).toEqual(new Set(['all', 'agents,all']))
  })

  testAtSteps(
    'meets the closing of the thread: the supervisor is in, and nothing is behind the closing',
    async (hold) => {
      const license = await world.license({ ann: {}, ben: {} })
      const ann = await license.login('ann')
      await hold(
        world,
        async () => {
          await ann.received()
          const chat = await startOwn(ann)
          return {
            held: () => ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] }),
            meanwhile: () => ann.ok('close_thread', { chat_id: chat.id }),
            check: async () => {
              expect(await storedUsers(chat.id)).toMatchObject([{ id: 'ann' }, { id: 'ben', present: true }])
              const log = await logOf(world, chat.id)
              expect(log.at(-1)?.event.system_message_type).toBe('manual_archived')
            },
          }
        },
        3,
      )
    },
  )
})

describe('supervise_chat whose transaction goes wrong', () => {
  const conflict: Fault = {
    errorType: 'TransactionCanceledException',
    body: { CancellationReasons: [{ Code: 'TransactionConflict', Message: 'Injected' }] },
  }
  const lost: Fault = { reset: true, afterWrite: true }
  const unsure: Fault = { errorType: 'InternalServerError', afterWrite: true }
  const underWay: Fault = { errorType: 'TransactionInProgressException' }
  const ways: [string, Fault[]][] = [
    ['a conflict', [conflict]],
    ['a connection that breaks', [{ reset: true }]],
    ['an answer that is lost', [lost]],
    ['an answer that is lost, and repeats that only hear of a transaction under way', [unsure, underWay]],
  ]
  testFirst('through %s adds the supervisor once and tells once', ways, async (_, faults) => {
    for (const closed of [false, true]) {
      const { ann, ben } = await sameOffice()
      const chat = await startOwn(ann)
      if (closed) await ann.ok('close_thread', { chat_id: chat.id })
      await ann.received()
      const left = [...faults]
      world.proxy.setFault(({ operation, request }) =>
        operation === 'TransactWriteItems' && JSON.stringify(request).includes(chat.id)
          ? left.shift()
          : undefined,
      )
      await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      expect(left).toEqual([])
      world.proxy.setFault(undefined)
      const told = closed ? ['chat_users_updated'] : ['incoming_event', 'chat_users_updated']
      expect(await names(ann)).toEqual(told)
      expect(await names(ben)).toEqual(['incoming_chat_thread', ...told])
      expect(await storedUsers(chat.id)).toMatchObject([{ id: 'ann' }, { id: 'ben', type: 'supervisor' }])
      expect(await logOf(world, chat.id)).toHaveLength(1)
    }
  })
})
