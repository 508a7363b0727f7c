import { beforeAll, describe, expect, test } from 'vitest'
import { putChat, readChat } from '../../shared/table/chat/chats.ts'
import type { Client } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // delayed jobs stay out of these tests: what a login may have missed is tested with login
  world = await sharedWorld({ delayScale: 1000 })
})

const denied = { type: 'authorization', code: 403, message: 'You are not allowed to close this chat.' }
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const inactive = { type: 'chat_inactive', code: 409, message: 'Chat is inactive' }

const startChat = async (starter: Client, payload?: object, ...others: Client[]) => {
  const { chat } = await starter.ok('start_chat', payload)
  for (const client of [starter, ...others]) await client.received()
  return chat
}
const say = (client: Client, { id }: { id: string }, text: string) =>
  client.ok('send_event', { chat_id: id, event: { type: 'message', text } })
const lastThread = async (client: Client, chat: { id: string }) =>
  (await client.ok('get_chat_threads', { chat_id: chat.id })).chat.threads[0]

const twoAgents = async () => {
  const license = await world.license({ ann: { name: 'Ann Doe' }, ben: {} })
  return { license, ann: await license.login('ann'), ben: await license.login('ben') }
}
let two: Awaited<ReturnType<typeof twoAgents>>
beforeAll(async () => {
  two = await twoAgents()
})
/** A chat that ann has started, and ben, who has access to it, in a license that tests share. */
const annAndBen = async (payload?: object, { license, ann, ben } = two) => ({
  ...{ license, ann, ben },
  chat: await startChat(ann, payload, ben),
})

describe('close_thread', () => {
  test('closes the active thread by its last entry, and every agent with access is told of both', async () => {
    const { ann, ben, chat } = await annAndBen({ initial_events: [{ type: 'message', text: 'hello' }] })
    expect(await ann.ok('close_thread', { chat_id: chat.id })).toBeUndefined()
    for (const client of [ann, ben]) {
      expect(await client.next('incoming_event')).toEqual({
        chat_id: chat.id,
        thread_id: chat.thread.id,
        event: {
          ...{ id: `${chat.thread.id}_2`, order: 2, timestamp: expect.any(Number), recipients: 'all' },
          ...{
            type: 'system_message',
            system_message_type: 'manual_archived',
            text: 'Ann Doe archived the chat',
          },
        },
      })
      expect(await client.next('thread_closed')).toEqual({
        chat_id: chat.id,
        thread_id: chat.thread.id,
        user_id: 'ann',
      })
      await client.receivesNothing()
    }
  })

  test('keeps the users in the chat, and takes the chat from the active ones', async () => {
    const { license, ann, ben, chat } = await annAndBen()
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.ok('close_thread', { chat_id: chat.id })
    const { chat: shown } = await ben.ok('get_chat_threads', { chat_id: chat.id })
    expect(shown.users).toMatchObject([
      { id: 'ann', type: 'agent', present: true },
      { id: 'ben', type: 'agent', present: true },
    ])
    expect(shown.threads[0].active).toBe(false)
    const client = await world.open()
    expect((await client.ok('login', { token: await license.token('ann') })).chats_summary).toEqual([])
  })

  test('closes a thread without events too', async () => {
    const { ann, chat } = await annAndBen()
    await ann.ok('close_thread', { chat_id: chat.id })
    expect((await ann.next('incoming_event')).event.order).toBe(1)
    expect((await lastThread(ann, chat)).active).toBe(false)
  })

  test('thread_id may name the active thread, be absent or null', async () => {
    const { ann, chat } = await annAndBen()
    await ann.ok('close_thread', { chat_id: chat.id, thread_id: chat.thread.id })
    await say(ann, chat, 'second')
    await ann.ok('close_thread', { chat_id: chat.id, thread_id: null })
    await say(ann, chat, 'third')
    await ann.ok('close_thread', {
      chat_id: chat.id,
      thread_id: `${chat.id}_3`,
      routing_scope: 'x',
      active: true,
    })
    expect(await lastThread(ann, chat)).toMatchObject({ id: `${chat.id}_3`, active: false })
  })

  test('a thread of the chat that is not the active one is inactive', async () => {
    const { ann, ben, chat } = await annAndBen()
    await ann.ok('close_thread', { chat_id: chat.id })
    await say(ann, chat, 'second')
    await ann.received()
    await ben.received()
    for (const thread_id of [chat.thread.id, `${chat.id}_3`])
      expect(await ann.refused('close_thread', { chat_id: chat.id, thread_id }), thread_id).toEqual(inactive)
    expect(await lastThread(ann, chat)).toMatchObject({ id: `${chat.id}_2`, active: true })
    await ann.receivesNothing()
    await ben.receivesNothing()
  })

  test('a thread whose chat part is not chat_id is not found', async () => {
    const { ann, chat } = await annAndBen()
    const other = await startChat(ann)
    for (const thread_id of [
      other.thread.id,
      other.id,
      chat.id,
      `${chat.id}_`,
      `${chat.id}_01`,
      `${chat.id}_1_1`,
      'x',
    ])
      expect(await ann.refused('close_thread', { chat_id: chat.id, thread_id }), thread_id).toEqual(notFound)
    expect((await lastThread(ann, chat)).active).toBe(true)
    expect((await lastThread(ann, other)).active).toBe(true)
  })

  test('a second time answers chat_inactive and adds nothing', async () => {
    const { ann, ben, chat } = await annAndBen()
    await ann.ok('close_thread', { chat_id: chat.id })
    await ann.received()
    await ben.received()
    for (const client of [ann, ben])
      for (const thread_id of [undefined, chat.thread.id])
        expect(await client.refused('close_thread', { chat_id: chat.id, thread_id })).toEqual(inactive)
    await ann.receivesNothing()
    await ben.receivesNothing()
    expect((await lastThread(ann, chat)).events).toHaveLength(1)
  })

  test('twice at once, one succeeds', async () => {
    const { ann, ben, chat } = await annAndBen()
    const answers = await Promise.all(
      [ann, ben].map((client) => client.call('close_thread', { chat_id: chat.id })),
    )
    expect(answers.map(({ success }) => success).toSorted()).toEqual([false, true])
    expect(answers.find(({ success }) => !success)!.payload).toEqual({ error: inactive })
    expect((await lastThread(ann, chat)).events).toHaveLength(1)
    expect((await ann.received()).map(({ action }) => action)).toEqual(['incoming_event', 'thread_closed'])
  })

  test('each further thread is closed as the first was', async () => {
    const { ann, ben, chat } = await annAndBen()
    await ann.ok('close_thread', { chat_id: chat.id })
    await say(ann, chat, 'again')
    await ben.received()
    await ann.ok('close_thread', { chat_id: chat.id })
    expect(await ben.next('incoming_event')).toMatchObject({ thread_id: `${chat.id}_2`, event: { order: 2 } })
    expect(await ben.next('thread_closed')).toMatchObject({ thread_id: `${chat.id}_2` })
  })

  describe('who may', () => {
    test('access is enough; of one who never was in the chat only agents read', async () => {
      const { ann, ben, chat } = await annAndBen()
      await ben.ok('close_thread', { chat_id: chat.id })
      expect((await ann.next('incoming_event')).event).toMatchObject({
        text: 'ben archived the chat',
        recipients: 'agents',
      })
      expect(await ann.next('thread_closed')).toMatchObject({ user_id: 'ben' })
    })

    test('one who was in the chat closes it for all to read', async () => {
      const { ann, ben, chat } = await annAndBen()
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      await ann.received()
      await ben.ok('close_thread', { chat_id: chat.id })
      expect((await ann.next('incoming_event')).event.recipients).toBe('all')
    })

    test('a supervisor closes it for agents to read', async () => {
      const { ann, ben, chat } = await annAndBen({ chat: { scopes: { agents: ['ann'] } } })
      const before = await readChat(world.table.read, chat.id)
      const users = [...before!.users, { id: 'ben', type: 'supervisor' as const, present: true }]
      await world.table.write.write(putChat({ ...before!, users, version: before!.version + 1 }))
      await ben.ok('close_thread', { chat_id: chat.id })
      expect((await ann.next('incoming_event')).event).toMatchObject({
        text: 'ben archived the chat',
        recipients: 'agents',
      })
    })

    test('owners and administrators may, whatever the scopes; nobody else without access', async () => {
      const license = await world.license({
        ann: {},
        ben: {},
        olga: { permission: 'owner' },
        adam: { permission: 'administrator' },
      })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      const scoped = { chat: { scopes: { agents: ['ann'] } } }
      for (const id of ['olga', 'adam']) {
        const chat = await startChat(ann, scoped)
        expect(await ben.refused('close_thread', { chat_id: chat.id })).toEqual(denied)
        // that it is closed, or which thread is active, is no business of one without access
        expect(await ben.refused('close_thread', { chat_id: chat.id, thread_id: `${chat.id}_7` })).toEqual(
          denied,
        )
        expect((await lastThread(ann, chat)).active).toBe(true)
        await (await license.login(id)).ok('close_thread', { chat_id: chat.id })
        expect(await ben.refused('close_thread', { chat_id: chat.id })).toEqual(denied)
        expect((await lastThread(ann, chat)).active).toBe(false)
      }
      await ben.receivesNothing()
    })

    test('a removed agent may no more, where it has no access', async () => {
      const { ann, ben, chat } = await annAndBen({ chat: { scopes: { agents: ['ann'] } } })
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      await ben.received()
      expect(await ben.refused('close_thread', { chat_id: chat.id })).toEqual(denied)
      await ann.ok('close_thread', { chat_id: chat.id })
      await ben.receivesNothing()
    })

    test('a restricted token needs chats.meta write, its own chats or those it sees', async () => {
      const { license, ann, chat } = await annAndBen()
      const login = (agent: string, scope: string) => license.login(agent, {}, { scope })
      for (const [agent, scope] of [
        ['ben', 'chats.meta--my:write'],
        ['ann', 'chats.conversation--chat_scopes:write chats.conversation--my:write'],
        ['ann', 'chats--all:read chats--chat_scopes:read chats--my:read'],
        ['ann', 'agents--all:write'],
      ] as const)
        expect(
          await (await login(agent, scope)).refused('close_thread', { chat_id: chat.id }),
          scope,
        ).toEqual(denied)
      await (await login('ann', 'chats.meta--my:write')).ok('close_thread', { chat_id: chat.id })
      await say(ann, chat, 'again')
      await (await login('ben', 'x/chats.meta--chat_scopes:write')).ok('close_thread', { chat_id: chat.id })
      expect(await lastThread(ann, chat)).toMatchObject({ id: `${chat.id}_2`, active: false })
    })
  })

  test('agents without access and those of other licenses receive nothing', async () => {
    const license = await world.license(
      { ann: {}, grouped: { groups: [1] }, outsider: { groups: [2] }, olga: { permission: 'owner' } },
      { groups: ['Sales', 'Support'] },
    )
    const stranger = await (await world.license({ ann: { permission: 'owner' } })).login('ann')
    const [ann, grouped, outsider, olga] = [
      await license.login('ann'),
      await license.login('grouped'),
      await license.login('outsider'),
      await license.login('olga'),
    ]
    const blind = await license.login('olga', {}, { scope: 'chats.meta--chat_scopes:write' })
    const chat = await startChat(ann, { chat: { scopes: { groups: [1] } } }, grouped, olga)
    await ann.ok('close_thread', { chat_id: chat.id })
    for (const client of [ann, grouped, olga])
      expect((await client.received()).map(({ action }) => action)).toEqual([
        'incoming_event',
        'thread_closed',
      ])
    for (const client of [outsider, stranger, blind]) await client.receivesNothing()
  })
})
