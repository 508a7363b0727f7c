import { beforeAll, describe, expect, test } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { readCustomer } from '../../shared/table/customers.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { denied, message, names, notFound, openReception, next } from '../customer/reception.ts'
import { logOf } from '../races/stored.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

const withCustomer = (id: string, more: object = {}) => ({
  chat: { users: [{ id, type: 'customer' }], ...more },
})
const sentence = 'You do not have permission to perform this action.'
const banned = { type: 'customer_banned', code: 403, message: 'Customer is banned' }

/**
 * Carl, who has told a name and has no chat yet, on two tabs; ann and ben may take chats, out is in group 2.
 */
const openOffice = async () => {
  const license = await world.license(
    { ann: { name: 'Ann' }, ben: { name: 'Ben', permission: 'owner' }, out: { groups: [2] } },
    { groups: ['Sales', 'Support'] },
  )
  const [ann, ben, out] = [await license.login('ann'), await license.login('ben'), await license.login('out')]
  const { client: carl, id, token } = await license.visit({ customer: { name: 'Carl' } })
  const { client: tab } = await license.visit({ token })
  await world.settled()
  for (const client of [ann, ben, out, carl, tab]) await client.received()
  return { license, ann, ben, out, carl, tab, id, chat_id: customerChatId(license.id, id) }
}

describe('start_chat with a customer', () => {
  test("starts the customer's chat with the requester in it, shown to agents with access and to its tabs", async () => {
    const { license, ann, ben, out, carl, tab, id, chat_id } = await openOffice()
    const { chat } = await ann.ok('start_chat', {
      ...withCustomer(id, {
        scopes: { groups: [1] },
        properties: { source: { campaign: 'spring' } },
        thread: { properties: { t: { x: 1 } } },
      }),
      initial_events: [message('can I help?'), message('looks lost', { recipients: 'agents' })],
    })
    expect(chat).toMatchObject({
      ...{ id: chat_id, scopes: { groups: [1] }, properties: { source: { campaign: { value: 'spring' } } } },
      users: [
        { id, type: 'customer', name: 'Carl', present: true, banned: false, online: true },
        { id: 'ann', type: 'agent', present: true },
      ],
      thread: {
        ...{ id: `${chat_id}_1`, order: 1, active: true, user_ids: [id, 'ann'] },
        properties: { t: { x: { value: 1 } } },
        // an agent is there: nobody has to be found, and who starts is not said to join
        events: [
          { order: 1, text: 'can I help?', author_id: 'ann', recipients: 'all' },
          { order: 2, text: 'looks lost', recipients: 'agents' },
        ],
      },
    })
    expect(chat.thread.events).toHaveLength(2)
    for (const client of [ann, ben]) {
      expect((await client.next('incoming_chat_thread')).chat.thread).toEqual(chat.thread)
      await client.receivesNothing()
    }
    await out.receivesNothing()
    for (const client of [carl, tab]) {
      const { chat: shown } = await client.next('incoming_chat_thread')
      expect(shown).toMatchObject({
        ...{ id: chat_id, scopes: { groups: [1] } },
        thread: { id: `${chat_id}_1`, events: [{ order: 1, text: 'can I help?' }] },
      })
      expect(shown.thread.events).toHaveLength(1)
      expect(shown.users).toEqual([
        { id, type: 'customer', name: 'Carl', present: true },
        { id: 'ann', type: 'agent', name: 'Ann', present: true, last_seen_timestamp: expect.any(Number) },
      ])
      await client.receivesNothing()
    }
    expect(await readCustomer(world.table.read, license.id, id)).toMatchObject({ threads: 1 })
    // and the customer may answer
    await carl.ok('send_event', { chat_id, event: message('yes please') })
    expect(await names(ann)).toEqual(['incoming_event'])
  })

  test('starts a chat of its own without one, and with an empty list', async () => {
    const { ann, carl, chat_id } = await openOffice()
    for (const payload of [{}, { chat: { users: [] } }, { chat: { users: null } }])
      expect((await ann.ok('start_chat', payload)).chat.id).not.toBe(chat_id)
    await carl.receivesNothing()
  })

  test('reopens its chat where no thread is active, and joins whoever asks', async () => {
    const { carl, tab, id, chat_id, staff, forget } = await openReception(world)
    await carl.ok('close_thread', { chat_id })
    await forget()
    const { chat } = await staff.gus.ok('start_chat', {
      ...withCustomer(id),
      initial_events: [message('one more thing')],
    })
    expect(chat).toMatchObject({
      ...{ id: chat_id, scopes: { groups: [1] } },
      thread: { id: `${chat_id}_2`, order: 2, active: true, events: [{ order: 1, text: 'one more thing' }] },
    })
    expect(chat.thread.events).toHaveLength(1)
    expect(chat.users.map((user: any) => [user.id, user.type, user.present])).toEqual(
      expect.arrayContaining([
        [id, 'customer', true],
        ['ann', 'agent', true],
        ['sue', 'supervisor', true],
        ['gus', 'agent', true],
      ]),
    )
    for (const client of [carl, tab]) {
      expect((await client.next('incoming_chat_thread')).chat).toMatchObject({ thread: { order: 2 } })
      const gus = {
        id: 'gus',
        type: 'agent',
        name: 'Gus',
        present: true,
        last_seen_timestamp: expect.any(Number),
      }
      expect((await client.next('chat_users_updated')).updated_users).toEqual({
        added: [gus],
        removed_ids: [],
      })
    }
    expect(await names(staff.ann)).toEqual(['incoming_chat_thread', 'chat_users_updated'])
    await staff.out.receivesNothing()
  })

  test('where a thread is active joins the requester, appends its events and ignores scopes', async () => {
    const { carl, id, chat_id, thread_id, staff, silence } = await openReception(world)
    const { chat } = await staff.gus.ok('start_chat', {
      ...withCustomer(id, { scopes: { groups: [2] }, properties: { a: { x: 1 } } }),
      initial_events: [message('me too')],
    })
    expect(chat).toMatchObject({
      id: chat_id,
      scopes: { groups: [1] },
      thread: { id: thread_id, active: true },
    })
    expect(chat.thread.events.slice(-2)).toMatchObject([
      { order: 4, system_message_type: 'agent_joined', text: 'Gus joined the chat', recipients: 'all' },
      { order: 5, text: 'me too', author_id: 'gus' },
    ])
    for (const client of [staff.ann, staff.gus, staff.olga, staff.sue, carl]) {
      expect((await next(client, 'incoming_event')).event).toMatchObject({ text: 'Gus joined the chat' })
      expect((await next(client, 'incoming_event')).event).toMatchObject({ text: 'me too' })
      expect(await next(client, 'chat_properties_updated')).toMatchObject({
        properties: { a: { x: { value: 1 } } },
      })
      await next(client, 'chat_users_updated')
    }
    await expect(silence()).rejects.toThrow('incoming_event') // of the second tab
    await silence()
    expect((await readChat(world.table.read, chat_id))?.scopes).toEqual({ groups: [1], agents: [] })
  })

  test('by who is in it already adds what is new, each event once by its custom_id', async () => {
    const { id, chat_id, staff, silence, forget } = await openReception(world)
    const asked = { ...withCustomer(id), initial_events: [message('hi', { custom_id: 'c' })] }
    await staff.ann.ok('start_chat', asked)
    await forget()
    const before = await logOf(world, chat_id)
    await staff.ann.ok('start_chat', asked)
    await silence()
    expect(await logOf(world, chat_id)).toEqual(before)
  })

  test('makes a supervisor of the chat its agent, whom the customer then meets', async () => {
    const { carl, id, chat_id, staff } = await openReception(world)
    await staff.sue.ok('start_chat', withCustomer(id))
    expect((await carl.next('incoming_event')).event).toMatchObject({ text: 'Sue joined the chat' })
    expect((await carl.next('chat_users_updated')).updated_users).toEqual({
      ...{ added: [{ id: 'sue', type: 'agent', name: 'Sue', present: true }], removed_ids: [] },
    })
    expect((await staff.ann.eventually('chat_users_updated')).updated_users).toMatchObject({
      ...{ agents: { added: [{ id: 'sue' }] }, supervisors: { removed_ids: ['sue'] } },
    })
    const { chat } = await carl.ok('get_chat_threads', { chat_id })
    expect(chat.users.map((user: any) => user.id)).toContain('sue')
  })

  test('ends the waiting of a chat that nobody was free for', async () => {
    const default_status = 'not_accepting_chats'
    const license = await world.license({ ann: { name: 'Ann', default_status } })
    const ann = await license.login('ann')
    const { client: carl, id } = await license.visit()
    const { chat } = await carl.ok('start_chat')
    expect(chat.properties).toEqual({ routing: { unassigned: { value: true } } })
    await world.settled()
    for (const client of [ann, carl]) await client.received()
    await ann.ok('start_chat', withCustomer(id))
    expect(await carl.eventually('chat_properties_updated')).toMatchObject({
      properties: { routing: { unassigned: { value: false } } },
    })
    expect(await readChat(world.table.read, chat.id)).not.toHaveProperty('waiting_since')
    expect((await ann.ok('get_chat_threads', { chat_id: chat.id })).chat.threads[0].properties).toEqual({
      routing: { unassigned: { value: false } },
    })
  })

  test('brings back a customer who was removed', async () => {
    const { carl, id, chat_id, staff, forget } = await openReception(world)
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    await forget()
    await staff.ann.ok('start_chat', withCustomer(id))
    expect(await names(carl)).toEqual(['incoming_chat_thread', 'chat_users_updated'])
    await carl.ok('send_event', { chat_id, event: message('thanks') })
  })

  test('by an owner works without any scope naming it', async () => {
    const { id, chat_id, staff, forget } = await openReception(world)
    await forget()
    const { chat } = await staff.olga.ok('start_chat', withCustomer(id))
    expect(chat.id).toBe(chat_id)
  })
})

describe('start_chat with a customer is refused', () => {
  test('with not_found for one that is unknown, has told nothing yet, or is of another license', async () => {
    const { license, ann, ben } = await openOffice()
    const abroad = await world.license({})
    const { id: foreign } = await abroad.visit({ customer: { name: 'Carl' } })
    const { id: silent } = await license.visit()
    await world.settled()
    for (const client of [ann, ben]) await client.received()
    for (const id of ['nosuch', 'ann', foreign, silent, '#', `${abroad.id}#${foreign}`])
      expect([id, await ann.refused('start_chat', withCustomer(id))]).toEqual([id, notFound])
    for (const client of [ann, ben]) await client.receivesNothing()
    expect(await readActiveChats(world.table.read, license.id)).toEqual([])
  })

  test('to an agent without access to its chat, with a thread active or not, and nothing is told of it', async () => {
    const { carl, id, chat_id, staff, forget, silence } = await openReception(world)
    const asked = { ...withCustomer(id, { scopes: { groups: [2] } }), initial_events: [message('hi')] }
    for (const closed of [false, true]) {
      if (closed) await carl.ok('close_thread', { chat_id })
      await forget()
      const before = await logOf(world, chat_id)
      expect(await staff.out.refused('start_chat', asked)).toEqual(denied(sentence))
      await silence()
      expect(await logOf(world, chat_id)).toEqual(before)
    }
  })

  test('with not_found for scopes that name nobody', async () => {
    const { ann, carl, id, chat_id } = await openOffice()
    for (const scopes of [{ groups: [3] }, { agents: ['nosuch'] }])
      expect(await ann.refused('start_chat', withCustomer(id, { scopes }))).toEqual(notFound)
    for (const client of [ann, carl]) await client.receivesNothing()
    expect(await readChat(world.table.read, chat_id)).toBeUndefined()
  })

  test('with customer_banned until the ban is lifted, and so is an event that would start its thread', async () => {
    const { carl, id, chat_id, staff, forget, silence } = await openReception(world)
    await carl.ok('send_event', { chat_id, event: message('!') })
    await staff.ann.ok('ban_customer', { customer_id: id, ban: { days: 1 } })
    await forget()
    const before = await logOf(world, chat_id)
    expect(await staff.ann.refused('start_chat', withCustomer(id))).toEqual(banned)
    expect(await staff.ann.refused('send_event', { chat_id, event: message('hi') })).toEqual(banned)
    await silence()
    expect(await logOf(world, chat_id)).toEqual(before)
    // what starts no thread is as ever
    const note = { type: 'annotation', annotation_type: 'note', text: 'spam' }
    await staff.ann.ok('send_event', { chat_id, event: note })
    await staff.ann.ok('unban_customer', { customer_id: id })
    expect((await staff.ann.ok('start_chat', withCustomer(id))).chat.thread).toMatchObject({ order: 2 })
  })

  test('with customer_banned for one that never had a chat', async () => {
    const { ann, id, chat_id } = await openOffice()
    await ann.ok('ban_customer', { customer_id: id, ban: { days: 1 } })
    expect(await ann.refused('start_chat', withCustomer(id))).toEqual(banned)
    expect(await readChat(world.table.read, chat_id)).toBeUndefined()
  })

  test("with the action's own sentence to a token that may not start chats", async () => {
    const { license, id } = await openOffice()
    const scope = 'chats--all:read chats.meta--my:write'
    const limited = await license.login('ann', {}, { scope })
    expect(await limited.refused('start_chat', withCustomer(id))).toEqual(denied(sentence))
  })
})
