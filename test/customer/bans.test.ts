import { beforeAll, describe, expect, test } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import { readCustomer } from '../../shared/table/customers.ts'
import { keys } from '../../shared/table/keys.ts'
import { readCustomerSockets } from '../../shared/table/socket-lists.ts'
import { logOf } from '../races/stored.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { message } from '../support/events.ts'
import { customerBanned, denied, notLoggedIn } from '../support/wire-errors.ts'
import { names, next, openReception, type Reception } from './reception.ts'

let world: World
beforeAll(async () => {
  // what is due a second after a ban is done when a test says so
  world = await sharedWorld({ delayScale: 1000 })
})

const ban = (client: Client, customer_id: string, days = 5) =>
  client.ok('ban_customer', { customer_id, ban: { days } })

/** These tabs are told why, as the last that they hear, and closed. */
const areClosed = async (...clients: CustomerClient[]) => {
  await world.queue.flush()
  for (const client of clients) {
    expect(await client.next('customer_disconnected')).toEqual({ reason: 'customer_banned' })
    await client.closing()
    expect(client.pushes).toEqual([])
  }
}
const comesBack = async ({ license, token }: Pick<Reception, 'license' | 'token'>) => {
  const client = await license.arrive()
  const answer = await client.call('login', { token })
  await client.close()
  return answer
}

describe('a ban', () => {
  test(
    'is felt on each of ten tabs: the end of the thread, then why each is closed',
    { tags: ['full'] },
    async () => {
      const reception = await openReception(world)
      const { license, carl, tab, id, token, chat_id, thread_id, watching, staff } = reception
      const tabs = [carl, tab]
      while (tabs.length < 10) tabs.push((await license.visit({ token })).client)
      await ban(staff.ann, id, 3)
      const event = {
        ...{ id: `${thread_id}_4`, order: 4, type: 'system_message', system_message_type: 'customer_banned' },
        text: 'Chat archived because customer was banned by Ann for 3 days',
        ...{ recipients: 'all', timestamp: expect.any(Number) },
      }
      for (const client of [...tabs, ...watching]) {
        expect(await next(client, 'incoming_event')).toEqual({ chat_id, thread_id, event })
        expect(await next(client, 'thread_closed')).toEqual({ chat_id, thread_id, user_id: 'ann' })
      }
      for (const client of [...watching, staff.out]) {
        expect(await client.next('customer_banned')).toEqual({ customer_id: id, ban: { days: 3 } })
        await client.receivesNothing()
      }
      // the answer to who banned comes before the tabs are closed
      for (const client of tabs) await client.receivesNothing()
      await areClosed(...tabs)
      await world.settled()
      expect(await readCustomerSockets(world.table.read, license.id, id)).toEqual([])
      expect(await readChat(world.table.read, chat_id)).toMatchObject({ active: false })
    },
  )

  test.each(['sue', 'out'] as const)(
    'by %s, whom the customer never met, is told without saying who',
    async (name) => {
      const { carl, tab, id, chat_id, thread_id, staff } = await openReception(world)
      await ban(staff[name], id)
      expect((await staff.ann.next('incoming_event')).event).toMatchObject({ recipients: 'agents' })
      for (const client of [carl, tab]) {
        expect(await client.next('thread_closed')).toEqual({ chat_id, thread_id })
        await client.receivesNothing()
      }
      await areClosed(carl)
      expect(carl.frames.filter((frame) => frame.includes(`"${name}"`))).toEqual([])
    },
  )

  test('is felt by one without a chat, and one without an active thread, too', async () => {
    const { license, carl, tab, id, chat_id, staff, forget } = await openReception(world)
    const { client: early, id: earlyId } = await license.visit({ customer: { name: 'Early' } })
    await carl.ok('close_thread', { chat_id })
    await forget()
    const before = await logOf(world, chat_id)
    for (const customer of [id, earlyId]) {
      await ban(staff.ann, customer)
      expect(await names(staff.gus)).toEqual(['customer_banned'])
    }
    await areClosed(carl, tab, early)
    expect(await logOf(world, chat_id)).toEqual(before)
  })

  test(
    'is felt by one who was removed from its chat, though it hears nothing of the chat',
    { tags: ['full'] },
    async () => {
      const { carl, tab, id, chat_id, staff, forget } = await openReception(world)
      await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
      await forget()
      await ban(staff.ann, id)
      for (const client of [carl, tab]) await client.receivesNothing()
      await areClosed(carl, tab)
      expect(await readChat(world.table.read, chat_id)).toMatchObject({ active: false })
    },
  )

  test('is felt by no other customer', { tags: ['full'] }, async () => {
    const { license, id, staff } = await openReception(world)
    const { client: other } = await license.visit({ customer: { name: 'Other' } })
    const { chat } = await other.ok('start_chat')
    await world.settled()
    await other.received()
    await ban(staff.ann, id)
    await world.queue.flush()
    await other.ok('send_event', { chat_id: chat.id, event: message('still here') })
    expect((await other.received()).map(({ action }) => action)).not.toContain('customer_disconnected')
    expect(other.closed).toBeUndefined()
  })
})

describe('behind the answer to a ban', () => {
  const onChat = (chat_id: string): [string, object, string][] => [
    ['send_event', { event: message('hi') }, 'You cannot send the message in this chat.'],
    [
      'send_event',
      { event: { type: 'annotation', annotation_type: 'rating' } },
      'You cannot send the message in this chat.',
    ],
    ['send_sneak_peek', { sneak_peek_text: 'hm' }, 'You cannot send the sneak peek in this chat.'],
    ['send_typing_indicator', { is_typing: true }, 'You cannot send the typing indicator in this chat.'],
    ['close_thread', {}, 'You are not allowed to close this chat.'],
    ['update_chat_scopes', { add_scopes: { groups: [2] } }, 'You are not allowed to close this chat.'],
    [
      'update_chat_properties',
      { properties: { a: { x: 1 } } },
      'You are not allowed to set chat properties.',
    ],
    [
      'update_chat_thread_properties',
      { thread_id: `${chat_id}_1`, properties: { a: { x: 1 } } },
      'You are not allowed to set chat thread properties.',
    ],
    ['mark_event_as_seen', { event_id: `${chat_id}_1_1` }, 'You cannot mark this message as seen.'],
    ['update_last_seen_timestamp', {}, 'You cannot set last seen timestamp'],
    ['update_customer', { customer: { name: 'X' } }, 'You are not allowed to update this customer.'],
    ['get_chats_summary', {}, 'Authorization error'],
    ['list_group_statuses', {}, 'Authorization error'],
    ['get_chat_threads', {}, 'Authorization error'],
    ['get_chat_threads_summary', {}, 'Authorization error'],
  ]

  let reception: Reception
  beforeAll(async () => {
    reception = await openReception(world)
    await ban(reception.staff.ann, reception.id)
    await reception.forget()
  })

  test('every action of a tab that is still open is refused, and tells and changes nothing', async () => {
    const { license, carl, tab, id, token, chat_id, silence } = reception
    const [log, chat] = [await logOf(world, chat_id), await readChat(world.table.read, chat_id)]
    const customer = await readCustomer(world.table.read, license.id, id)
    for (const [i, [action, payload, sentence]] of onChat(chat_id).entries())
      expect([action, await (i % 2 === 0 ? carl : tab).refused(action, { chat_id, ...payload })]).toEqual([
        action,
        denied(sentence),
      ])
    for (const client of [carl, tab]) {
      expect(await client.refused('start_chat', { chat: { events: [message('hi')] } })).toEqual(
        customerBanned,
      )
      expect(await client.refused('login', { token })).toEqual(customerBanned)
      expect(await client.refused('login')).toEqual(customerBanned)
      expect(await client.call('ping')).toMatchObject({ success: true })
    }
    await silence()
    expect(await logOf(world, chat_id)).toEqual(log)
    expect(await readChat(world.table.read, chat_id)).toEqual(chat)
    expect(await readCustomer(world.table.read, license.id, id)).toEqual(customer)
  })

  test('agents start nothing with the customer, but may add to what is closed, untold to its tabs', async () => {
    const { carl, tab, id, chat_id, staff, silence } = reception
    const users = [{ id, type: 'customer' }]
    for (const client of [staff.ann, staff.gus, staff.olga])
      expect(await client.refused('start_chat', { chat: { users } })).toEqual(customerBanned)
    expect(await staff.ann.refused('send_event', { chat_id, event: message('hi') })).toEqual(customerBanned)
    await silence()
    const note = { type: 'annotation', annotation_type: 'note', text: 'spam' }
    await staff.ann.ok('send_event', { chat_id, event: note })
    await staff.ann.ok('update_chat_properties', { chat_id, properties: { a: { x: 1 } } })
    expect(await names(staff.gus)).toEqual(['incoming_event', 'chat_properties_updated'])
    expect(await readChat(world.table.read, chat_id)).toMatchObject({ active: false, thread: 1 })
    for (const client of [carl, tab]) await client.receivesNothing()
  })

  test('a login answers it after a bad token and a bad request; one without its token makes a new customer', async () => {
    const { license, id, token } = reception
    const client = await license.arrive()
    expect(await client.refused('login', { token: `${token}x` })).toMatchObject({ type: 'auth', code: 401 })
    expect(await client.refused('login', { token, last_threads_limit: 0 })).toMatchObject({
      type: 'validation',
    })
    for (const payload of [{ token }, { token, customer: { name: 'Not Carl' } }])
      expect(await client.refused('login', payload)).toEqual(customerBanned)
    // it is not logged in by that
    expect(await client.refused('start_chat')).toEqual(notLoggedIn)
    expect(await readCustomer(world.table.read, license.id, id)).toMatchObject({ name: 'Carl' })
    const answer = await client.ok('login')
    expect(answer.customer_id).not.toBe(id)
    expect(answer.total_chats).toBe(0)
    await client.ok('start_chat')
  })
})

describe('login of a banned customer', () => {
  test('answers customer_banned until the ban is lifted; then it is the same person with the same chat', async () => {
    const reception = await openReception(world)
    const { license, carl, id, token, chat_id, staff, forget } = reception
    const shown = async () =>
      (await staff.ann.ok('get_chat_threads', { chat_id })).chat.users.find((user: any) => user.id === id)
    expect(await shown()).toMatchObject({ banned: false, present: true })
    await ban(staff.ann, id)
    await forget()
    await areClosed(carl)
    expect(await shown()).toMatchObject({ banned: true, present: true })
    expect(await comesBack(reception)).toMatchObject({ payload: { error: customerBanned } })
    await staff.ann.ok('unban_customer', { customer_id: id })
    expect(await shown()).toMatchObject({ banned: false, present: true })
    const { answer, client } = await license.visit({ token })
    expect(answer).toMatchObject({ customer_id: id, total_chats: 1, last_chats_summary: [{ id: chat_id }] })
    const { thread_id } = await client.ok('send_event', { chat_id, event: message('sorry') })
    expect(thread_id).toBe(`${chat_id}_2`)
  })

  test('is answered once its time is over, by that alone', async () => {
    const reception = await openReception(world)
    const { license, id, staff } = reception
    await ban(staff.ann, id)
    expect(await comesBack(reception)).toMatchObject({ success: false, payload: { error: customerBanned } })
    const item = await readCustomer(world.table.read, license.id, id)
    const until = Math.floor(Date.now() / 1000)
    await world.table.write.write({
      Update: {
        Key: keys.customer(license.id, id),
        UpdateExpression: 'SET ban = :ban',
        ExpressionAttributeValues: { ':ban': { ...item!.ban, until } },
      },
    })
    expect(await comesBack(reception)).toMatchObject({ success: true, payload: { customer_id: id } })
  })

  test('by a ban for more days stays banned, by one that replaces it too', async () => {
    const reception = await openReception(world)
    const { license, id, staff } = reception
    await ban(staff.ann, id, 1)
    await ban(staff.olga, id, 3650)
    expect((await readCustomer(world.table.read, license.id, id))?.ban).toMatchObject({
      ...{ days: 3650, by: 'olga' },
    })
    expect(await comesBack(reception)).toMatchObject({ payload: { error: customerBanned } })
  })
})
