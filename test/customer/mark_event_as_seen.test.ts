import { beforeAll, describe, expect, test } from 'vitest'
import { readChatRecord } from '../../shared/table/chats.ts'
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

  test('never moves back: what moves nothing tells of the event alone, of any author and thread', async () => {
    const { carl, tab, id, chat_id, forget } = await openReception(world)
    const timestamp = Math.floor(Date.now() / 1000) + 60
    await world.table.write.write({ Put: { Item: { ...keys.chatSeen(chat_id, id), user: id, timestamp } } })
    await tab.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_1_1` })
    expect(await names(carl)).toEqual(['event_marked_as_seen'])
    await carl.ok('close_thread', { chat_id })
    await carl.ok('send_event', { chat_id, event: { type: 'annotation', annotation_type: 'rating' } })
    await carl.ok('send_event', { chat_id, event: message('again') })
    await forget()
    // the message, its assignment, the closing, the annotation, the next thread's first
    for (const place of ['1_1', '1_2', '1_4', '1_5', '2_1']) {
      const event_id = `${chat_id}_${place}`
      await carl.ok('mark_event_as_seen', { chat_id, event_id })
      expect(await carl.received()).toMatchObject([{ action: 'event_marked_as_seen', payload: { event_id } }])
    }
    expect(await seenBy(chat_id, id)).toBe(timestamp)
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
})
