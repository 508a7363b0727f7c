import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { createGroup, deleteGroup } from '../../shared/provisioning/change-group.ts'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { type ChatScopes, readChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { atEachStep, calm, testAtSteps } from '../races/holding.ts'
import { logOf } from '../races/stored.ts'
import type { Client } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { testFirst } from '../support/sample.ts'
import { type AgentDraft, type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const denied = {
  type: 'authorization',
  code: 403,
  message: 'You are not allowed to close this chat.',
}
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const message = (text: string) => ({ type: 'message', text })
const numbers = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i)

interface Office<Id extends string> {
  license: License
  agents: Record<Id, Client>
  chat: PushPayload<'incoming_chat_thread'>['chat']
}

/** A license with groups 1 to 3 and a chat that ann started under these scopes; its pushes are forgotten. */
const openOffice = async <Id extends string>(
  others: Record<Id, AgentDraft>,
  scopes: object = { agents: ['ann'] },
): Promise<Office<Id | 'ann'>> => {
  const drafts: Record<string, AgentDraft> = { ann: {}, ...others }
  const license = await world.license(drafts, { groups: ['A', 'B', 'C'] })
  const agents: Record<string, Client> = {}
  for (const id of Object.keys(drafts)) agents[id] = await license.login(id)
  const initial_events = [message('hello')]
  const { chat } = await agents['ann']!.ok('start_chat', { chat: { scopes }, initial_events })
  for (const client of Object.values(agents)) await client.received()
  return { license, agents: agents as Record<Id | 'ann', Client>, chat }
}
let staff: Office<'ann' | 'ben' | 'cleo'>
beforeAll(async () => {
  staff = await openOffice({ ben: {}, cleo: {} })
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
})
/** A chat of ann's under these scopes, in a license that tests share; ben and cleo are in no group. */
const openChat = async (
  scopes: object = { agents: ['ann'] },
  initial_events = [message('hello')],
): Promise<typeof staff> => {
  const { license, agents } = staff
  const { chat } = await agents.ann.ok('start_chat', { chat: { scopes }, initial_events })
  for (const client of Object.values(agents)) await client.received()
  return { license, agents, chat }
}
const scopesOf = async (chat: string): Promise<ChatScopes | undefined> =>
  (await readChat(world.table.read, chat))?.scopes
const names = async (client: Client) => (await client.received()).map(({ action }) => action)
/**
 * Fails unless the client was shown the chat, and only then told by this push why; others may come between.
 */
const isShownBefore = async (client: Client, push: string) =>
  expect(
    (await names(client)).filter((name) => [push, 'incoming_chat_thread'].includes(name)).slice(0, 2),
  ).toEqual(['incoming_chat_thread', push])
/** What a newcomer of this agent is shown at login. */
const atLogin = async (license: License, agent: string) => {
  const client = await world.open()
  const { chats_summary } = await client.ok('login', { token: await license.token(agent) })
  await client.close()
  return chats_summary as { id: string; scopes?: object }[]
}

describe('update_chat_scopes', () => {
  test('tells who has access or had it, and shows the chat first to whoever gains it', async () => {
    const { agents, chat } = await openOffice({
      ben: { groups: [1] },
      cleo: { groups: [2] },
      dora: { permission: 'owner' },
      eve: {},
    })
    const { ann, ben, cleo, dora, eve } = agents
    const chat_id = chat.id
    const answer = await ann.call('update_chat_scopes', {
      chat_id,
      add_scopes: { groups: [1], agents: ['cleo'] },
      remove_scopes: { agents: ['ann'] },
    })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'update_chat_scopes',
      type: 'response',
      success: true,
    })
    const updated = {
      chat_id,
      scopes_added: { groups: [1], agents: ['cleo'] },
      scopes_removed: { agents: ['ann'] },
    }
    for (const client of [ann, dora]) {
      expect(await client.next('chat_scopes_updated')).toEqual(updated)
      await client.receivesNothing()
    }
    for (const client of [ben, cleo]) {
      expect(await client.next('incoming_chat_thread')).toMatchObject({
        chat: {
          id: chat_id,
          users: [{ id: 'ann', present: true }],
          scopes: { groups: [1], agents: ['cleo'] },
          thread: { id: chat.thread.id, active: true, events: [{ text: 'hello' }] },
        },
      })
      expect(await client.next('chat_scopes_updated')).toEqual(updated)
      await client.receivesNothing()
    }
    await eve.receivesNothing()

    // from now on they hear of it, and ann, who is in the chat, still does
    await ann.ok('send_event', { chat_id, event: message('who is there?') })
    for (const client of [ann, ben, cleo, dora]) await client.next('incoming_event')
    await eve.receivesNothing()
  })

  test('appends nothing to the log and changes no users', async () => {
    const { agents, chat } = await openChat()
    const { ann } = agents
    const before = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    await ann.ok('update_chat_scopes', { chat_id: chat.id, add_scopes: { groups: [3] } })
    const after = (await ann.ok('get_chat_threads', { chat_id: chat.id })).chat
    expect(after).toEqual({ ...before, version: 2, scopes: { agents: ['ann'], groups: [3] } })
  })

  test('taking away an agent stops its pushes at once, and it gets the push that says so', async () => {
    const { license, agents, chat } = await openOffice(
      { ben: {}, cleo: { groups: [2] } },
      {
        groups: [2],
        agents: ['ben'],
      },
    )
    const { ann, ben, cleo } = agents
    const chat_id = chat.id
    const second = await license.login('ben')
    await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
    for (const client of [ann, ben, second, cleo]) {
      expect(await client.next('chat_scopes_updated')).toEqual({
        chat_id,
        scopes_added: {},
        scopes_removed: { agents: ['ben'] },
      })
      await client.receivesNothing()
    }
    await ann.ok('send_event', { chat_id, event: message('without ben') })
    await ann.ok('update_chat_scopes', { chat_id, add_scopes: { groups: [3] } })
    await ann.ok('close_thread', { chat_id })
    for (const client of [ben, second]) await client.receivesNothing()
    expect(await names(cleo)).toEqual([
      'incoming_event',
      'chat_scopes_updated',
      'incoming_event',
      'thread_closed',
    ])
    expect(await ben.refused('get_chat_threads', { chat_id })).toMatchObject({ type: 'authorization' })
  })

  test('taking away a group stops the pushes of its agents, but of those with access otherwise', async () => {
    const { agents, chat } = await openOffice(
      {
        ben: { groups: [1] },
        both: { groups: [1, 2] },
        cleo: { groups: [1] },
        dora: { permission: 'administrator', groups: [1] },
      },
      { groups: [1, 2], agents: ['cleo'] },
    )
    const { ann, ben, both, cleo, dora } = agents
    await ann.ok('update_chat_scopes', { chat_id: chat.id, remove_scopes: { groups: [1] } })
    for (const client of [ann, ben, both, cleo, dora])
      expect(await client.next('chat_scopes_updated')).toMatchObject({ scopes_removed: { groups: [1] } })
    await ann.ok('send_event', { chat_id: chat.id, event: message('still there?') })
    for (const client of [both, cleo, dora]) await client.next('incoming_event')
    await ben.receivesNothing()
  })

  test('taking away the last scope opens the chat to all, adding the first closes it to the others', async () => {
    const { agents, chat } = await openOffice({ ben: {}, cleo: { groups: [2] } })
    const { ann, ben, cleo } = agents
    const chat_id = chat.id
    await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ann'] } })
    expect(await names(ann)).toEqual(['chat_scopes_updated'])
    for (const client of [ben, cleo]) {
      const { chat: gained } = await client.next('incoming_chat_thread')
      expect(gained).not.toHaveProperty('scopes')
      await client.next('chat_scopes_updated')
    }
    await ann.ok('update_chat_scopes', { chat_id, add_scopes: { groups: [2] } })
    for (const client of [ann, ben, cleo]) {
      expect(await client.next('chat_scopes_updated')).toEqual({
        chat_id,
        scopes_added: { groups: [2] },
        scopes_removed: {},
      })
      await client.receivesNothing()
    }
    await ann.ok('send_event', { chat_id, event: message('group 2 only') })
    await cleo.next('incoming_event')
    await ben.receivesNothing()
  })

  test('adds first, then removes: what is in both ends up removed', async () => {
    const { agents, chat } = await openChat({ groups: [1, 2], agents: ['ann'] })
    const { ann } = agents
    await ann.ok('update_chat_scopes', {
      chat_id: chat.id,
      add_scopes: { groups: [2, 3], agents: ['ben'] },
      remove_scopes: { groups: [3, 2], agents: ['ben'] },
    })
    expect(await ann.next('chat_scopes_updated')).toEqual({
      chat_id: chat.id,
      scopes_added: {},
      scopes_removed: { groups: [2] },
    })
    expect(await scopesOf(chat.id)).toEqual({ groups: [1], agents: ['ann'] })
  })

  test('takes group ids as digits and gives integers back, each once', async () => {
    const { agents, chat } = await openChat({ groups: ['1'] })
    const { ann } = agents
    await ann.ok('update_chat_scopes', {
      chat_id: chat.id,
      add_scopes: { groups: ['2', 2, '3', 1] },
      remove_scopes: { groups: ['1'] },
    })
    expect(await ann.next('chat_scopes_updated')).toEqual({
      chat_id: chat.id,
      scopes_added: { groups: [2, 3] },
      scopes_removed: { groups: [1] },
    })
    expect(await scopesOf(chat.id)).toEqual({ groups: [2, 3], agents: [] })
  })

  test('that changes nothing pushes nothing and writes nothing', async () => {
    const { agents, chat } = await openChat({ groups: [1], agents: ['ann'] })
    const { ann, ben } = agents
    const before = await readChat(world.table.read, chat.id)
    const nothing = [
      {},
      { add_scopes: null, remove_scopes: null },
      { add_scopes: {}, remove_scopes: { groups: [], agents: null } },
      { add_scopes: { groups: [1], agents: ['ann'] } },
      { remove_scopes: { groups: [2], agents: ['ben'] } },
      { add_scopes: { groups: [3] }, remove_scopes: { groups: [3] } },
      { add_scopes: { other: [5] }, scopes: { groups: [3] } },
    ]
    for (const change of nothing) await ann.ok('update_chat_scopes', { chat_id: chat.id, ...change })
    for (const client of [ann, ben]) await client.receivesNothing()
    expect(await readChat(world.table.read, chat.id)).toEqual(before)
  })

  test('twice: the second time changes nothing', async () => {
    const { agents, chat } = await openChat()
    const { ann, ben } = agents
    const change = { chat_id: chat.id, add_scopes: { agents: ['ben'] } }
    await ann.ok('update_chat_scopes', change)
    expect(await names(ben)).toEqual(['incoming_chat_thread', 'chat_scopes_updated'])
    await ann.received()
    await ann.ok('update_chat_scopes', change)
    for (const client of [ann, ben]) await client.receivesNothing()
  })

  test('may take away one’s own access: the answer is success, and the chat is hidden from then on', async () => {
    const { agents, chat } = await openChat({ agents: ['ann', 'ben'] })
    const { ann, ben } = agents
    const chat_id = chat.id
    await ben.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
    for (const client of [ann, ben]) expect(await names(client)).toEqual(['chat_scopes_updated'])
    expect(await ben.refused('update_chat_scopes', { chat_id, add_scopes: { agents: ['ben'] } })).toEqual(
      denied,
    )
    await ann.ok('send_event', { chat_id, event: message('alone') })
    await ben.receivesNothing()
  })

  test('leaves agents and supervisors of the chat their access', async () => {
    const { agents, chat } = await openChat({ agents: ['ann', 'ben', 'cleo'] })
    const { ann, ben, cleo } = agents
    const chat_id = chat.id
    await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    await ann.ok('supervise_chat', { chat_id, agent_ids: ['cleo'] })
    await ann.ok('update_chat_scopes', {
      chat_id,
      add_scopes: { groups: [1] },
      remove_scopes: { agents: ['ann', 'ben', 'cleo'] },
    })
    for (const client of [ann, ben, cleo]) await client.received()
    await ann.ok('send_event', { chat_id, event: message('still here') })
    for (const client of [ann, ben, cleo]) await client.next('incoming_event')
  })

  test('is followed by what a newcomer is shown at login', { tags: ['full'] }, async () => {
    const { license, agents, chat } = await openOffice({ ben: {}, cleo: { groups: [1] } })
    const change = (scopes: object) => agents.ann.ok('update_chat_scopes', { chat_id: chat.id, ...scopes })
    expect(await atLogin(license, 'ben')).toEqual([])
    await change({ add_scopes: { groups: [1], agents: ['ben'] } })
    for (const agent of ['ben', 'cleo'])
      expect(await atLogin(license, agent)).toMatchObject([
        { id: chat.id, scopes: { groups: [1], agents: ['ann', 'ben'] } },
      ])
    await change({ remove_scopes: { groups: [1], agents: ['ben'] } })
    for (const agent of ['ben', 'cleo']) expect(await atLogin(license, agent)).toEqual([])
    await change({ remove_scopes: { agents: ['ann'] } })
    const [open] = await atLogin(license, 'ben')
    expect(open?.id).toBe(chat.id)
    expect(open).not.toHaveProperty('scopes')
  })

  test('goes for a chat without an active thread, and holds for the next one', async () => {
    const { license, agents, chat } = await openOffice({ ben: {}, cleo: {} }, { agents: ['ann', 'cleo'] })
    const { ann, ben, cleo } = agents
    const chat_id = chat.id
    await ann.ok('close_thread', { chat_id })
    for (const client of [ann, cleo]) await client.received()
    await ann.ok('update_chat_scopes', {
      chat_id,
      add_scopes: { agents: ['ben'] },
      remove_scopes: { agents: ['cleo'] },
    })
    expect(await ben.next('incoming_chat_thread')).toMatchObject({
      chat: { id: chat_id, thread: { active: false, events: [{ text: 'hello' }, {}] } },
    })
    for (const client of [ann, ben, cleo]) expect(await names(client)).toEqual(['chat_scopes_updated'])
    expect(await readActiveChats(world.table.read, license.id)).toEqual([])
    expect(await logOf(world, chat_id)).toHaveLength(2)

    await ann.ok('send_event', { chat_id, event: message('again') })
    for (const client of [ann, ben]) await client.next('incoming_chat_thread')
    await cleo.receivesNothing()
    expect(await atLogin(license, 'ben')).toMatchObject([{ id: chat_id, scopes: { agents: ['ann', 'ben'] } }])
    expect(await atLogin(license, 'cleo')).toEqual([])
  })

  test('shows whoever gains access the newest events of a long thread', async () => {
    const initial_events = numbers(20).map((i) => message(`${i}`))
    const { agents, chat } = await openChat({ agents: ['ann'] }, initial_events)
    const { ann, ben } = agents
    for (const i of numbers(11, 21)) await ann.ok('send_event', { chat_id: chat.id, event: message(`${i}`) })
    await ann.ok('update_chat_scopes', { chat_id: chat.id, add_scopes: { agents: ['ben'] } })
    const { thread } = (await ben.next('incoming_chat_thread')).chat
    expect(thread.events.map(({ order }) => order)).toEqual(numbers(25, 7))
    expect(thread.has_more).toBe(true)
  })
})

describe('update_chat_scopes of what is not there', () => {
  test(
    'is not_found, whether it is to be added or taken away, and changes nothing',
    { tags: ['full'] },
    async () => {
      const { license, agents, chat } = await openOffice({ ben: {}, sam: {}, del: {} })
      await world.license({ zoe: {} }, { groups: ['A', 'B', 'C', 'D'] })
      await deleteGroup(world.table, license.id, 3, { evenWithAgents: false })
      await deleteAgent(world.table, license.id, 'del')
      await changeAgent(world.table, license.id, 'sam', { suspended: true })
      const { ann } = agents
      const missing = [
        ...[3, 4, 0, -1, '4'].map((group) => ({ groups: [1, group] })),
        ...['del', 'sam', 'zoe', 'nosuch', '#', 'ann#', license.id].map((agent) => ({
          agents: ['ben', agent],
        })),
      ]
      for (const scopes of missing)
        for (const change of [
          { add_scopes: scopes },
          { remove_scopes: scopes },
          { add_scopes: scopes, remove_scopes: scopes },
        ])
          expect(await ann.refused('update_chat_scopes', { chat_id: chat.id, ...change })).toEqual(notFound)
      await ann.receivesNothing()
      expect(await scopesOf(chat.id)).toEqual({ groups: [], agents: ['ann'] })
    },
  )

  test(
    'takes away what has been deleted since it was added, and keeps what stays',
    { tags: ['full'] },
    async () => {
      const { license, agents, chat } = await openOffice(
        { del: {} },
        { groups: [1, 3], agents: ['del', 'ann'] },
      )
      await deleteGroup(world.table, license.id, 3, { evenWithAgents: false })
      await deleteAgent(world.table, license.id, 'del')
      const { ann } = agents
      // what is deleted leaves its chats a moment later: here it has not yet
      await world.settled()
      await ann.received()
      await world.table.write.write({
        Update: {
          Key: keys.chat(chat.id),
          UpdateExpression: 'SET #scopes = :scopes',
          ExpressionAttributeNames: { '#scopes': 'scopes' },
          ExpressionAttributeValues: { ':scopes': { groups: [1, 3], agents: ['del', 'ann'] } },
        },
      })
      // what stands there already is not asked for again
      await ann.ok('update_chat_scopes', { chat_id: chat.id, add_scopes: { groups: [3, 2] } })
      await ann.ok('update_chat_scopes', {
        chat_id: chat.id,
        remove_scopes: { groups: [3], agents: ['del'] },
      })
      expect(await ann.next('chat_scopes_updated')).toMatchObject({ scopes_added: { groups: [2] } })
      expect(await ann.next('chat_scopes_updated')).toMatchObject({
        scopes_removed: { groups: [3], agents: ['del'] },
      })
      expect(await scopesOf(chat.id)).toEqual({ groups: [1, 2], agents: ['ann'] })
      // gone from the chat, it cannot come back
      for (const add_scopes of [{ groups: [3] }, { agents: ['del'] }])
        expect(await ann.refused('update_chat_scopes', { chat_id: chat.id, add_scopes })).toEqual(notFound)
    },
  )

  test('is not_found where a group goes at the last moment', async () => {
    const { license, agents, chat } = await openOffice({})
    let deleted = false
    world.proxy.setFault(async ({ operation }) => {
      if (operation === 'TransactWriteItems' && !deleted) {
        deleted = true
        await deleteGroup(world.table, license.id, 2, { evenWithAgents: false })
      }
      return undefined
    })
    const change = { chat_id: chat.id, add_scopes: { groups: [1, 2] } }
    expect(await agents.ann.refused('update_chat_scopes', change)).toEqual(notFound)
    expect(deleted).toBe(true)
    await agents.ann.receivesNothing()
    expect(await scopesOf(chat.id)).toEqual({ groups: [], agents: ['ann'] })
  })
})

describe('update_chat_scopes with many', () => {
  const ids = numbers(99).map((i) => `agent-${i}`)
  let many: Office<'ann' | 'ben'>
  const addGroup = (id: number) =>
    createGroup(world.table, { license_id: many.license.id, id, name: `G${id}` })
  beforeAll(async () => {
    many = await openOffice({ ben: { groups: [2] } })
    for (const id of numbers(98, 4)) await addGroup(id)
    await Promise.all(ids.map((id) => many.license.addAgent(id)))
    await calm(world)
  })
  /** A chat in the license that has groups 1 to 101, and all of `ids`. */
  const chatOfMany = async (scopes: object) => {
    const { ann, ben } = many.agents
    const { chat } = await ann.ok('start_chat', { chat: { scopes } })
    for (const client of [ann, ben]) await client.received()
    return { ann, ben, chat_id: chat.id as string }
  }

  test(
    'takes 100 groups and agents at once, and refuses one that is not there among them',
    { tags: ['full'] },
    async () => {
      const { ann, ben, chat_id } = await chatOfMany({})
      const add = (groups: number[], agents: string[]) => ({ chat_id, add_scopes: { groups, agents } })
      const unknown = [add([...numbers(99), 102], ids), add(numbers(100), [...ids, 'nosuch'])]
      for (const change of unknown) expect(await ann.refused('update_chat_scopes', change)).toEqual(notFound)
      expect(await scopesOf(chat_id)).toEqual({ groups: [], agents: [] })

      await ann.ok('update_chat_scopes', add(numbers(100), ids))
      expect(await scopesOf(chat_id)).toEqual({ groups: numbers(100), agents: ids })
      for (const client of [ann, ben])
        expect(await client.next('chat_scopes_updated')).toEqual({
          chat_id,
          scopes_added: { groups: numbers(100), agents: ids },
          scopes_removed: {},
        })
      await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { groups: numbers(100), agents: ids } })
      expect(await scopesOf(chat_id)).toEqual({ groups: [], agents: [] })
    },
  )

  test.each([70, 71])('checks each of %i, of which the last is not there', async (count) => {
    const { ann, chat_id } = await chatOfMany({ agents: ['ann'] })
    const last = 1000 + count
    const groups = [...numbers(count - 1), last]
    expect(await ann.refused('update_chat_scopes', { chat_id, add_scopes: { groups } })).toEqual(notFound)
    await addGroup(last)
    await ann.ok('update_chat_scopes', { chat_id, add_scopes: { groups } })
    expect(await scopesOf(chat_id)).toMatchObject({ groups })
  })

  test('leaves a chat at most 100 groups, and room is made by what goes in the same request', async () => {
    const { ann, chat_id } = await chatOfMany({ groups: [1] })
    const change = (scopes: object) => ({ chat_id, ...scopes })
    expect(
      await ann.refused('update_chat_scopes', change({ add_scopes: { groups: numbers(100, 2) } })),
    ).toEqual({
      type: 'validation',
      code: 400,
      message: 'Wrong format of request',
      details: [{ path: 'payload.add_scopes', message: 'A chat has at most 100 groups and agents each' }],
    })
    await ann.receivesNothing()
    expect(await scopesOf(chat_id)).toEqual({ groups: [1], agents: [] })
    await ann.ok(
      'update_chat_scopes',
      change({ add_scopes: { groups: numbers(100, 2) }, remove_scopes: { groups: [1] } }),
    )
    expect(await scopesOf(chat_id)).toEqual({ groups: numbers(100, 2), agents: [] })
  })
})

describe('update_chat_scopes at each of its steps', () => {
  test('meets a join: both are in force', { tags: ['full'] }, async () => {
    const { agents, chat } = await openOffice({ ben: {}, cleo: {} })
    const { ann, ben, cleo } = agents
    const chat_id = chat.id
    const steps = await atEachStep(world, async () => {
      await ann.ok('remove_from_chat', { chat_id, agent_ids: ['ben'] })
      await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['cleo'] } })
      for (const client of [ann, ben, cleo]) await client.received()
      return {
        held: () => ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['cleo'] } }),
        meanwhile: () => ann.ok('join_chat', { chat_id, agent_ids: ['ben'] }),
        check: async () => {
          const chat = await readChat(world.table.read, chat_id)
          expect(chat?.scopes).toEqual({ groups: [], agents: ['ann', 'cleo'] })
          expect(chat?.users).toMatchObject([{ id: 'ann' }, { id: 'ben', present: true }])
          const [active] = await readActiveChats(world.table.read, chat?.license_id ?? '')
          expect(active).toMatchObject({ users: chat?.users, scopes: chat?.scopes })
          await isShownBefore(ben, 'chat_users_updated')
          await isShownBefore(cleo, 'chat_scopes_updated')
          expect((await names(ann)).filter((name) => name === 'chat_scopes_updated')).toHaveLength(1)
        },
      }
    })
    expect(steps).toBeGreaterThan(3)
  })

  test('is met in a join: both are in force', { tags: ['full'] }, async () => {
    const { agents, chat } = await openOffice({ ben: {}, cleo: {} })
    const { ann } = agents
    const chat_id = chat.id
    await atEachStep(world, async () => {
      await ann.ok('remove_from_chat', { chat_id, agent_ids: ['ben'] })
      await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['cleo'] } })
      return {
        held: () => ann.ok('join_chat', { chat_id, agent_ids: ['ben'] }),
        meanwhile: () => ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['cleo'] } }),
        check: async () => {
          const chat = await readChat(world.table.read, chat_id)
          expect(chat?.scopes).toEqual({ groups: [], agents: ['ann', 'cleo'] })
          expect(chat?.users).toMatchObject([{ id: 'ann' }, { id: 'ben', present: true }])
        },
      }
    })
  })

  testAtSteps(
    'meets the closing of the thread: both are in force, and the chat is not in the list',
    async (hold) => {
      const { license, agents, chat } = await openOffice({ ben: {} })
      const { ann, ben } = agents
      const chat_id = chat.id
      await hold(
        world,
        async () => {
          await ann.ok('send_event', { chat_id, event: message('open') })
          await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
          await ben.received()
          return {
            held: () => ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['ben'] } }),
            meanwhile: () => ann.ok('close_thread', { chat_id }),
            check: async () => {
              expect(await readChat(world.table.read, chat_id)).toMatchObject({
                active: false,
                scopes: { groups: [], agents: ['ann', 'ben'] },
              })
              expect(await readActiveChats(world.table.read, license.id)).toEqual([])
              const log = await logOf(world, chat_id)
              expect(log.at(-1)?.event.system_message_type).toBe('manual_archived')
              await isShownBefore(ben, 'chat_scopes_updated')
            },
          }
        },
        3,
      )
    },
  )

  test('meets another change of scopes: both are in force', { tags: ['full'] }, async () => {
    const { license, agents, chat } = await openOffice({ ben: {} }, { groups: [1, 2], agents: ['ann'] })
    const { ann, ben } = agents
    const chat_id = chat.id
    await atEachStep(world, async () => {
      await ann.ok('update_chat_scopes', {
        chat_id,
        add_scopes: { groups: [1] },
        remove_scopes: { groups: [3], agents: ['ben'] },
      })
      for (const client of [ann, ben]) await client.received()
      return {
        held: () =>
          ann.ok('update_chat_scopes', {
            chat_id,
            add_scopes: { groups: [3] },
            remove_scopes: { groups: [1] },
          }),
        meanwhile: () => ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['ben'] } }),
        check: async () => {
          const scopes = await scopesOf(chat_id)
          expect(scopes?.groups.toSorted()).toEqual([2, 3])
          expect(scopes?.agents).toEqual(['ann', 'ben'])
          const [active] = await readActiveChats(world.table.read, license.id)
          expect(active?.scopes).toEqual(scopes)
          // each tells of its own change only
          const told = (await ann.received()).flatMap((push) =>
            push.action === 'chat_scopes_updated' ? [push.payload] : [],
          )
          expect(told).toHaveLength(2)
          expect(told).toContainEqual({ chat_id, scopes_added: { agents: ['ben'] }, scopes_removed: {} })
          expect(told).toContainEqual({
            chat_id,
            scopes_added: { groups: [3] },
            scopes_removed: { groups: [1] },
          })
          await isShownBefore(ben, 'chat_scopes_updated')
        },
      }
    })
  })

  test(
    'meets the loss of the requester’s access: it is refused then, or was through before',
    { tags: ['full'] },
    async () => {
      const { agents, chat } = await openOffice({ ben: {}, cleo: {} })
      const { ann, ben } = agents
      const chat_id = chat.id
      const outcomes = new Set<string>()
      await atEachStep(world, async () => {
        await ann.ok('update_chat_scopes', {
          chat_id,
          add_scopes: { agents: ['ben'] },
          remove_scopes: { agents: ['cleo'] },
        })
        for (const client of [ann, ben]) await client.received()
        let answer: any
        return {
          held: async () => {
            answer = await ben.call('update_chat_scopes', { chat_id, add_scopes: { agents: ['cleo'] } })
          },
          meanwhile: () => ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } }),
          check: async () => {
            const through = answer.success === true
            outcomes.add(through ? 'through' : answer.payload.error.message)
            expect(await scopesOf(chat_id)).toEqual({
              groups: [],
              agents: through ? ['ann', 'cleo'] : ['ann'],
            })
          },
        }
      })
      expect(outcomes).toEqual(new Set(['through', denied.message]))
    },
  )
})

describe('update_chat_scopes whose transaction goes wrong', () => {
  const conflict: Fault = {
    errorType: 'TransactionCanceledException',
    body: { CancellationReasons: [{ Code: 'TransactionConflict', Message: 'Injected' }] },
  }
  const unsure: Fault = { errorType: 'InternalServerError', afterWrite: true }
  const underWay: Fault = { errorType: 'TransactionInProgressException' }
  const ways: [string, Fault[]][] = [
    ['a conflict', [conflict]],
    ['a connection that breaks', [{ reset: true }]],
    ['an answer that is lost', [{ reset: true, afterWrite: true }]],
    ['an answer that is lost, and repeats that only hear of a transaction under way', [unsure, underWay]],
  ]
  testFirst('through %s changes them once and tells once', ways, async (_, faults) => {
    for (const closed of [false, true]) {
      const { agents, chat } = await openChat({ agents: ['ann', 'cleo'] })
      const { ann, ben, cleo } = agents
      if (closed) await ann.ok('close_thread', { chat_id: chat.id })
      for (const client of [ann, cleo]) await client.received()
      const left = [...faults]
      world.proxy.setFault(({ operation, request }) =>
        operation === 'TransactWriteItems' && JSON.stringify(request).includes(chat.id)
          ? left.shift()
          : undefined,
      )
      // cleo takes its own access away, and is not refused for it
      await cleo.ok('update_chat_scopes', {
        chat_id: chat.id,
        add_scopes: { agents: ['ben'] },
        remove_scopes: { agents: ['cleo'] },
      })
      expect(left).toEqual([])
      world.proxy.setFault(undefined)
      for (const client of [ann, cleo]) expect(await names(client)).toEqual(['chat_scopes_updated'])
      expect(await names(ben)).toEqual(['incoming_chat_thread', 'chat_scopes_updated'])
      expect(await scopesOf(chat.id)).toEqual({ groups: [], agents: ['ann', 'ben'] })
    }
  })
})
