import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { marshall } from '@aws-sdk/util-dynamodb'
import { keys } from '../../shared/table/keys.ts'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { updateActiveChat, putChat, readChat } from '../../shared/table/chat/chats.ts'
import { type ChatUser } from '../../shared/table/chat/chat-users.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

const nobody = { added: [], removed_ids: [] }
const agentsOnly = (agents: object) => ({ customers: nobody, agents, supervisors: nobody })
const online = { routing_status: 'accepting_chats' }

/** Starts a chat that only `ann` and whoever is in it may see, and forgets its pushes. */
const startOwn = async (
  client: Client,
  options: object = {},
): Promise<PushPayload<'incoming_chat_thread'>['chat']> => {
  const { chat } = await client.ok('start_chat', { chat: { scopes: { agents: ['ann'] } }, ...options })
  await client.next('incoming_chat_thread')
  return chat
}
/** The chat as its last thread shows it. */
const shown = async (client: Client, chat_id: string) =>
  (await client.ok('get_chat_threads', { chat_id })).chat
/** Puts users into a chat that no action here can put there. */
const setUsers = async (chat_id: string, change: (users: ChatUser[]) => ChatUser[]): Promise<void> => {
  const chat = await readChat(world.table.read, chat_id)
  if (chat === undefined) throw new Error('There is no such chat')
  const changed = { ...chat, users: change(chat.users), version: chat.version + 1 }
  for (const op of [putChat(changed), updateActiveChat(changed)])
    expect((await world.table.write.write(op)).done).toBe(true)
}

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

describe('join_chat', () => {
  test('adds another agent: the chat tells so, and everyone with access hears of it', async () => {
    const license = await world.license({
      ann: {},
      ben: { name: 'Ben' },
      cleo: {},
      dora: { permission: 'owner' },
    })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const [cleo, dora] = [await license.login('cleo'), await license.login('dora')]
    const chat = await startOwn(ann, { initial_events: [{ type: 'message', text: 'hello' }] })
    await dora.next('incoming_chat_thread')

    const answer = await ann.call('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'join_chat',
      type: 'response',
      success: true,
    })

    const event = {
      ...{ id: `${chat.thread.id}_2`, order: 2, type: 'system_message', system_message_type: 'agent_joined' },
      ...{ text: 'Ben joined the chat', recipients: 'all', timestamp: expect.any(Number) },
    }
    const incoming = { chat_id: chat.id, thread_id: chat.thread.id, event }
    const updated = {
      chat_id: chat.id,
      updated_users: agentsOnly({
        added: [{ id: 'ben', type: 'agent', name: 'Ben', present: true, ...online }],
        removed_ids: [],
      }),
    }
    for (const client of [ann, dora]) {
      expect(await client.next('incoming_event')).toEqual(incoming)
      expect(await client.next('chat_users_updated')).toEqual(updated)
      await client.receivesNothing()
    }
    await cleo.receivesNothing()

    // whoever gains access is shown the chat before the pushes that say so
    const gained = await ben.next('incoming_chat_thread')
    expect(gained.chat).toMatchObject({
      id: chat.id,
      users: [{ id: 'ann' }, { id: 'ben', present: true }],
      scopes: { agents: ['ann'] },
      thread: { id: chat.thread.id, active: true, events: [{ text: 'hello' }, event] },
    })
    expect(gained.chat.thread.user_ids.toSorted()).toEqual(['ann', 'ben'])
    expect(await ben.next('incoming_event')).toEqual(incoming)
    expect(await ben.next('chat_users_updated')).toEqual(updated)
    await ben.receivesNothing()
  })

  test('goes by the agent as it is now, also where a read may lag behind', async () => {
    const license = await world.license({ ann: {}, ben: { name: 'Benedict' } })
    const ann = await license.login('ann')
    const chat = await startOwn(ann)
    await changeAgent(world.table, license.id, 'ben', { suspended: true })
    const before = await world.table.read.get(keys.agent(license.id, 'ben'), { strong: true })
    await changeAgent(world.table, license.id, 'ben', { suspended: false, name: 'Ben' })
    world.proxy.setFault(({ operation, request }) => {
      const asked = Object.values(request.RequestItems ?? {})
      const isBens = ({ Keys, ConsistentRead }: any) => !ConsistentRead && Keys[0].sk.S === 'AGENT#ben'
      const behind = operation === 'BatchGetItem' && asked.some(isBens)
      const Responses = { [world.tableName]: [marshall(before)] }
      return behind ? { status: 200, body: { Responses, UnprocessedKeys: {} } } : undefined
    })
    try {
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    } finally {
      world.proxy.setFault(undefined)
    }
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'Ben joined the chat' } })
    const { updated_users } = await ann.next('chat_users_updated')
    expect(updated_users.agents.added).toMatchObject([{ id: 'ben', name: 'Ben' }])
  })

  test('lets the one who joined speak', async () => {
    const { ann, ben } = await sameOffice()
    const { chat } = await ann.ok('start_chat')
    const event = { type: 'message', text: 'hi' }
    expect(await ben.refused('send_event', { chat_id: chat.id, event })).toMatchObject({
      type: 'authorization',
    })
    await ben.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    expect(await ben.ok('send_event', { chat_id: chat.id, event })).toMatchObject({ event: { order: 2 } })
  })

  test('adds oneself; who saw the chat before is not shown it again', async () => {
    const { ann, ben } = await sameOffice()
    const { chat } = await ann.ok('start_chat')
    for (const client of [ann, ben]) await client.next('incoming_chat_thread')
    await ben.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    for (const client of [ann, ben]) {
      expect(await client.next('incoming_event')).toMatchObject({ event: { text: 'Ben joined the chat' } })
      expect(await client.next('chat_users_updated')).toMatchObject({
        updated_users: { agents: { added: [{ id: 'ben' }] } },
      })
      await client.receivesNothing()
    }
  })

  test('adds several at once: a message for each, in the order asked, and one push of users', async () => {
    const license = await world.license({ ann: {}, ben: { name: 'Ben' }, cleo: { name: 'Cleo' }, dora: {} })
    const [ann, cleo] = [await license.login('ann'), await license.login('cleo')]
    const chat = await startOwn(ann)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['cleo', 'ben', 'cleo'] })
    const texts = ['Cleo joined the chat', 'Ben joined the chat']
    const { chat: gained } = await cleo.next('incoming_chat_thread')
    expect(gained.thread.events).toMatchObject(texts.map((text, i) => ({ text, order: i + 1 })))
    for (const client of [ann, cleo]) {
      for (const [i, text] of texts.entries())
        expect(await client.next('incoming_event')).toMatchObject({ event: { text, order: i + 1 } })
      const { updated_users } = await client.next('chat_users_updated')
      expect(updated_users.agents.added.map(({ id }) => id)).toEqual(['cleo', 'ben'])
      // only who is logged in has a routing status
      expect(updated_users.agents.added).toMatchObject([{ ...online }, {}])
      expect(updated_users.agents.added[1]).not.toHaveProperty('routing_status')
      await client.receivesNothing()
    }
  })

  test('of those who are in the chat already changes nothing and pushes nothing', async () => {
    const { ann, ben } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    const before = [await ann.received(), await ben.received(), await shown(ann, chat.id)]
    expect(before[0]).toHaveLength(2)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ann', 'ben'] })
    await ann.receivesNothing()
    await ben.receivesNothing()
    expect(await shown(ann, chat.id)).toEqual(before[2])
  })

  test('of some who are in it adds the others alone', async () => {
    const { ann } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.received()
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben', 'cleo', 'ann'] })
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'Cleo joined the chat' } })
    const { updated_users } = await ann.next('chat_users_updated')
    expect(updated_users.agents.added.map(({ id }) => id)).toEqual(['cleo'])
    await ann.receivesNothing()
  })

  test('makes a supervisor an agent', async () => {
    const { ann, ben } = await sameOffice()
    const chat = await startOwn(ann)
    await setUsers(chat.id, (users) => [...users, { id: 'ben', type: 'supervisor', present: true }])
    expect(
      await ben.refused('send_event', {
        chat_id: chat.id,
        event: { type: 'message', text: 'hi', recipients: 'all' },
      }),
    ).toMatchObject({ type: 'authorization' })

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
    expect((await shown(ann, chat.id)).users).toMatchObject([
      { id: 'ann', type: 'agent' },
      { id: 'ben', type: 'agent' },
    ])
    await ben.ok('send_event', {
      chat_id: chat.id,
      event: { type: 'message', text: 'hi', recipients: 'all' },
    })
  })

  test('brings back who left, who is in the list of users once', async () => {
    const { ann } = await sameOffice()
    const chat = await startOwn(ann)
    for (const action of ['join_chat', 'remove_from_chat', 'join_chat'])
      await ann.ok(action, { chat_id: chat.id, agent_ids: ['ben'] })
    const { users, threads } = await shown(ann, chat.id)
    expect(users).toMatchObject([
      { id: 'ann', present: true },
      { id: 'ben', present: true },
    ])
    expect(threads[0].events.map(({ text }: { text: string }) => text)).toEqual([
      ...['Ben joined the chat', 'Ben left the chat', 'Ben joined the chat'],
    ])
  })

  test('of an agent twice at once adds it once', async () => {
    const { ann } = await sameOffice()
    const chat = await startOwn(ann)
    const asked = [['ben'], ['ben'], ['cleo'], ['ben', 'cleo'], ['dora']]
    await Promise.all(asked.map((agent_ids) => ann.ok('join_chat', { chat_id: chat.id, agent_ids })))
    const { users, threads } = await shown(ann, chat.id)
    expect(users.map(({ id }: { id: string }) => id).toSorted()).toEqual(['ann', 'ben', 'cleo', 'dora'])
    const texts = threads[0].events.map(({ text }: { text: string }) => text)
    expect(texts.toSorted()).toEqual(['Ben joined the chat', 'Cleo joined the chat', 'dora joined the chat'])
    expect(threads[0].user_ids.toSorted()).toEqual(['ann', 'ben', 'cleo', 'dora'])
  })
})

describe('join_chat without an active thread', () => {
  test('changes the users and tells of it, and appends nothing', async () => {
    const { ann, ben } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('close_thread', { chat_id: chat.id })
    await ann.received()
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })

    expect(await ann.next('chat_users_updated')).toMatchObject({
      updated_users: { agents: { added: [{ id: 'ben' }] } },
    })
    await ann.receivesNothing()
    expect(await ben.next('incoming_chat_thread')).toMatchObject({
      chat: { id: chat.id, thread: { active: false, events: [{ system_message_type: 'manual_archived' }] } },
    })
    await ben.next('chat_users_updated')
    await ben.receivesNothing()
    const { users, threads, threads_summary } = await shown(ben, chat.id)
    expect(users).toMatchObject([{ id: 'ann' }, { id: 'ben', present: true }])
    expect(threads[0].events).toHaveLength(1)
    expect(threads_summary).toHaveLength(1)
  })

  test('the one who joined is in the thread that starts next', async () => {
    const { ann, ben } = await sameOffice()
    const chat = await startOwn(ann)
    await ann.ok('close_thread', { chat_id: chat.id })
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ben.received()
    await ben.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'again' } })
    const { chat: reopened } = await ben.next('incoming_chat_thread')
    expect(reopened.thread.user_ids.toSorted()).toEqual(['ann', 'ben'])
    expect(reopened.thread.order).toBe(2)
  })
})

describe('join_chat is refused', () => {
  test('with not_found for agents that are unknown, suspended, deleted or of another license', async () => {
    const license = await world.license({ ann: {}, ben: {}, sam: {}, del: {} })
    await world.license({ zoe: {} })
    await changeAgent(world.table, license.id, 'sam', { suspended: true })
    await deleteAgent(world.table, license.id, 'del')
    const ann = await license.login('ann')
    const chat = await startOwn(ann)
    for (const id of ['nosuch', 'sam', 'del', 'zoe', 'ann#x', '#', license.id])
      for (const agent_ids of [[id], ['ben', id]])
        expect(await ann.refused('join_chat', { chat_id: chat.id, agent_ids })).toMatchObject({
          type: 'not_found',
        })
    await ann.receivesNothing()
    expect((await shown(ann, chat.id)).users).toMatchObject([{ id: 'ann' }])
  })

  test(
    'for more than 20 at once and 50 in the chat, and each one leaving makes room',
    { tags: ['full'] },
    async () => {
      const others = Array.from({ length: 50 }, (_, i) => `agent-${i}`)
      const license = await world.license({ ann: {} })
      await Promise.all(others.map((id) => license.addAgent(id)))
      const ann = await license.login('ann')
      const { id: chat_id } = await startOwn(ann)
      for (const agent_ids of [others.slice(0, 20), others.slice(20, 40)])
        await ann.ok('join_chat', { chat_id, agent_ids })
      const last = others.slice(40)
      expect(await ann.refused('join_chat', { chat_id, agent_ids: last })).toMatchObject({
        type: 'validation',
        details: [{ path: 'payload.agent_ids', message: 'At most 50 users can be in a chat' }],
      })
      await ann.ok('join_chat', { chat_id, agent_ids: last.slice(0, 9) })
      expect(await ann.refused('join_chat', { chat_id, agent_ids: last.slice(9) })).toMatchObject({
        type: 'validation',
      })
      await ann.ok('join_chat', { chat_id, agent_ids: last.slice(0, 9) })
      await ann.ok('remove_from_chat', { chat_id, agent_ids: last.slice(0, 1) })
      await ann.ok('join_chat', { chat_id, agent_ids: last.slice(9) })
      const { users, threads } = await shown(ann, chat_id)
      expect(users.filter(({ present }: { present: boolean }) => present)).toHaveLength(50)
      expect(threads[0].events.at(-1)).toMatchObject({ order: 51, text: 'agent-49 joined the chat' })
    },
  )
})
