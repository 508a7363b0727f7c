import { beforeAll, describe, expect, test } from 'vitest'
import { readChatRecord } from '../../shared/table/chat/read-chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { message } from '../support/events.ts'
import { denied, notFound } from '../support/wire-errors.ts'
import { bare, names, next, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

const sentence = 'You cannot mark this message as seen.'
const both = ['event_marked_as_seen', 'last_seen_timestamp_updated']
const seenBy = async (chat: string, user: string) =>
  (await readChatRecord(world.table.read, chat))?.seen.get(user)

describe('mark_event_as_seen', () => {
  test('by a customer tells everyone with access and its tabs which event, then up to when', async () => {
    const { carl, tab, id, chat_id, watching, staff, silence, forget } = await openReception(world)
    const { event } = await staff.ann.ok('send_event', { chat_id, event: message('how can I help?') })
    await forget()
    const answer = await carl.call('mark_event_as_seen', { chat_id, event_id: event.id })
    expect(answer).toEqual(bare('mark_event_as_seen'))
    for (const client of [...watching, carl, tab]) {
      expect(await next(client, 'event_marked_as_seen')).toEqual({ chat_id, event_id: event.id, user_id: id })
      expect(await next(client, 'last_seen_timestamp_updated')).toEqual({
        ...{ user_id: id, chat_id, timestamp: event.timestamp },
      })
    }
    await silence()
    expect(await seenBy(chat_id, id)).toBe(event.timestamp)
    for (const client of [carl, staff.gus]) {
      const { chat } = await client.ok('get_chat_threads', { chat_id })
      expect(chat.users.find((user: any) => user.id === id)).toMatchObject({
        last_seen_timestamp: event.timestamp,
      })
    }
  })

  test('never moves back: what moves nothing tells nothing, of any author and thread', async () => {
    const { carl, tab, id, chat_id, forget, silence } = await openReception(world)
    const timestamp = Math.floor(Date.now() / 1000) + 60
    await world.table.write.write({ Put: { Item: { ...keys.chatSeen(chat_id, id), user: id, timestamp } } })
    await tab.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_1_2` })
    await silence()
    await carl.ok('close_thread', { chat_id })
    await carl.ok('send_event', { chat_id, event: { type: 'annotation', annotation_type: 'rating' } })
    await carl.ok('send_event', { chat_id, event: message('again') })
    await forget()
    // the message, its assignment, the closing, the annotation, the next thread's first
    for (const place of ['1_1', '1_2', '1_4', '1_5', '2_1'])
      await carl.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_${place}` })
    await silence()
    expect(await seenBy(chat_id, id)).toBe(timestamp)
  })

  test('of the same event again, or of its own, tells nothing', async () => {
    const { carl, tab, chat_id, staff, forget, silence } = await openReception(world)
    const { event } = await staff.ann.ok('send_event', { chat_id, event: message('how can I help?') })
    await carl.ok('mark_event_as_seen', { chat_id, event_id: event.id })
    await forget()
    await tab.ok('mark_event_as_seen', { chat_id, event_id: event.id })
    await silence()
    const own = await carl.ok('send_event', { chat_id, event: message('like so') })
    await forget()
    await tab.ok('mark_event_as_seen', { chat_id, event_id: own.event.id })
    await silence()
  })

  test('is refused with not_found for an event that there is not, and for one that is hidden', async () => {
    const { license, carl, id, chat_id, staff, forget, silence } = await openReception(world)
    const whisper = await staff.sue.ok('send_event', { chat_id, event: message('psst') })
    const note = await staff.ann.ok('send_event', {
      chat_id,
      event: message('n.b.', { recipients: 'agents' }),
    })
    const { client } = await license.visit({ customer: { name: 'Other' } })
    const { chat: other } = await client.ok('start_chat', { chat: { events: [message('mine')] } })
    await forget()
    const ids = [
      // that sue supervises, too
      ...[`${chat_id}_1_3`, whisper.event.id, note.event.id, other.thread.events[0].id],
      ...['_1_99', '_2_1', '_1_0', '_1_01', '_1', ''].map((end) => `${chat_id}${end}`),
    ]
    for (const event_id of ids)
      expect([event_id, await carl.refused('mark_event_as_seen', { chat_id, event_id })]).toEqual([
        event_id,
        notFound,
      ])
    await silence()
    expect(await seenBy(chat_id, id)).toBeUndefined()
    // to who is not in the chat any more, each of them is the same
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    for (const event_id of [...ids, `${chat_id}_1_1`])
      expect(await carl.refused('mark_event_as_seen', { chat_id, event_id })).toEqual(denied(sentence))
  })
})

describe('what an agent has seen', () => {
  test('is told to the customer and shown with the agent, unless it only supervises', async () => {
    const { carl, tab, chat_id, staff } = await openReception(world)
    await staff.ann.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_1_1` })
    for (const client of [carl, tab]) {
      expect(await client.next('event_marked_as_seen')).toEqual({
        ...{ chat_id, event_id: `${chat_id}_1_1`, user_id: 'ann' },
      })
      expect(await client.next('last_seen_timestamp_updated')).toMatchObject({ user_id: 'ann' })
    }
    const { chat } = await carl.ok('get_chat_threads', { chat_id })
    expect(chat.users.find((user: any) => user.id === 'ann')).toHaveProperty('last_seen_timestamp')
    await staff.ann.received()

    // and hidden where it supervises and never was an agent of the chat
    await staff.sue.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_1_1` })
    await staff.sue.ok('update_last_seen_timestamp', { chat_id })
    for (const client of [carl, tab]) await client.receivesNothing()
    expect((await names(staff.ann)).slice(0, 2)).toEqual(both)
  })

  test('is hidden while it supervises, also where the customer met it as an agent', async () => {
    const { license, carl, tab, token, chat_id, staff, forget } = await openReception(world)
    const ofAnn = (users: any[]) => users.find(({ id }) => id === 'ann')
    await staff.ann.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_1_1` })
    await staff.olga.ok('join_chat', { chat_id, agent_ids: ['olga'] })
    await staff.ann.ok('remove_from_chat', { chat_id })
    await staff.ann.ok('supervise_chat', { chat_id })
    const { event } = await carl.ok('send_event', { chat_id, event: message('are you there?') })
    await forget()
    await staff.ann.ok('mark_event_as_seen', { chat_id, event_id: event.id })
    await staff.ann.ok('update_last_seen_timestamp', { chat_id })
    for (const client of [carl, tab]) await client.receivesNothing()
    expect((await names(staff.gus)).slice(0, 1)).toEqual(['event_marked_as_seen'])

    const shown = { id: 'ann', type: 'agent', name: 'Ann', avatar: expect.any(String), present: false }
    const answers = [
      (await carl.ok('get_chat_threads', { chat_id })).chat,
      (await carl.ok('get_chats_summary')).chats_summary[0],
      (await carl.ok('start_chat')).chat,
      (await license.visit({ token })).answer.last_chats_summary[0],
    ]
    for (const { users } of answers) expect(ofAnn(users)).toEqual(shown)
    await forget()
    // a new thread is pushed with its users, and given to nobody
    await staff.ann.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await carl.ok('close_thread', { chat_id })
    await carl.ok('send_event', { chat_id, event: message('anew') })
    const pushes = await tab.received()
    const begun: any = pushes.find(({ action }) => action === 'incoming_chat_thread')
    expect(ofAnn(begun.payload.chat.users)).toEqual(shown)

    // an agent again, it is shown with what it has seen
    await staff.ann.ok('join_chat', { chat_id, agent_ids: ['ann'] })
    const updates: any = (await tab.received()).find(({ action }) => action === 'chat_users_updated')
    expect(ofAnn(updates.payload.updated_users.added)).toHaveProperty('last_seen_timestamp')
  })
})
