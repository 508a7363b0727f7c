import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { readChatRecord } from '../../shared/table/chat/read-chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const message = (text: string) => ({ type: 'message', text })
const longAgo = 1_600_000_000

type Shown = PushPayload<'incoming_chat_thread'>['chat']

const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {}, cleo: {}, dora: { permission: 'owner' } })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const [cleo, dora] = [await license.login('cleo'), await license.login('dora')]
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
  return { license, ann, ben, cleo, dora }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
/** Ann's own chat with ben in it and one message; an owner looks on, cleo may not. */
const openChat = async (where = office) => {
  const { ann, ben, cleo, dora } = where
  const initial_events = [message('hello')]
  const { chat }: { chat: Shown } = await ann.ok('start_chat', {
    chat: { scopes: { agents: ['ann'] } },
    initial_events,
  })
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  for (const client of [ann, ben, cleo, dora]) await client.received()
  const first = chat.thread.events[0]!
  return { ...where, chat_id: chat.id, first }
}
const seenBy = async (chat: string, user: string) =>
  (await readChatRecord(world.table.read, chat))?.seen.get(user)
/** Puts a time into the table that no request could. */
const setSeen = (chat: string, user: string, timestamp: number) =>
  world.table.write.write({ Put: { Item: { ...keys.chatSeen(chat, user), user, timestamp } } })
/** The same with three messages of ann's of one second, long ago; `backdate` puts another event into it. */
const openSecond = async () => {
  const opened = await openChat()
  const { ann, ben, chat_id } = opened
  const backdate = async (n: number, m: number, ms: number) => {
    const key = keys.event(chat_id, n, m)
    const item = await world.table.read.get(key, { strong: true })
    await world.table.write.write({ Put: { Item: { ...item, ...key, at: longAgo * 1000 + ms } } })
  }
  const send = async (text: string): Promise<string> => {
    const { event } = await ann.ok('send_event', { chat_id, event: message(text) })
    await backdate(1, event.order, event.order)
    return event.id
  }
  const events = [await send('one'), await send('two'), await send('three')] as const
  for (const client of [ann, ben]) await client.received()
  return { ...opened, events, timestamp: longAgo, backdate }
}
const names = async (client: Client) => (await client.received()).map(({ action }) => action)

describe('mark_event_as_seen', () => {
  test('tells everyone with access which event was seen, then up to when', async () => {
    const { ann, ben, cleo, dora, chat_id, first } = await openChat()
    const answer = await ben.call('mark_event_as_seen', { chat_id, event_id: first.id })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'mark_event_as_seen',
      type: 'response',
      success: true,
    })
    for (const client of [ann, ben, dora]) {
      expect(await client.next('event_marked_as_seen')).toEqual({
        chat_id,
        event_id: first.id,
        user_id: 'ben',
      })
      expect(await client.next('last_seen_timestamp_updated')).toEqual({
        user_id: 'ben',
        chat_id,
        timestamp: first.timestamp,
      })
      await client.receivesNothing()
    }
    await cleo.receivesNothing()
    expect(await seenBy(chat_id, 'ben')).toBe(first.timestamp)
    // each user has its own
    expect(await seenBy(chat_id, 'ann')).toBeUndefined()
  })

  test('of the same event again changes nothing and tells nothing', async () => {
    const { ann, ben, dora, chat_id, first } = await openChat()
    await ben.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    for (const client of [ann, ben, dora]) await client.received()
    for (let turn = 0; turn < 3; turn += 1) {
      await ben.ok('mark_event_as_seen', { chat_id, event_id: first.id })
      for (const client of [ann, ben, dora]) await client.receivesNothing()
    }
    expect(await seenBy(chat_id, 'ben')).toBe(first.timestamp)
  })

  test('of an older event than was seen moves nothing back and tells nothing', async () => {
    const { ann, ben, chat_id, first } = await openChat()
    const later = first.timestamp + 5
    await setSeen(chat_id, 'ben', later)
    await ben.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    for (const client of [ann, ben]) await client.receivesNothing()
    expect(await seenBy(chat_id, 'ben')).toBe(later)
  })

  test('of a later event of the same second tells of the event and of no time, of an earlier one nothing', async () => {
    const { ann, ben, chat_id, events, timestamp } = await openSecond()
    const [one, two, three] = events
    const mark = (event_id: string) => ben.ok('mark_event_as_seen', { chat_id, event_id })
    await mark(two)
    expect(await names(ann)).toEqual(['event_marked_as_seen', 'last_seen_timestamp_updated'])
    await mark(one)
    await mark(two)
    await ann.receivesNothing()
    await mark(three)
    expect(await ann.next('event_marked_as_seen')).toEqual({ chat_id, event_id: three, user_id: 'ben' })
    for (const again of events) await mark(again)
    await ann.receivesNothing()
    expect(await seenBy(chat_id, 'ben')).toBe(timestamp)
  })

  test('of a later thread of the same second counts as later, whatever its order', async () => {
    const { ann, ben, chat_id, events, backdate } = await openSecond()
    await ben.ok('mark_event_as_seen', { chat_id, event_id: events[2] })
    await ann.ok('close_thread', { chat_id })
    const { event } = await ann.ok('send_event', { chat_id, event: message('anew') })
    await backdate(2, 1, 900)
    await ann.received()
    await ben.ok('mark_event_as_seen', { chat_id, event_id: event.id })
    expect(await names(ann)).toEqual(['event_marked_as_seen'])
    await ben.ok('mark_event_as_seen', { chat_id, event_id: events[2] })
    await ann.receivesNothing()
  })

  test('of an event of the second up to which the chat was seen by time tells of the event once', async () => {
    const { ann, ben, chat_id, events, timestamp } = await openSecond()
    await ben.ok('update_last_seen_timestamp', { chat_id, timestamp })
    expect(await names(ann)).toEqual(['last_seen_timestamp_updated'])
    for (const _ of [1, 2]) await ben.ok('mark_event_as_seen', { chat_id, event_id: events[0] })
    expect(await names(ann)).toEqual(['event_marked_as_seen'])
  })

  test('of an event of one’s own is noted and not told: who sends has seen the chat so far', async () => {
    const { ann, ben, dora, chat_id, first } = await openChat()
    await ann.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    for (const client of [ann, ben, dora]) await client.receivesNothing()
    expect(await seenBy(chat_id, 'ann')).toBe(first.timestamp)
    // ben’s joining is the server’s
    await ann.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_1_2` })
    expect((await names(ben))[0]).toBe('event_marked_as_seen')
  })

  test('moves forward to the time of the event, not to now', async () => {
    const { ann, ben, chat_id, first } = await openChat()
    await setSeen(chat_id, 'ben', longAgo)
    const key = keys.event(chat_id, 1, 1)
    const at = (longAgo + 60) * 1000 + 999
    const item = await world.table.read.get(key, { strong: true })
    await world.table.write.write({ Put: { Item: { ...item, ...key, at } } })
    await ben.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    await ann.next('event_marked_as_seen')
    expect(await ann.next('last_seen_timestamp_updated')).toMatchObject({ timestamp: longAgo + 60 })
  })

  test('of an event whose clock ran ahead moves to now, never beyond', async () => {
    const { ann, ben, chat_id, first } = await openChat()
    const key = keys.event(chat_id, 1, 1)
    const item = await world.table.read.get(key, { strong: true })
    await world.table.write.write({ Put: { Item: { ...item, ...key, at: Date.now() + 3_600_000 } } })
    const before = Math.floor(Date.now() / 1000)
    await ben.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    await ann.next('event_marked_as_seen')
    const { timestamp } = await ann.next('last_seen_timestamp_updated')
    expect(timestamp).toBeGreaterThanOrEqual(before)
    expect(timestamp).toBeLessThanOrEqual(Math.floor(Date.now() / 1000))
  })

  test('takes events of every type, of earlier threads, and behind a closing', async () => {
    const { ann, ben, chat_id } = await openChat()
    await ann.ok('close_thread', { chat_id })
    const annotation = { type: 'annotation', annotation_type: 'rating' }
    await ann.ok('send_event', { chat_id, event: annotation })
    await ann.ok('send_event', { chat_id, event: { ...message('again'), recipients: 'agents' } })
    await ann.received()
    // the message, ben's joining, the closing, the annotation, the next thread's first
    for (const place of ['1_1', '1_2', '1_3', '1_4', '2_1']) {
      const event_id = `${chat_id}_${place}`
      await ben.ok('mark_event_as_seen', { chat_id, event_id })
      expect((await ann.received())[0]).toMatchObject({
        action: 'event_marked_as_seen',
        payload: { event_id },
      })
    }
  })

  test('is for supervisors too', async () => {
    const { ann, cleo, chat_id, first } = await openChat()
    await ann.ok('supervise_chat', { chat_id, agent_ids: ['cleo'] })
    for (const client of [ann, cleo]) await client.received()
    await cleo.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    for (const client of [ann, cleo])
      expect(await client.next('event_marked_as_seen')).toMatchObject({ user_id: 'cleo' })
  })

  test('of many at once ends with the newest, which is told, and no event or time is told twice', async () => {
    const { ann, ben, license, chat_id } = await openChat()
    const again = await license.login('ben')
    await setSeen(chat_id, 'ben', longAgo)
    const ids: string[] = []
    for (let i = 0; i < 10; i += 1) {
      const { event } = await ann.ok('send_event', { chat_id, event: message(`${i}`) })
      const key = keys.event(chat_id, 1, event.order)
      const item = await world.table.read.get(key, { strong: true })
      await world.table.write.write({ Put: { Item: { ...item, ...key, at: (longAgo + i) * 1000 } } })
      ids.push(event.id)
    }
    await ann.received()
    const mixed = [...ids.slice(5), ...ids.slice(0, 5).toReversed()]
    await Promise.all(
      mixed.map((event_id, i) => (i % 2 === 0 ? ben : again).ok('mark_event_as_seen', { chat_id, event_id })),
    )
    expect(await seenBy(chat_id, 'ben')).toBe(longAgo + 9)
    const pushes = await ann.received()
    const marked = pushes.flatMap((push) =>
      push.action === 'event_marked_as_seen' ? push.payload.event_id : [],
    )
    expect(new Set(marked).size).toBe(marked.length)
    expect(marked).toContain(ids.at(-1))
    for (const id of marked) expect(ids).toContain(id)
    const times = pushes.flatMap((push) =>
      push.action === 'last_seen_timestamp_updated' ? push.payload.timestamp : [],
    )
    expect(Math.max(...times)).toBe(longAgo + 9)
    expect(new Set(times).size).toBe(times.length)
  })
})

describe('up to when a user has seen a chat', () => {
  test('is shown wherever its users are', async () => {
    const { license, ann, ben, chat_id, first } = await openChat(await openOffice())
    await ben.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    const seen = { id: 'ben', last_seen_timestamp: first.timestamp }
    // who has sent something has seen the chat up to it
    let sent = first.timestamp
    const inUsers = (users: { id: string }[]) => {
      expect(users.find(({ id }) => id === 'ben')).toMatchObject(seen)
      expect(users.find(({ id }) => id === 'ann')).toMatchObject({ last_seen_timestamp: sent })
    }
    inUsers((await ann.ok('get_chat_threads', { chat_id })).chat.users)

    const late = await world.open()
    const { chats_summary } = await late.ok('login', { token: await license.token('ann') })
    inUsers(chats_summary[0].users)

    const cleo = await license.login('cleo')
    await ann.ok('join_chat', { chat_id, agent_ids: ['cleo'] })
    inUsers((await cleo.next('incoming_chat_thread')).chat.users)

    await ann.ok('close_thread', { chat_id })
    await ann.received()
    sent = (await ann.ok('send_event', { chat_id, event: message('again') })).event.timestamp
    inUsers((await ann.next('incoming_chat_thread')).chat.users)
  })

  test('is up to what it has sent last, also in an earlier thread and before what others said', async () => {
    const { license, ann, ben, chat_id, first } = await openChat(await openOffice())
    const users = async () =>
      (await ann.ok('get_chat_threads', { chat_id, thread_ids: [first.id.slice(0, -2)] })).chat.users
    const shown = async (id: string) =>
      (await users()).find((user: any) => user.id === id).last_seen_timestamp
    expect(await shown('ben')).toBeUndefined()
    const { event } = await ben.ok('send_event', {
      chat_id,
      event: { ...message('mine'), recipients: 'agents' },
    })
    expect(await shown('ben')).toBe(event.timestamp)
    for (let i = 0; i < 30; i += 1) await ann.ok('send_event', { chat_id, event: message(`more ${i}`) })
    await ann.ok('close_thread', { chat_id })
    const last = (await ann.ok('send_event', { chat_id, event: message('anew') })).event
    expect([await shown('ben'), await shown('ann')]).toEqual([event.timestamp, last.timestamp])
    const { chats_summary } = await (await world.open()).ok('login', { token: await license.token('ann') })
    expect(chats_summary[0].users.find(({ id }: any) => id === 'ben')).toMatchObject({
      last_seen_timestamp: event.timestamp,
    })
    // no mark was written
    expect(await seenBy(chat_id, 'ben')).toBeUndefined()
  })

  test('does not move back by a mark of what was there before something was sent', async () => {
    const { ann, ben, chat_id, events, timestamp } = await openSecond()
    const { event } = await ben.ok('send_event', { chat_id, event: message('an answer') })
    for (const client of [ann, ben]) await client.received()
    await ben.ok('mark_event_as_seen', { chat_id, event_id: events[0] })
    expect(await names(ann)).toEqual(['event_marked_as_seen'])
    expect(await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: timestamp + 5 })).toEqual({
      timestamp: event.timestamp,
    })
    await ann.receivesNothing()
    const { users } = (await ann.ok('get_chat_threads', { chat_id })).chat
    expect(users.find(({ id }: any) => id === 'ben')).toMatchObject({ last_seen_timestamp: event.timestamp })
  })
})

describe('mark_event_as_seen whose write goes wrong', () => {
  test.each<[string, Fault]>([
    ['an InternalServerError', { errorType: 'InternalServerError' }],
    ['an answer that is lost after the write was done', { reset: true, afterWrite: true }],
    ['a conflict with a transaction', { errorType: 'TransactionConflictException' }],
  ])('through %s moves the time once and tells so once', async (_, fault) => {
    const { ann, ben, chat_id, first } = await openChat()
    const left = [fault]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'UpdateItem' && JSON.stringify(request).includes(chat_id) ? left.shift() : undefined,
    )
    await ben.ok('mark_event_as_seen', { chat_id, event_id: first.id })
    expect(left).toEqual([])
    expect(await names(ann)).toEqual(['event_marked_as_seen', 'last_seen_timestamp_updated'])
    expect(await seenBy(chat_id, 'ben')).toBe(first.timestamp)
  })

  test('through a lost answer of a later event of the same second tells of that event alone', async () => {
    const { ann, ben, chat_id, events } = await openSecond()
    await ben.ok('mark_event_as_seen', { chat_id, event_id: events[0] })
    await ann.received()
    const left: Fault[] = [{ reset: true, afterWrite: true }]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'UpdateItem' && JSON.stringify(request).includes(chat_id) ? left.shift() : undefined,
    )
    await ben.ok('mark_event_as_seen', { chat_id, event_id: events[1] })
    expect(left).toEqual([])
    expect(await ann.next('event_marked_as_seen')).toMatchObject({ event_id: events[1] })
    await ann.receivesNothing()
  })
})

describe('mark_event_as_seen is refused', () => {
  test('with not_found for an event that is not in this chat', async () => {
    const { ann, ben, chat_id } = await openChat()
    const { chat: other } = await ben.ok('start_chat', { initial_events: [message('elsewhere')] })
    for (const client of [ann, ben]) await client.received()
    const ids = [
      ...['_1_0', '_0_1', '_2_1', '_1_3', '_1_99999999', '_1_999999999', '_9007199254740993_1'],
      ...['_1_01', '_1_1e0', '_1_-1', '_1_1_1', '_1_', '_1', '', '_1_1 ', '_1_1\n', '_1_１', '#1_1'],
    ].map((end) => `${chat_id}${end}`)
    for (const event_id of [...ids, other.thread.events[0].id, 'nosuch', `${chat_id.toUpperCase()}_1_1`])
      expect(await ben.refused('mark_event_as_seen', { chat_id, event_id })).toEqual(notFound)
    await ann.receivesNothing()
    expect(await seenBy(chat_id, 'ben')).toBeUndefined()
  })
})
