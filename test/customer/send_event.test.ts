import { beforeAll, describe, expect, test } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { logOf } from '../races/stored.ts'
import type { CustomerClient } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { message } from '../support/events.ts'
import { denied } from '../support/wire-errors.ts'
import { names, next, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

const note = (more: object = {}) => ({ type: 'annotation', annotation_type: 'rating', ...more })
const send = (client: CustomerClient, chat_id: string, event: object) =>
  client.ok('send_event', { chat_id, event })

/** Makes an entry of the log older. */
const age = async (chat: string, n: number, m: number, byMs: number) => {
  const key = keys.event(chat, n, m)
  const item = await world.table.read.get(key, { strong: true })
  await world.table.write.write({ Put: { Item: { ...item, ...key, at: Date.now() - byMs } } })
}

describe('send_event', () => {
  test('adds a message to the active thread; everyone with access and every tab gets it', async () => {
    const { carl, tab, id, chat_id, thread_id, watching, silence } = await openReception(world)
    const before = Math.floor(Date.now() / 1000)
    const answer = await send(carl, chat_id, message('I have a question'))
    expect(answer).toEqual({
      thread_id,
      event: {
        ...{ id: `${thread_id}_4`, order: 4, type: 'message', text: 'I have a question', author_id: id },
        ...{ timestamp: expect.any(Number), recipients: 'all' },
      },
    })
    expect(answer.event.timestamp).toBeGreaterThanOrEqual(before)
    for (const client of [...watching, carl, tab])
      expect(await next(client, 'incoming_event')).toEqual({ chat_id, ...answer })
    await silence()
  })

  test('takes each type that customers may send, with custom_id and properties, as theirs and for all', async () => {
    const { carl, id, chat_id, staff } = await openReception(world)
    const field = { type: 'radio', name: 'score', label: 'Score', required: 'true', value: 'good' }
    const options = [
      { label: 'Good', value: 'good', checked: 'true' },
      { label: 'Bad', checked: false },
    ]
    const events: [object, object][] = [
      [message('<b>hi</b>', { custom_id: 'c-1' }), { text: '<b>hi</b>', custom_id: 'c-1' }],
      [note({ text: 'good' }), { annotation_type: 'rating', text: 'good' }],
      [note({ text: null, custom_id: null }), { annotation_type: 'rating' }],
      [
        {
          type: 'filled_form',
          fields: [
            { ...field, options },
            { type: 'title', name: 't', label: 'T' },
          ],
        },
        {
          fields: [
            {
              ...{ ...field, required: true },
              options: [
                { label: 'Good', value: 'good', checked: true },
                { label: 'Bad', checked: false },
              ],
            },
            { type: 'title', name: 't', label: 'T' },
          ],
        },
      ],
      [{ type: 'custom', content: { a: [1, null, { b: 'c' }] } }, { content: { a: [1, null, { b: 'c' }] } }],
      [
        message('x', { properties: { ns: { a: 1, b: { value: true }, gone: null } } }),
        { text: 'x', properties: { ns: { a: { value: 1 }, b: { value: true } } } },
      ],
    ]
    const answered = []
    // what it says of recipients and of what is the server's to say is passed over
    const forged = { recipients: 'agents', author_id: 'ann', order: 1, timestamp: 1, id: 'x' }
    for (const [event, shown] of events) {
      const { event: answer } = await send(carl, chat_id, { ...event, ...forged })
      const { id: _, order, timestamp, type, ...rest } = answer
      expect(rest).toEqual({ ...shown, author_id: id, recipients: 'all' })
      expect(type).toBe((event as any).type)
      expect(timestamp).toBeGreaterThan(1)
      expect(order).toBe(4 + answered.length)
      expect((await staff.gus.next('incoming_event')).event).toEqual(answer)
      answered.push(answer)
    }
    const { chat } = await carl.ok('get_chat_threads', { chat_id })
    expect(chat.threads[0].events.slice(-events.length)).toEqual(answered)
  })

  test("comes between agents' events in one order, with gaps where events are hidden", async () => {
    const { carl, chat_id, staff } = await openReception(world)
    const whisper = await staff.sue.ok('send_event', { chat_id, event: message('psst') })
    const aside = await staff.ann.ok('send_event', {
      chat_id,
      event: message('aside', { recipients: 'agents' }),
    })
    const { event } = await send(carl, chat_id, message('hm'))
    expect([whisper.event.order, aside.event.order, event.order]).toEqual([4, 5, 6])
    expect(await names(carl)).toEqual(['incoming_event'])
    const { chat } = await carl.ok('get_chat_threads', { chat_id })
    expect(chat.threads[0].events.map(({ order }: any) => order)).toEqual([1, 2, 6])
  })

  test('reaches agents by their access at this moment, and those who left not', async () => {
    const { carl, chat_id, staff, forget, silence } = await openReception(world)
    await staff.olga.ok('remove_from_chat', { chat_id, agent_ids: ['sue'] })
    await staff.olga.ok('update_chat_scopes', {
      ...{ chat_id, add_scopes: { groups: [2] }, remove_scopes: { groups: [1] } },
    })
    await forget()
    await send(carl, chat_id, message('who is there?'))
    for (const client of [staff.ann, staff.olga, staff.out])
      expect(await names(client)).toEqual(['incoming_event'])
    for (const client of [staff.sue, staff.gus]) await client.receivesNothing()
    await forget()
    await silence()
  })
})

describe('send_event where no thread is active', () => {
  test('starts the next one, shown to everyone with access and to every tab', async () => {
    const { carl, tab, id, chat_id, watching, staff, forget, silence } = await openReception(world)
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const answer = await send(carl, chat_id, message('one more thing'))
    expect(answer).toMatchObject({ thread_id: `${chat_id}_2`, event: { id: `${chat_id}_2_1`, order: 1 } })
    const thread = { id: `${chat_id}_2`, order: 2, active: true, events: [answer.event] }
    for (const client of watching) {
      const { chat } = await client.next('incoming_chat_thread')
      expect(chat).toMatchObject({ id: chat_id, scopes: { groups: [1] }, thread })
      expect(chat.thread.user_ids.toSorted()).toEqual([id, 'ann', 'sue'].toSorted())
    }
    for (const client of [carl, tab]) {
      const { chat } = await client.next('incoming_chat_thread')
      expect(chat).toMatchObject({ id: chat_id, scopes: { groups: [1] }, thread })
      expect(chat.thread.user_ids.toSorted()).toEqual([id, 'ann'].toSorted())
      expect(chat.users.map((user) => user.id)).toEqual([id, 'ann'])
    }
    // its agent is there: nobody has to be found
    await silence()
  })

  test('of an annotation adds to the last thread, which stays closed', async () => {
    const { carl, tab, chat_id, thread_id, watching, staff, forget, silence } = await openReception(world)
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const answer = await send(carl, chat_id, note({ text: 'good' }))
    expect(answer).toMatchObject({ thread_id, event: { order: 5 } })
    for (const client of [...watching, carl, tab])
      expect(await next(client, 'incoming_event')).toEqual({ chat_id, ...answer })
    await silence()
    expect(await readChat(world.table.read, chat_id)).toMatchObject({ active: false, thread: 1 })
  })

  test('of both tabs at once starts one thread for both', async () => {
    const { carl, tab, chat_id, forget, staff } = await openReception(world)
    await carl.ok('close_thread', { chat_id })
    await forget()
    const answers = await Promise.all(
      [carl, tab].map((client, i) => send(client, chat_id, message(`from tab ${i}`))),
    )
    expect(answers.map(({ thread_id }) => thread_id)).toEqual([`${chat_id}_2`, `${chat_id}_2`])
    expect(answers.map(({ event }) => event.order).toSorted()).toEqual([1, 2])
    expect(await names(staff.gus)).toEqual(['incoming_chat_thread', 'incoming_event'])
  })
})

describe('the same custom_id again', () => {
  test('by the customer, from whichever tab, is one event, pushed once in 2 s', async () => {
    const { carl, tab, chat_id, thread_id, watching, forget, silence } = await openReception(world)
    const first = await send(carl, chat_id, message('once', { custom_id: 'c' }))
    await forget()
    const before = await logOf(world, chat_id)
    for (const client of [carl, tab])
      expect(await send(client, chat_id, message('other words', { custom_id: 'c' }))).toEqual(first)
    await silence()
    expect(await logOf(world, chat_id)).toEqual(before)

    // where the first is older than 2 s it is pushed again
    await age(chat_id, 1, 4, 3000)
    const again = await send(carl, chat_id, message('once', { custom_id: 'c' }))
    expect(again).toMatchObject({ thread_id, event: { order: 4 } })
    for (const client of [...watching, carl, tab])
      expect(await next(client, 'incoming_event')).toEqual({ chat_id, ...again })
    await silence()
  })

  test('of an event that started a thread starts no other, and is its answer also once that is closed', async () => {
    const { carl, chat_id, staff } = await openReception(world)
    // an agent's of the same custom_id is another event
    const mine = message('mine', { custom_id: 'mine' })
    const { event: theirs } = await staff.ann.ok('send_event', { chat_id, event: mine })
    const { event: own } = await send(carl, chat_id, mine)
    expect([theirs.order, own.order]).toEqual([4, 5])
    await carl.ok('close_thread', { chat_id })
    const first = await send(carl, chat_id, message('again', { custom_id: 'c' }))
    expect(await send(carl, chat_id, message('again', { custom_id: 'c' }))).toEqual(first)
    await staff.ann.ok('close_thread', { chat_id })
    expect(await send(carl, chat_id, message('again', { custom_id: 'c' }))).toEqual(first)
    expect(await readChat(world.table.read, chat_id)).toMatchObject({ thread: 2, active: false })
  })
})

test('send_event is refused to a removed customer, whatever it sends, on a closed thread too', async () => {
  const { carl, id, chat_id, staff, forget, silence } = await openReception(world)
  await send(carl, chat_id, message('once', { custom_id: 'c' }))
  await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
  await staff.ann.ok('close_thread', { chat_id })
  await forget()
  const before = await logOf(world, chat_id)
  for (const event of [message('hi'), note(), message('once', { custom_id: 'c' })])
    expect(await carl.refused('send_event', { chat_id, event })).toEqual(
      denied('You cannot send the message in this chat.'),
    )
  await silence()
  expect(await logOf(world, chat_id)).toEqual(before)
})

describe("an agent's event", () => {
  test('reaches every tab, unless it is for agents', async () => {
    const { carl, tab, chat_id, thread_id, staff } = await openReception(world)
    const answer = await staff.ann.ok('send_event', { chat_id, event: message('how can I help?') })
    for (const client of [carl, tab])
      expect(await client.next('incoming_event')).toEqual({ chat_id, thread_id, event: answer.event })
    await staff.ann.ok('send_event', { chat_id, event: message('a note', { recipients: 'agents' }) })
    await staff.sue.ok('send_event', { chat_id, event: message('psst') })
    for (const client of [carl, tab]) await client.receivesNothing()
    expect(await names(staff.gus)).toEqual(['incoming_event', 'incoming_event', 'incoming_event'])
    // a supervisor does not get round that
    expect(
      await staff.sue.refused('send_event', { chat_id, event: message('hi', { recipients: 'all' }) }),
    ).toEqual(denied('You cannot send event in this chat.'))
    for (const client of [carl, tab]) await client.receivesNothing()
  })

  test('that starts a thread shows it to the tabs without what is hidden', async () => {
    const { carl, tab, id, chat_id, staff, forget } = await openReception(world)
    await carl.ok('close_thread', { chat_id })
    await forget()
    await staff.ann.ok('send_event', { chat_id, event: message('between us', { recipients: 'agents' }) })
    for (const client of [carl, tab]) {
      const { chat } = await client.next('incoming_chat_thread')
      expect(chat.thread).toMatchObject({ id: `${chat_id}_2`, order: 2, events: [] })
      expect(chat.users.map((user) => user.id).toSorted()).toEqual([id, 'ann'].toSorted())
      expect(JSON.stringify(chat)).not.toMatch(/sue|example.com\/sue|ann@example.com|between us/)
      await client.receivesNothing()
    }
  })
})

describe('who comes and goes', () => {
  test('is told to the tabs but for supervisors', async () => {
    const { carl, tab, chat_id, staff, silence, forget } = await openReception(world)
    await staff.olga.ok('supervise_chat', { chat_id, agent_ids: ['olga', 'gus'] })
    await staff.olga.ok('remove_from_chat', { chat_id, agent_ids: ['gus', 'sue'] })
    for (const client of [carl, tab]) await client.receivesNothing()

    await staff.olga.ok('join_chat', { chat_id, agent_ids: ['olga', 'out'] })
    for (const client of [carl, tab]) {
      const texts = [await client.next('incoming_event'), await client.next('incoming_event')].map(
        ({ event }) => (event.type === 'system_message' ? event.text : ''),
      )
      expect(texts).toEqual(['Olga joined the chat', 'Out joined the chat'])
      expect(await client.next('chat_users_updated')).toEqual({
        chat_id,
        updated_users: {
          added: [
            { id: 'olga', type: 'agent', name: 'Olga', present: true },
            { id: 'out', type: 'agent', name: 'Out', present: true },
          ],
          removed_ids: [],
        },
      })
    }
    await staff.olga.ok('remove_from_chat', { chat_id, agent_ids: ['out'] })
    for (const client of [carl, tab]) {
      await client.next('incoming_event')
      expect((await client.next('chat_users_updated')).updated_users).toEqual({
        ...{ added: [], removed_ids: ['out'] },
      })
    }
    await forget()
    await silence()
  })

  test('of the customer itself: its tabs are told that it was removed, and nothing after that', async () => {
    const { carl, tab, id, chat_id, staff } = await openReception(world)
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    for (const client of [carl, tab]) {
      const heard = await client.received()
      expect(heard.at(-1)).toEqual({
        action: 'chat_users_updated',
        payload: { chat_id, updated_users: { added: [], removed_ids: [id] } },
      })
    }
    await staff.ann.ok('send_event', { chat_id, event: message('gone') })
    for (const client of [carl, tab]) await client.receivesNothing()
  })
})
