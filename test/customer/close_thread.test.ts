import { beforeAll, describe, expect, test } from 'vitest'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { logOf } from '../races/stored.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { message } from '../support/events.ts'
import { chatInactive } from '../support/wire-errors.ts'
import { bare, names, next, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

const closing = ['incoming_event', 'thread_closed']

describe('close_thread', () => {
  test("by a customer tells everyone with access and its tabs: the thread's last event, then the closing", async () => {
    const { license, carl, tab, id, chat_id, thread_id, watching, silence } = await openReception(world)
    expect(await carl.call('close_thread', { chat_id })).toEqual(bare('close_thread'))
    const event = {
      ...{ id: `${thread_id}_4`, order: 4, type: 'system_message', system_message_type: 'manual_archived' },
      ...{ text: 'Carl archived the chat', recipients: 'all', timestamp: expect.any(Number) },
    }
    for (const client of [...watching, carl, tab]) {
      expect(await next(client, 'incoming_event')).toEqual({ chat_id, thread_id, event })
      expect(await next(client, 'thread_closed')).toEqual({ chat_id, thread_id, user_id: id })
    }
    await silence()
    const active = await readActiveChats(world.table.read, license.id)
    expect(active.filter((chat) => chat.id === chat_id)).toEqual([])
    // closing keeps the users in the chat
    const { chat } = await carl.ok('get_chat_threads', { chat_id })
    expect(chat.users).toMatchObject([
      { id, present: true },
      { id: 'ann', present: true },
    ])
    expect(chat.threads).toMatchObject([{ id: thread_id, active: false }])
  })

  test('is refused with chat_inactive where nothing is active, and tells nobody', async () => {
    const { carl, tab, chat_id, forget, silence } = await openReception(world)
    // it takes nothing but the chat: whatever thread is named is passed over
    await carl.ok('close_thread', { chat_id, thread_id: `${chat_id}_9` })
    await forget()
    const before = await logOf(world, chat_id)
    for (const client of [carl, tab])
      expect(await client.refused('close_thread', { chat_id })).toEqual(chatInactive)
    await silence()
    expect(await logOf(world, chat_id)).toEqual(before)
  })

  test('of both tabs at once closes once', async () => {
    const { carl, tab, chat_id, staff } = await openReception(world)
    const answers = await Promise.all([carl, tab].map((client) => client.call('close_thread', { chat_id })))
    expect(answers.map(({ success }) => success).toSorted()).toEqual([false, true])
    expect(await names(staff.ann)).toEqual(closing)
  })

  test('of a customer that has told no name says Customer', async () => {
    const { license, staff } = await openReception(world)
    const { client } = await license.visit()
    const { chat } = await client.ok('start_chat')
    await client.ok('close_thread', { chat_id: chat.id })
    expect((await staff.ann.eventually('incoming_event')).event).toMatchObject({
      text: 'Customer archived the chat',
    })
  })
})

describe('a thread that an agent closes', () => {
  test('is told with the agent where it was in the chat', async () => {
    const { carl, tab, chat_id, thread_id, staff } = await openReception(world)
    await staff.ann.ok('close_thread', { chat_id })
    for (const client of [carl, tab]) {
      expect((await client.next('incoming_event')).event).toMatchObject({ text: 'Ann archived the chat' })
      expect(await client.next('thread_closed')).toEqual({ chat_id, thread_id, user_id: 'ann' })
      await client.receivesNothing()
    }
  })

  test('is told without an agent who never was in it, by name or by id', async () => {
    const { carl, tab, chat_id, staff, watching, forget } = await openReception(world)
    for (const [n, name] of (['sue', 'olga', 'gus'] as const).entries()) {
      const thread_id = `${chat_id}_${n + 1}`
      await staff[name].ok('close_thread', { chat_id })
      for (const client of watching) {
        expect((await client.next('incoming_event')).event).toMatchObject({ recipients: 'agents' })
        expect(await client.next('thread_closed')).toEqual({ chat_id, thread_id, user_id: name })
      }
      for (const client of [carl, tab]) {
        expect(await client.next('thread_closed')).toEqual({ chat_id, thread_id })
        await client.receivesNothing()
      }
      const { chat } = await carl.ok('get_chat_threads', { chat_id })
      expect(JSON.stringify(chat).toLowerCase()).not.toContain(name)
      await carl.ok('send_event', { chat_id, event: message('again') })
      await forget()
    }
  })

  test('is told with one who was in it once, and supervises by now', async () => {
    const { carl, chat_id, thread_id, staff, forget } = await openReception(world)
    await staff.ann.ok('remove_from_chat', { chat_id })
    await staff.olga.ok('supervise_chat', { chat_id, agent_ids: ['ann'] })
    await forget()
    await staff.ann.ok('close_thread', { chat_id })
    expect((await carl.next('incoming_event')).event).toMatchObject({ text: 'Ann archived the chat' })
    expect(await carl.next('thread_closed')).toEqual({ chat_id, thread_id, user_id: 'ann' })
    // who supervises is shown as an agent that is not there
    const { chat } = await carl.ok('get_chat_threads', { chat_id })
    expect(chat.users.filter(({ type }: any) => type === 'agent')).toMatchObject([
      { id: 'ann', type: 'agent', present: false },
    ])
  })

  test('is not told to a customer who was removed before', async () => {
    const { carl, tab, id, chat_id, staff, forget } = await openReception(world)
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    await forget()
    await staff.ann.ok('send_event', { chat_id, event: message('gone?') })
    await staff.ann.ok('close_thread', { chat_id })
    for (const client of [carl, tab]) await client.receivesNothing()
    expect(await names(staff.gus)).toEqual(['incoming_event', ...closing])
  })
})
