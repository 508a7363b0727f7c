import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { changeLicense } from '../../infra/admin/change-license.ts'
import { customerChatId } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { addCustomer, startCustomerChat } from '../support/customers.ts'
import { type AgentDraft, startWorld, type World } from '../support/world.ts'
import { people, type Person, reaches } from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ index: true })
})
afterEach(() => {
  vi.useRealTimers()
  world.proxy.setFault(undefined)
})

const action = 'get_archives'
const frameBytes = 120 * 1024
const oneType = 'Name one filter type for a property: exists, values or exclude_values'
const message = (text: string) => ({ type: 'message', text })
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

const start = async (client: Client, chat: object = {}, initial_events: object[] = []): Promise<string> =>
  (await client.ok('start_chat', { chat, initial_events })).chat.id
/** Starts a chat of messages of these texts. */
const saying = (client: Client, ...texts: string[]) => start(client, {}, texts.map(message))
/** Starts chats one after the other, each later by a millisecond at least. */
const startInOrder = async (client: Client, chats: object[]): Promise<string[]> => {
  const ids: string[] = []
  for (const chat of chats) ids.push(await start(client, chat))
  return ids
}
const say = (client: Client, chat_id: string, text: string, more: object = {}) =>
  client.ok('send_event', { chat_id, event: { ...message(text), ...more } })
/** Closes the active thread and starts the next one with a message. */
const goOn = async (client: Client, chat_id: string, text: string): Promise<string> => {
  await client.ok('close_thread', { chat_id })
  return (await say(client, chat_id, text)).thread_id
}
/** The first threads of chats. */
const firstOf = (...ids: (string | undefined)[]) => ids.map((id) => `${id}_1`)

const threadsOf = ({ chats }: { chats: { chat: any }[] }): any[] => chats.map(({ chat }) => chat.thread)
const idsOf = (answer: { chats: { chat: any }[] }): string[] => threadsOf(answer).map(({ id }) => id)
const search = (client: Client, filters?: object | null, pagination?: object | null) =>
  client.ok(action, { filters, pagination })
/** The ids of the threads that are found. Where all of them are on the page, it is they that are counted. */
const found = async (client: Client, filters?: object | null, pagination?: object): Promise<string[]> => {
  const answer = await search(client, filters, pagination)
  if (pagination === undefined) expect(answer.pagination).toEqual({ page: 1, total: answer.chats.length })
  return idsOf(answer)
}
const byWords = (client: Client, query: string) => found(client, { query })
const byProperties = (client: Client, properties: object) => found(client, { properties })

const alone = async (draft: AgentDraft = {}) => {
  const license = await world.license({ ann: draft })
  return { license, ann: await license.login('ann') }
}
const invalid = (path: string, sentence: unknown) => ({
  type: 'validation',
  code: 400,
  message: 'Wrong format of request',
  details: [{ path: `payload.${path}`, message: sentence }],
})

/** Keeps the index as it is until the function that this resolves to is called, which lets it catch up. */
const holdIndex = async (): Promise<() => Promise<void>> => {
  await world.settled()
  const released = Promise.withResolvers<undefined>()
  // also where the test fails before
  onTestFinished(() => released.resolve(undefined))
  const writes = new Set(['PutItem', 'BatchWriteItem', 'TransactWriteItems'])
  world.proxy.setFault(({ operation, request }) =>
    writes.has(operation) && JSON.stringify(request).includes('"INDEX#') ? released.promise : undefined,
  )
  return async () => {
    released.resolve(undefined)
    world.proxy.setFault(undefined)
    await world.settled()
  }
}

describe('get_archives', () => {
  test('answers chats, each with the one thread that was found, and how many there are', async () => {
    const license = await world.license(
      { ann: { name: 'Ann', email: 'ann@example.com' }, ben: { name: 'Ben', avatar: 'https://x.example/b' } },
      { groups: ['A'] },
    )
    const ann = await license.login('ann')
    await addCustomer(world, license.id, 'carl', { name: 'Carl', properties: { plan: 'gold' } })
    const id = await start(
      ann,
      {
        users: [{ id: 'carl', type: 'customer' }],
        properties: { source: { type: 'web' } },
        scopes: { groups: [1], agents: ['ann'] },
        thread: { properties: { rating: { score: 5 } } },
      },
      [
        message('hello'),
        { ...message('between us'), recipients: 'agents' },
        { type: 'custom', content: { any: ['thing'] } },
      ],
    )
    await ann.ok('supervise_chat', { chat_id: id, agent_ids: ['ben'] })
    await say(ann, id, 'bye', { custom_id: 'm4' })
    await ann.ok('update_last_seen_timestamp', { chat_id: id, timestamp: 1_700_000_000 })
    await world.settled()
    const answer = await ann.call(action)
    const event = { timestamp: expect.any(Number), recipients: 'all', author_id: 'ann' }
    expect(answer).toEqual({
      request_id: answer.request_id,
      action,
      type: 'response',
      success: true,
      payload: {
        chats: [
          {
            chat: {
              id: customerChatId(license.id, 'carl'),
              users: [
                {
                  ...{ id: 'carl', type: 'customer', name: 'Carl', present: true, banned: false },
                  ...{ online: false, properties: { plan: 'gold' } },
                  monitoring: { stats: { visits_count: expect.any(Number), threads_count: 1 } },
                },
                {
                  ...{ id: 'ann', type: 'agent', name: 'Ann', email: 'ann@example.com', present: true },
                  ...{ routing_status: 'accepting_chats', last_seen_timestamp: 1_700_000_000 },
                },
                {
                  ...{ id: 'ben', type: 'supervisor', name: 'Ben', present: true },
                  avatar: 'https://x.example/b',
                },
              ],
              properties: { source: { type: { value: 'web' } } },
              scopes: { groups: [1], agents: ['ann'] },
              thread: {
                ...{ id: `${id}_1`, timestamp: expect.any(Number), active: true, order: 1 },
                user_ids: expect.toSatisfy((ids: string[]) => ids.toSorted().join() === 'ann,ben,carl'),
                events: [
                  { ...event, id: `${id}_1_1`, order: 1, type: 'message', text: 'hello' },
                  {
                    ...{ ...event, id: `${id}_1_2`, order: 2, type: 'message', text: 'between us' },
                    recipients: 'agents',
                  },
                  { ...event, id: `${id}_1_3`, order: 3, type: 'custom', content: { any: ['thing'] } },
                  {
                    ...{ id: `${id}_1_4`, order: 4, type: 'system_message', timestamp: expect.any(Number) },
                    ...{ text: 'Ben joined the chat', system_message_type: 'agent_joined' },
                    recipients: 'agents',
                  },
                  { ...event, id: `${id}_1_5`, order: 5, type: 'message', text: 'bye', custom_id: 'm4' },
                ],
                properties: { rating: { score: { value: 5 } } },
              },
            },
          },
        ],
        pagination: { page: 1, total: 1 },
      },
    })
  })

  test('leaves out properties, scopes and has_more where there are none', async () => {
    const { ann } = await alone()
    const { chat } = await ann.ok('start_chat')
    await world.settled()
    expect(await search(ann)).toEqual({
      chats: [{ chat: { id: chat.id, users: chat.users, thread: chat.thread } }],
      pagination: { page: 1, total: 1 },
    })
  })

  test('shows a short thread whole: with users, properties and scopes, and nothing more to be read', async () => {
    const { ann } = await alone()
    const properties = { source: { type: 'web', campaign: 'x'.repeat(300) } }
    for (const initial_events of [[], [message('a')], [message('hello')], [message('x'.repeat(200))]]) {
      const { chat } = await ann.ok('start_chat', {
        chat: { properties, scopes: { agents: ['ann'] } },
        initial_events,
      })
      await world.settled()
      // by itself, and beside others
      for (const limit of [1, 25, 100]) {
        const [newest] = (await search(ann, {}, { limit })).chats
        expect(newest, `${initial_events.length} events, limit ${limit}`).toEqual({ chat })
      }
    }
  })

  test('of a licence without chats answers none', async () => {
    const { ann } = await alone({ permission: 'owner' })
    for (const payload of [undefined, null, {}, { filters: null, pagination: null }, { filters: {} }])
      expect(await ann.ok(action, payload)).toEqual({ chats: [], pagination: { page: 1, total: 0 } })
  })

  test('has one result per thread, the newest first, active ones included', async () => {
    const { ann } = await alone()
    const [first, second] = await startInOrder(ann, [{}, {}])
    await goOn(ann, first!, 'again')
    await goOn(ann, second!, 'again')
    await goOn(ann, first!, 'and again')
    await ann.ok('close_thread', { chat_id: second })
    await world.settled()
    const { chats, pagination } = await search(ann)
    expect(chats).toMatchObject([
      { chat: { id: first, thread: { id: `${first}_3`, order: 3, active: true } } },
      { chat: { id: second, thread: { id: `${second}_2`, order: 2, active: false } } },
      { chat: { id: first, thread: { id: `${first}_2`, order: 2, active: false } } },
      { chat: { id: second, thread: { id: `${second}_1`, order: 1, active: false } } },
      { chat: { id: first, thread: { id: `${first}_1`, order: 1, active: false } } },
    ])
    expect(pagination).toEqual({ page: 1, total: 5 })
    // each with its own events
    expect(threadsOf({ chats }).map(({ events }) => events.map(({ text }: any) => text))).toEqual([
      ['and again'],
      ['again', 'ann archived the chat'],
      ['again', 'ann archived the chat'],
      ['ann archived the chat'],
      ['ann archived the chat'],
    ])
  })

  test('orders threads by their start: what is said in one, or behind its end, moves nothing', async () => {
    const { ann } = await alone()
    const [first, second] = await startInOrder(ann, [{}, {}])
    await say(ann, first!, 'more')
    await ann.ok('close_thread', { chat_id: first })
    await ann.ok('send_event', { chat_id: first, event: { type: 'annotation', annotation_type: 'note' } })
    await ann.ok('update_chat_thread_properties', {
      chat_id: first,
      thread_id: `${first}_1`,
      properties: { a: { x: 1 } },
    })
    await world.settled()
    expect(await found(ann)).toEqual(firstOf(second, first))
  })

  test('finds everything where filters name nothing, and takes null for absence', async () => {
    const { ann } = await alone()
    const ids = firstOf(...(await startInOrder(ann, [{}, {}]))).toReversed()
    await world.settled()
    const names = ['query', 'date_from', 'date_to', 'agent_ids', 'agents', 'team_ids', 'properties']
    for (const filters of [
      undefined,
      null,
      {},
      { agent_ids: [], agents: [], team_ids: [] },
      { properties: {} },
      { properties: { rating: {} } },
      { query: '' },
      { query: '   ' },
      { query: ' \t\n\u00a0\u3000' },
      Object.fromEntries(names.map((name) => [name, null])),
      ...names.map((name) => ({ [name]: null })),
      // fields that it does not know
      { group_ids: [7], include_active: 'maybe' },
    ])
      expect([filters, await found(ann, filters)]).toEqual([filters, ids])
    expect(await search(ann, null, null)).toMatchObject({ pagination: { page: 1, total: 2 } })
    expect(await search(ann, null, { page: null, limit: null })).toMatchObject({ pagination: { total: 2 } })
  })

  test('never finds a thread of another licence, nor counts it', async () => {
    const [ours, theirs] = [await alone({ permission: 'owner' }), await alone({ permission: 'owner' })]
    const properties = { a: { x: 1 } }
    const like = { thread: { properties } }
    const mine = await start(ours.ann, like, [message('the very same words')])
    await start(theirs.ann, like, [message('the very same words')])
    await start(theirs.ann, like, [message('the very same words')])
    await start(theirs.ann, like, [message('other words')])
    await world.settled()
    for (const filters of [
      {},
      { query: 'very same words' },
      { agent_ids: ['ann'] },
      { properties: { 'a.x': { values: [1] } } },
      { query: 'words', agent_ids: ['ann'], properties: { 'a.x': { exists: true } } },
    ]) {
      expect(await found(ours.ann, filters)).toEqual(firstOf(mine))
      expect(await found(theirs.ann, filters)).not.toContain(`${mine}_1`)
    }
    expect(await byWords(ours.ann, 'other')).toEqual([])
    expect(await byWords(theirs.ann, 'other')).toHaveLength(1)
  })

  test('finds what was answered within a second', async () => {
    const { ann } = await alone()
    const chat_id = await start(ann)
    await world.settled()
    const tookMs: number[] = []
    for (const word of ['one', 'two', 'three', 'four', 'five']) {
      await say(ann, chat_id, `number ${word}`)
      const answeredAt = performance.now()
      while ((await search(ann, { query: word })).chats.length === 0)
        if (performance.now() - answeredAt > 30_000) throw new Error(`Looked for ${word} in vain`)
      tookMs.push(performance.now() - answeredAt)
    }
    // others may keep the machine busy
    expect(Math.min(...tookMs)).toBeLessThan(1000)
  })
})

describe('get_archives by words', () => {
  test('takes no account of letter case, accents and width', async () => {
    const { ann } = await alone()
    const id = await saying(ann, 'Grüße aus Köln, ＦＵＬＬ ｗｉｄｔｈ: crème BRÛLÉE, naïve Łódź')
    await saying(ann, 'something else')
    await world.settled()
    for (const query of [
      ...['Grüße', 'GRUSSE', 'grusse KOLN', 'köln', 'ko\u0308ln', 'full WIDTH', 'Ｆｕｌｌ', 'Creme brulee'],
      ...['NAÏVE', 'lodz', 'aus', '  köln \n'],
    ])
      expect([query, await byWords(ann, query)]).toEqual([query, firstOf(id)])
  })

  test.each([
    ['Greek', 'Καλημέρα κόσμος', 'ΚΑΛΗΜΕΡΑ', 'κοσμοσ'],
    ['Cyrillic', 'Привет, мир', 'МИР', 'привет'],
    ['Arabic', 'مرحبا بالعالم', 'مرحبا'],
    ['Hebrew', 'שלום עולם', 'עולם'],
    ['Japanese', '東京に行きます', '東京'],
    ['Chinese', '我们在北京', '北京'],
    ['Thai', 'สวัสดีครับ', 'สวัสดี'],
    ['Devanagari', 'नमस्ते दुनिया', 'दुनिया'],
    ['Korean', '안녕하세요 세계', '안녕하세요'],
  ])('knows words of %s', async (_script, text, ...queries) => {
    const { ann } = await alone()
    const id = await saying(ann, text)
    await saying(ann, 'hello')
    await world.settled()
    for (const query of queries) expect([query, await byWords(ann, query)]).toEqual([query, firstOf(id)])
  })

  test('finds whole words, not parts of them', async () => {
    const { ann } = await alone()
    const id = await saying(ann, 'My refund, please!')
    await world.settled()
    for (const query of ['ref', 'fund', 'refunds', 'my-fund', 'refun', 'pleas'])
      expect([query, await byWords(ann, query)]).toEqual([query, []])
    for (const query of ['refund', '"refund"', 'refund!', 'please, my refund'])
      expect([query, await byWords(ann, query)]).toEqual([query, firstOf(id)])
  })

  test('finds words of different messages of one thread, not of different threads', async () => {
    const { ann } = await alone()
    const id = await saying(ann, 'where is my parcel')
    await say(ann, id, 'it was sent on Monday')
    const second = await goOn(ann, id, 'the parcel has come on Tuesday')
    const other = await saying(ann, 'the parcel')
    await world.settled()
    expect(await byWords(ann, 'parcel monday')).toEqual([`${id}_1`])
    expect(await byWords(ann, 'tuesday parcel')).toEqual([second])
    expect(await byWords(ann, 'monday tuesday')).toEqual([])
    expect(await byWords(ann, 'parcel')).toEqual([`${other}_1`, second, `${id}_1`])
  })

  test('looks into messages alone: not into annotations, system messages, forms, custom events, properties', async () => {
    const license = await world.license({ ann: {}, zoe: { name: 'Zanzibar' } })
    const ann = await license.login('ann')
    const id = await start(
      ann,
      {
        properties: { ns: { name: 'propertyword' } },
        thread: { properties: { ns: { name: 'propertyword' } } },
      },
      [
        { type: 'annotation', annotation_type: 'annotationtype', text: 'annotationword' },
        { type: 'system_message', text: 'systemword', system_message_type: 'systemtype' },
        {
          type: 'filled_form',
          fields: [{ type: 'text', name: 'fieldname', label: 'fieldlabel', value: 'fieldvalue' }],
        },
        { type: 'custom', content: { text: 'contentword' } },
        { ...message('messageword'), custom_id: 'customid', properties: { ns: { x: 'eventproperty' } } },
      ],
    )
    await ann.ok('join_chat', { chat_id: id, agent_ids: ['zoe'] })
    await world.settled()
    for (const query of [
      ...['annotationtype', 'annotationword', 'systemword', 'systemtype', 'fieldname', 'fieldlabel'],
      ...['fieldvalue', 'contentword', 'propertyword', 'customid', 'eventproperty', 'zanzibar', 'joined'],
    ])
      expect([query, await byWords(ann, query)]).toEqual([query, []])
    expect(await byWords(ann, 'messageword')).toEqual(firstOf(id))
    expect(await byWords(ann, 'messageword contentword')).toEqual([])
  })

  test("looks into messages for agents only, and into a customer's", async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const id = await startCustomerChat(world, license.id, 'carl', { texts: ['customerword'] })
    await ann.ok('join_chat', { chat_id: id, agent_ids: ['ann'] })
    await ben.ok('supervise_chat', { chat_id: id })
    await say(ann, id, 'agentsword', { recipients: 'agents' })
    await say(ben, id, 'supervisorword')
    await world.settled()
    for (const query of ['customerword', 'agentsword', 'supervisorword', 'supervisorword customerword'])
      expect([query, await byWords(ann, query)]).toEqual([query, firstOf(id)])
  })

  test('keeps what was found once the thread is closed', async () => {
    const { ann } = await alone()
    const id = await saying(ann, 'to be archived')
    await ann.ok('close_thread', { chat_id: id })
    await ann.ok('send_event', {
      chat_id: id,
      event: { type: 'annotation', annotation_type: 'note', text: 'annotationword' },
    })
    await world.settled()
    expect(await byWords(ann, 'archived')).toEqual(firstOf(id))
    expect(await byWords(ann, 'annotationword')).toEqual([])
  })

  test('takes 20 words, and refuses 21 naming the limit', async () => {
    const { ann } = await alone()
    const words = range(1, 21).map((n) => `word${n}`)
    const id = await saying(ann, words.join(' '))
    await saying(ann, words.slice(1).join(' '))
    await world.settled()
    expect(await byWords(ann, words.slice(0, 20).join(' '))).toEqual(firstOf(id))
    expect(await byWords(ann, words.slice(1).join(' '))).toHaveLength(2)
    const most = (count: number) =>
      invalid('filters.query', `Has ${count} words: at most 20 can be looked for`)
    expect(await ann.refused(action, { filters: { query: words.join(' ') } })).toEqual(most(21))
    expect(await ann.refused(action, { filters: { query: 'many words '.repeat(1500) } })).toEqual(most(3000))
  })

  test('refuses a query without a word that is indexed', async () => {
    const { ann } = await alone()
    const sentence = 'Has no word of 2 to 40 letters or digits to look for'
    for (const query of ['!!', 'b', 'a b c', '?', '...', '👍', 'x'.repeat(41), 'x'.repeat(30_000)])
      expect([query, await ann.refused(action, { filters: { query } })]).toEqual([
        query,
        invalid('filters.query', sentence),
      ])
  })

  test('passes over words that are not indexed beside others', async () => {
    const { ann } = await alone()
    const id = await saying(ann, `I have a refund of 5 ${'y'.repeat(41)}`)
    await world.settled()
    for (const query of ['a refund', 'b refund', '!! refund ??', `refund ${'x'.repeat(41)}`, '👍 refund 7'])
      expect([query, await byWords(ann, query)]).toEqual([query, firstOf(id)])
    expect(await byWords(ann, 'a b nothing')).toEqual([])
  })

  test('knows single ideographs, and words of up to 40 characters', async () => {
    const { ann } = await alone()
    const id = await saying(ann, `猫 ${'z'.repeat(40)}`)
    await world.settled()
    expect(await byWords(ann, '猫')).toEqual(firstOf(id))
    expect(await byWords(ann, 'Z'.repeat(40))).toEqual(firstOf(id))
  })

  test('takes a word as often as one likes, and words that keys are made of', async () => {
    const { ann } = await alone()
    const id = await saying(ann, 'all open user user LIST INDEX 100%')
    await world.settled()
    for (const query of ['user USER Üser', 'LIST#INDEX', 'all', '100%'])
      expect([query, await byWords(ann, query)]).toEqual([query, firstOf(id)])
    expect(await byWords(ann, 'ann')).toEqual([])
  })
})

describe('get_archives by agents', () => {
  const staffed = async () => {
    // else the chat would be given to ann when ben has left it
    const busy = { default_status: 'not_accepting_chats' } as const
    const license = await world.license({ ann: busy, ben: {}, cleo: {}, dan: {} })
    const ann = await license.login('ann')
    const id = await startCustomerChat(world, license.id, 'carl')
    await ann.ok('join_chat', { chat_id: id, agent_ids: ['ben'] })
    await ann.ok('supervise_chat', { chat_id: id, agent_ids: ['cleo'] })
    await ann.ok('remove_from_chat', { chat_id: id, agent_ids: ['ben'] })
    const other = await start(ann)
    await world.settled()
    return { ann, id, other }
  }

  test('finds threads that name one of them: agents, supervisors, customers, and who has left', async () => {
    const { ann, id, other } = await staffed()
    for (const [agent_ids, ids] of [
      [['ben'], firstOf(id)],
      [['cleo'], firstOf(id)],
      [['carl'], firstOf(id)],
      [['ann'], firstOf(other)],
      [['ann', 'cleo'], firstOf(other, id)],
      [['ben', 'cleo', 'ben'], firstOf(id)],
      [['dan'], []],
      [['nobody', 'a#b', '%23', 'Ben', 'be'], []],
      [['dan', 'carl'], firstOf(id)],
    ] as const)
      expect([agent_ids, await found(ann, { agent_ids })]).toEqual([agent_ids, ids])
  })

  test('takes agents for agent_ids, and both together', async () => {
    const { ann, id, other } = await staffed()
    expect(await found(ann, { agents: ['ben'] })).toEqual(firstOf(id))
    expect(await found(ann, { agents: ['ann', 'carl'] })).toEqual(firstOf(other, id))
    expect(await found(ann, { agents: ['ann'], agent_ids: ['cleo'] })).toEqual(firstOf(other, id))
    expect(await found(ann, { agents: [], agent_ids: ['cleo'] })).toEqual(firstOf(id))
    expect(await found(ann, { agents: ['dan'], agent_ids: null })).toEqual([])
  })

  test('goes by the thread, not by the chat: who left is not in the next one', async () => {
    const { ann, id } = await staffed()
    await ann.ok('join_chat', { chat_id: id, agent_ids: ['ann', 'dan'] })
    const second = await goOn(ann, id, 'again')
    await world.settled()
    expect(await found(ann, { agent_ids: ['ben'] })).toEqual([`${id}_1`])
    expect(await found(ann, { agent_ids: ['dan'] })).toEqual([second, `${id}_1`])
    // in a chat without an active thread joining changes no thread
    await ann.ok('close_thread', { chat_id: id })
    await ann.ok('join_chat', { chat_id: id, agent_ids: ['ben'] })
    await world.settled()
    expect(await found(ann, { agent_ids: ['ben'] })).toEqual([`${id}_1`])
  })

  test('takes up to 100 of them', async () => {
    const { ann, id } = await staffed()
    const ids = range(1, 99).map((n) => `agent-${n}`)
    expect(await found(ann, { agent_ids: [...ids, 'carl'] })).toEqual(firstOf(id))
    expect(await found(ann, { agent_ids: ids, agents: [...ids.slice(9), 'carl'] })).toEqual(firstOf(id))
    for (const name of ['agent_ids', 'agents'])
      expect(await ann.refused(action, { filters: { [name]: [...ids, 'ben', 'carl'] } })).toEqual(
        invalid(`filters.${name}`, 'At most 100 entries'),
      )
  })
})

describe('get_archives by teams', () => {
  test("finds threads of chats whose scopes name one of the groups, which may come as digits' strings", async () => {
    const license = await world.license({ ann: { permission: 'owner' } }, { groups: ['A', 'B', 'C'] })
    const ann = await license.login('ann')
    const [a, b, both, open] = await startInOrder(ann, [
      { scopes: { groups: [1] } },
      { scopes: { groups: [2] } },
      { scopes: { groups: [1, 2] } },
      {},
    ])
    expect(open).toBeDefined()
    await world.settled()
    for (const [team_ids, ids] of [
      [[1], firstOf(both, a)],
      [['1'], firstOf(both, a)],
      [[2, '3'], firstOf(both, b)],
      [['2', 1, '1', 2], firstOf(both, b, a)],
      [[3], []],
      [[0, -1, 999, '77'], []],
    ] as const)
      expect([team_ids, await found(ann, { team_ids })]).toEqual([team_ids, ids])
    // groups of the licence, not of agents
    expect(await found(ann, { team_ids: [1], agent_ids: ['ann'] })).toEqual(firstOf(both, a))
  })

  test('goes by the scopes of now, of older threads too', async () => {
    const license = await world.license({ ann: { permission: 'owner' } }, { groups: ['A', 'B'] })
    const ann = await license.login('ann')
    const id = await start(ann, { scopes: { groups: [1] } })
    const second = await goOn(ann, id, 'again')
    await world.settled()
    expect(await found(ann, { team_ids: [1] })).toEqual([second, `${id}_1`])
    await ann.ok('update_chat_scopes', {
      chat_id: id,
      add_scopes: { groups: [2] },
      remove_scopes: { groups: [1] },
    })
    await world.settled()
    expect(await found(ann, { team_ids: [1] })).toEqual([])
    expect(await found(ann, { team_ids: [2] })).toEqual([second, `${id}_1`])
    await ann.ok('update_chat_scopes', { chat_id: id, remove_scopes: { groups: [2] } })
    await world.settled()
    expect(await found(ann, { team_ids: [2] })).toEqual([])
    expect(await found(ann)).toEqual([second, `${id}_1`])
  })
})

describe('get_archives by dates', () => {
  const dayS = 24 * 3600
  /** A day so many days after a thread's start (UTC). */
  const dayOf = (thread: { timestamp: number }, days = 0) =>
    new Date((thread.timestamp + days * dayS) * 1000).toISOString().slice(0, 10)

  test('compares the day of the start, both ends included', async () => {
    const { ann } = await alone()
    const id = await start(ann)
    await world.settled()
    const { chats } = await search(ann)
    const [thread] = threadsOf({ chats })
    const [before, day, after] = [dayOf(thread, -1), dayOf(thread), dayOf(thread, 1)]
    for (const [filters, isFound] of [
      [{ date_from: day, date_to: day }, true],
      [{ date_from: before, date_to: after }, true],
      [{ date_from: day, date_to: after }, true],
      [{ date_from: before, date_to: day }, true],
      [{ date_from: after, date_to: dayOf(thread, 40) }, false],
      [{ date_from: dayOf(thread, -40), date_to: before }, false],
      // one of them alone
      [{ date_from: day }, true],
      [{ date_from: before }, true],
      [{ date_from: dayOf(thread, -400) }, true],
      [{ date_from: after }, false],
      [{ date_from: dayOf(thread, 400) }, false],
      [{ date_to: day }, true],
      [{ date_to: after }, true],
      [{ date_to: dayOf(thread, 400) }, true],
      [{ date_to: before }, false],
      [{ date_to: dayOf(thread, -400) }, false],
      [{ date_from: day, date_to: null }, true],
      [{ date_from: null, date_to: before }, false],
      // the first one after the second
      [{ date_from: after, date_to: before }, false],
      [{ date_from: after, date_to: day }, false],
      [{ date_from: day, date_to: before }, false],
      [{ date_from: dayOf(thread, 400), date_to: dayOf(thread, -400) }, false],
      // all that a date can be
      [{ date_from: '0000-01-01', date_to: '9999-12-31' }, true],
      [{ date_from: '9999-12-31' }, false],
      [{ date_to: '0000-01-01' }, false],
      [{ date_from: '9999-12-31', date_to: '0000-01-01' }, false],
    ] as const)
      expect([filters, await found(ann, filters)]).toEqual([filters, isFound ? firstOf(id) : []])
  })

  test('takes days that there are: also leap days', async () => {
    const { ann } = await alone()
    await start(ann)
    await world.settled()
    for (const date_to of ['2016-02-29', '2000-02-29', '2016-12-31'])
      expect(await found(ann, { date_to })).toEqual([])
    for (const date_from of ['2016-02-29', '2016-01-01'])
      expect(await found(ann, { date_from })).toHaveLength(1)
  })

  test.each([
    ...['2016-02-30', '2016-13-01', '2016-00-10', '2016-01-00', '2015-02-29', '1900-02-29'],
    ...['2016-1-1', '16-01-01', '2016/01/01', '20160101', '01-01-2016', '2016-01-01T00:00:00Z'],
    ...[' 2016-01-01', '2016-01-01\n', '', ' ', 'today', '-2016-01-01', '+002016-01-01', '２０１６-01-01'],
    ...[20_160_101, 0, true, ['2016-01-01'], { date: '2016-01-01' }],
  ])('refuses %j', async (day) => {
    const sentence =
      typeof day === 'string' ? 'A date is a day that there is, as YYYY-MM-DD' : expect.any(String)
    for (const name of ['date_from', 'date_to'])
      expect(await ann.refused(action, { filters: { [name]: day } })).toEqual(
        invalid(`filters.${name}`, sentence),
      )
  })
  let ann: Client
  beforeAll(async () => {
    ;({ ann } = await alone())
  })
})

describe('get_archives by properties', () => {
  const rated = async () => {
    const { ann } = await alone()
    const thread = (properties: object) => ({ thread: { properties } })
    const [one, text, yes, two, none] = firstOf(
      ...(await startInOrder(ann, [
        thread({ rating: { score: 1, 'a.b': 'dots' } }),
        thread({ rating: { score: '1' } }),
        thread({ rating: { score: true, comment: 'good' } }),
        thread({ rating: { score: 2 }, other: { score: 1 } }),
        { properties: { rating: { score: 1 } } },
      ])),
    ) as [string, string, string, string, string]
    await world.settled()
    return { ann, one, text, yes, two, none }
  }

  test('takes filters nested and dotted', async () => {
    const { ann, one, yes } = await rated()
    for (const filters of [
      { rating: { score: { values: [1] } } },
      { 'rating.score': { values: [1] } },
      { rating: { 'a.b': { exists: true } } },
      { 'rating.a.b': { values: ['dots'] } },
    ])
      expect(await byProperties(ann, filters)).toEqual([one])
    expect(
      await byProperties(ann, {
        'rating.score': { exclude_values: [1] },
        rating: { comment: { exists: 'true' } },
      }),
    ).toEqual([yes])
  })

  test('exists: true or false, in either form', async () => {
    const { ann, one, text, yes, two, none } = await rated()
    for (const exists of [true, 'true']) {
      expect(await byProperties(ann, { 'rating.score': { exists } })).toEqual([two, yes, text, one])
      expect(await byProperties(ann, { 'nosuch.score': { exists } })).toEqual([])
    }
    for (const exists of [false, 'false']) {
      expect(await byProperties(ann, { 'rating.score': { exists } })).toEqual([none])
      expect(await byProperties(ann, { 'rating.comment': { exists } })).toEqual([none, two, text, one])
    }
  })

  test('values compare type and value, and one of them is enough', async () => {
    const { ann, one, text, yes, two } = await rated()
    const many = range(2, 101)
    for (const [values, ids] of [
      [[1], [one]],
      [['1'], [text]],
      [[true], [yes]],
      [['true', '2', false, 0, ''], []],
      [
        [1, 2, 3, '1'],
        [two, text, one],
      ],
      [[], []],
      [many, [two]],
    ] as const)
      expect([values, await byProperties(ann, { 'rating.score': { values } })]).toEqual([values, ids])
  })

  test('exclude_values match also where the property is absent', async () => {
    const { ann, one, text, yes, two, none } = await rated()
    for (const [exclude_values, ids] of [
      [[1], [none, two, yes, text]],
      [[1, '1', true, 2], [none]],
      [['true'], [none, two, yes, text, one]],
      [[], [none, two, yes, text, one]],
    ] as const)
      expect([exclude_values, await byProperties(ann, { rating: { score: { exclude_values } } })]).toEqual([
        exclude_values,
        ids,
      ])
  })

  test('of several properties all must fit', async () => {
    const { ann, two } = await rated()
    const properties = { 'rating.score': { values: [1, 2] }, 'other.score': { values: [1] } }
    expect(await byProperties(ann, properties)).toEqual([two])
    expect(await byProperties(ann, { ...properties, 'rating.comment': { exists: false } })).toEqual([two])
    expect(await byProperties(ann, { ...properties, 'rating.comment': { exists: true } })).toEqual([])
  })

  test("go by each thread's properties as they are now, not by the chat's nor by another thread's", async () => {
    const { ann } = await alone()
    const id = await start(ann, { properties: { a: { x: 1 } } })
    const second = await goOn(ann, id, 'again')
    const change = async (thread_id: string, properties: object) => {
      await ann.ok('update_chat_thread_properties', { chat_id: id, thread_id, properties })
      await world.settled()
    }
    const having = (value: number) => byProperties(ann, { 'a.x': { values: [value] } })
    await world.settled()
    expect(await having(1)).toEqual([])
    await change(`${id}_1`, { a: { x: 1 } })
    expect(await having(1)).toEqual([`${id}_1`])
    await change(second, { a: { x: 2 } })
    expect(await having(2)).toEqual([second])
    await change(second, { a: { x: 1 } })
    expect(await having(2)).toEqual([])
    expect(await having(1)).toEqual([second, `${id}_1`])
    await change(`${id}_1`, { a: { x: null } })
    expect(await having(1)).toEqual([second])
    expect(await byProperties(ann, { 'a.x': { exists: false } })).toEqual([`${id}_1`])
  })

  test('fit the thread as it is, while the index does not know of a change yet', async () => {
    const { ann } = await alone()
    const id = await start(ann, { thread: { properties: { a: { x: 1 } } } })
    const catchUp = await holdIndex()
    await ann.ok('update_chat_thread_properties', {
      chat_id: id,
      thread_id: `${id}_1`,
      properties: { a: { x: 2 } },
    })
    const having = (value: number) => search(ann, { properties: { 'a.x': { values: [value] } } })
    expect(await having(1)).toEqual({ chats: [], pagination: { page: 1, total: 1 } })
    await catchUp()
    expect(await having(1)).toEqual({ chats: [], pagination: { page: 1, total: 0 } })
    expect(idsOf(await having(2))).toEqual(firstOf(id))
  })

  test("find the server's own, and long texts", async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const long = 'ü'.repeat(2000)
    const id = await start(ann, { thread: { properties: { a: { long } } } })
    const tab = await license.visit()
    const routed = await tab.client.ok('start_chat')
    await world.settled()
    expect(await byProperties(ann, { 'a.long': { values: [long] } })).toEqual(firstOf(id))
    expect(await byProperties(ann, { 'a.long': { values: [`${long}!`] } })).toEqual([])
    expect(await byProperties(ann, { 'routing.unassigned': { values: [false] } })).toEqual(
      firstOf(routed.chat.id),
    )
  })

  test('take unknown names, also those that every object inherits, for absent', async () => {
    const { ann } = await alone()
    const id = await start(ann)
    await world.settled()
    for (const name of [
      ...['constructor.name', 'toString.length', '__proto__.x', 'a.__proto__', 'a.constructor', 'a#b.c%23'],
      ...['a..', 'a. ', 'ü.💡'],
    ]) {
      expect([name, await byProperties(ann, { [name]: { exists: true } })]).toEqual([name, []])
      expect([name, await byProperties(ann, { [name]: { exclude_values: [1] } })]).toEqual([
        name,
        firstOf(id),
      ])
    }
  })

  test.each([
    ['longer than a key of the table', `a.${'x'.repeat(3000)}`],
    ['that grows longer than a key where it is escaped', `a.${'#'.repeat(900)}`],
    ['of half a surrogate pair', 'a.\ud800'],
  ])('take a name %s for absent, or refuse it', async (_what, name) => {
    const { ann } = await alone()
    await start(ann)
    await world.settled()
    const filters: { exists?: boolean; values?: number[]; exclude_values?: number[] }[] = [
      ...[{ exists: true }, { exists: false }, { values: [1] }, { exclude_values: [1] }],
    ]
    for (const filter of filters) {
      const { success, payload } = await ann.call(action, { filters: { properties: { [name]: filter } } })
      const isAbsent = filter.exists === false || filter.exclude_values !== undefined
      if (success) expect((payload as any).pagination.total).toBe(isAbsent ? 1 : 0)
      else expect(payload).toMatchObject({ error: { type: 'validation' } })
    }
  })
})

describe('get_archives by several filters', () => {
  test('finds what fits all of them', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, ben: {} }, { groups: ['A', 'B'] })
    const ann = await license.login('ann')
    const fits = { word: 'parcel', ben: true, team: 1, score: 1 }
    const make = async ({ word, ben, team, score }: typeof fits) => {
      const id = await start(
        ann,
        { scopes: { groups: [team] }, thread: { properties: { rating: { score } } } },
        [message(`my ${word}`)],
      )
      if (ben) await ann.ok('join_chat', { chat_id: id, agent_ids: ['ben'] })
      return id
    }
    const one = await make(fits)
    const [word, user, team, score] = [
      await make({ ...fits, word: 'refund' }),
      await make({ ...fits, ben: false }),
      await make({ ...fits, team: 2 }),
      await make({ ...fits, score: 2 }),
    ]
    await world.settled()
    const oldest = threadsOf(await search(ann)).at(-1)
    const day = new Date(oldest.timestamp * 1000).toISOString().slice(0, 10)
    const filters: Record<string, any> = {
      query: 'parcel',
      agent_ids: ['ben', 'nobody'],
      team_ids: [1, 7],
      properties: { 'rating.score': { values: [1, 9] } },
    }
    // each combination leaves out those that miss one of its filters
    const misses = { query: word, agent_ids: user, team_ids: team, properties: score }
    const names = Object.keys(filters)
    for (const bits of range(0, 2 ** names.length - 1)) {
      const asked = names.filter((_, index) => (bits & (2 ** index)) > 0)
      const missing = asked.map((name) => misses[name as keyof typeof misses])
      const given = Object.fromEntries(asked.map((name) => [name, filters[name]]))
      const left = [score, team, user, word, one].filter((id) => !missing.includes(id))
      expect([asked, await found(ann, given)]).toEqual([asked, firstOf(...left)])
      expect(await found(ann, { ...given, date_from: day })).toEqual(firstOf(...left))
      const long_ago = { date_from: '2016-01-01', date_to: '2016-12-31' }
      expect(await found(ann, { ...given, ...long_ago })).toEqual([])
    }
    expect(await found(ann, { ...filters, query: 'refund parcel' })).toEqual([])
    const unlike = { 'rating.score': { exclude_values: [1] } }
    expect(await found(ann, { ...filters, properties: unlike })).toEqual(firstOf(score))
    expect(await found(ann, { ...filters, team_ids: [2], properties: unlike })).toEqual([])
  })
})

describe('get_archives in pages', () => {
  /** A licence with so many threads, some of which start in one moment. */
  const withThreads = async (count: number) => {
    const { license, ann } = await alone()
    const ids = await Promise.all(
      range(1, count).map((n) => startCustomerChat(world, license.id, `cus-${n}`, { texts: ['hello'] })),
    )
    await world.settled()
    return { ann, ids: firstOf(...ids) }
  }

  test('partition what is found: without repeats or gaps, the newest first', async () => {
    const { ann, ids } = await withThreads(60)
    const pages: any[] = []
    for (const page of range(1, 9)) {
      const { chats, pagination } = await search(ann, { query: 'hello' }, { page, limit: 7 })
      expect(pagination).toEqual({ page, total: 60 })
      pages.push(threadsOf({ chats }))
    }
    expect(pages.map(({ length }) => length)).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 4])
    const all = pages.flat()
    expect(all.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
    const starts = all.map(({ timestamp }) => timestamp)
    expect(starts).toEqual(starts.toSorted((a, b) => b - a))
    // with and without filters in one order, whatever the size of a page
    const order = all.map(({ id }) => id)
    for (const filters of [{}, { query: 'hello' }, { properties: { 'a.x': { exists: false } } }]) {
      expect(await found(ann, filters, { limit: 100 })).toEqual(order)
      expect(await found(ann, filters, { page: 2 })).toEqual(order.slice(25, 50))
    }
  })

  test('hold 25 by default, and 1 to 100 as asked; past the end there is nothing', async () => {
    const { ann } = await withThreads(103)
    const order = [
      ...(await found(ann, {}, { limit: 100 })),
      ...(await found(ann, {}, { page: 2, limit: 100 })),
    ]
    expect(order).toHaveLength(103)
    for (const [pagination, from, to] of [
      [undefined, 0, 25],
      [null, 0, 25],
      [{}, 0, 25],
      [{ page: 1 }, 0, 25],
      [{ page: 2 }, 25, 50],
      [{ page: 5 }, 100, 103],
      [{ page: null, limit: null }, 0, 25],
      [{ limit: 1 }, 0, 1],
      [{ limit: 100 }, 0, 100],
      [{ page: 2, limit: 100 }, 100, 103],
      [{ page: 103, limit: 1 }, 102, 103],
      [{ page: 104, limit: 1 }, 103, 103],
      [{ page: 6 }, 103, 103],
      [{ page: 1_000_000, limit: 100 }, 103, 103],
      [{ page: Number.MAX_SAFE_INTEGER, limit: 100 }, 103, 103],
    ] as const) {
      const answer = await search(ann, {}, pagination)
      expect([pagination, idsOf(answer)]).toEqual([pagination, order.slice(from, to)])
      expect(answer.pagination).toEqual({ page: pagination?.page ?? 1, total: 103 })
    }
  })

  test('count what fits the filters, not what is on the page', async () => {
    const { ann } = await alone()
    const ids = await startInOrder(
      ann,
      range(1, 7).map((n) => ({ thread: { properties: { a: { odd: n % 2 === 1 } } } })),
    )
    await world.settled()
    const filters = { properties: { 'a.odd': { values: [true] } } }
    const answer = await search(ann, filters, { page: 2, limit: 3 })
    expect(idsOf(answer)).toEqual(firstOf(ids[0]))
    expect(answer.pagination).toEqual({ page: 2, total: 4 })
  })
})

describe('get_archives shows', () => {
  let scene: Scene
  let hidden: string
  let open: string
  beforeAll(async () => {
    scene = await setScene(world)
    hidden = await scene.start('hidden')
    open = await scene.start('open')
    await world.settled()
  })
  const due = (ofHidden: readonly Person[], ofOpen: readonly Person[], person: Person) =>
    firstOf(...(ofOpen.includes(person) ? [open] : []), ...(ofHidden.includes(person) ? [hidden] : []))
  const everyFilter = [
    {},
    { query: 'hello' },
    { agent_ids: ['member'] },
    { query: 'hello', agent_ids: ['member', 'supervisor'], properties: { 'a.x': { exists: false } } },
  ]

  test.each(people)('to one who is %s what it has access to, and counts nothing else', async (person) => {
    const { access } = reaches
    for (const filters of everyFilter)
      expect(await found(scene.clients[person], filters)).toEqual(due(access.hidden, access.open, person))
  })

  test('to an owner of another licence nothing', async () => {
    for (const filters of everyFilter) expect(await found(scene.clients.stranger, filters)).toEqual([])
  })

  test.each(['chats--my:read', 'chats--chat_scopes:read', 'chats--all:read'] as const)(
    'by a token with %s what that reaches',
    async (scope) => {
      const reach = { 'chats--my:read': 'membership', 'chats--chat_scopes:read': 'access' } as const
      for (const person of people) {
        const client = await scene.license.login(person, {}, { scope })
        const isAdministrator = reaches.administration.hidden.includes(person)
        if (scope === 'chats--all:read' && !isAdministrator) {
          expect(await client.refused(action), person).toEqual({
            type: 'authorization',
            code: 403,
            message: 'Authorization error',
          })
          continue
        }
        const { hidden: ofHidden, open: ofOpen } =
          scope === 'chats--all:read' ? reaches.administration : reaches[reach[scope]]
        for (const filters of everyFilter)
          expect([person, await found(client, filters)]).toEqual([person, due(ofHidden, ofOpen, person)])
      }
    },
  )

  test('by a token with chats--my:read an administrator the chats that it is in', async () => {
    const boss = await scene.license.login('administrator', {}, { scope: 'chats--my:read' })
    expect(await found(boss)).toEqual([])
    const chat_id = await scene.start('hidden')
    await scene.clients.host.ok('supervise_chat', { chat_id, agent_ids: ['administrator'] })
    await world.settled()
    expect(await found(boss)).toEqual(firstOf(chat_id))
    await scene.clients.host.ok('remove_from_chat', { chat_id, agent_ids: ['administrator'] })
    expect(await search(boss)).toMatchObject({ chats: [] })
    await world.settled()
    expect(await found(boss)).toEqual([])
    const both = { scope: 'chats--my:read chats--all:read' }
    expect(await found(await scene.license.login('administrator', {}, both))).toHaveLength(3)
  })

  test('by a token for something else nothing: it is refused', async () => {
    const scope = 'chats.conversation--chat_scopes:write chats.meta--chat_scopes:write'
    const client = await scene.license.login('owner', {}, { scope })
    expect(await client.refused(action)).toMatchObject({ type: 'authorization', code: 403 })
  })
})

describe('get_archives, where access changes,', () => {
  const two = async () => {
    const license = await world.license({ ann: {}, ben: { groups: [1] } }, { groups: ['A', 'B'] })
    return [await license.login('ann'), await license.login('ben')] as const
  }

  test.each([
    [
      'agents of its scopes',
      { agents: ['ben', 'ann'] },
      'update_chat_scopes',
      { remove_scopes: { agents: ['ben'] } },
    ],
    ['groups of its scopes', { groups: [1, 2] }, 'update_chat_scopes', { remove_scopes: { groups: [1] } }],
    ['who is in it', { agents: ['ann'] }, 'remove_from_chat', { agent_ids: ['ben'] }],
    ['having no scopes', {}, 'update_chat_scopes', { add_scopes: { agents: ['ann'] } }],
  ] as const)('hides at once what one had access to by %s', async (_by, scopes, change, payload) => {
    const [ann, ben] = await two()
    const chat_id = await start(ann, { scopes }, [message('secret plans')])
    if (change === 'remove_from_chat') await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    const second = await goOn(ann, chat_id, 'secret plans')
    const ids = [second, `${chat_id}_1`]
    const searches = [{}, { query: 'secret' }, { agent_ids: ['ann'] }, { query: 'plans', agents: ['ann'] }]
    await world.settled()
    for (const filters of searches) expect(await found(ben, filters)).toEqual(ids)
    const catchUp = await holdIndex()
    await ann.ok(change, { chat_id, ...payload })
    await say(ann, chat_id, 'nothing for ben')
    for (const filters of searches) {
      // it is still in the index
      expect(await search(ben, filters)).toEqual({ chats: [], pagination: { page: 1, total: 2 } })
      expect(await found(ann, filters)).toEqual(ids)
    }
    await catchUp()
    for (const filters of searches) {
      expect(await search(ben, filters)).toEqual({ chats: [], pagination: { page: 1, total: 0 } })
      expect(await found(ann, filters)).toEqual(ids)
    }
  })

  test.each([
    ['agents of its scopes', 'update_chat_scopes', { add_scopes: { agents: ['ben'] } }],
    ['groups of its scopes', 'update_chat_scopes', { add_scopes: { groups: [1] } }],
    ['being in it', 'join_chat', { agent_ids: ['ben'] }],
    ['supervising it', 'supervise_chat', { agent_ids: ['ben'] }],
    ['its having no scopes', 'update_chat_scopes', { remove_scopes: { agents: ['ann'] } }],
  ] as const)('finds what one gains access to by %s, older threads too', async (_by, change, payload) => {
    const [ann, ben] = await two()
    const chat_id = await start(ann, { scopes: { agents: ['ann'] } }, [message('secret plans')])
    const second = await goOn(ann, chat_id, 'secret plans')
    await world.settled()
    const searches = [{}, { query: 'secret' }, { agent_ids: ['ann'] }]
    for (const filters of searches) expect(await found(ben, filters)).toEqual([])
    await ann.ok(change, { chat_id, ...payload })
    await world.settled()
    for (const filters of searches) expect(await found(ben, filters)).toEqual([second, `${chat_id}_1`])
  })

  test('shows nothing of the time after it was taken away while the request reads', async () => {
    const [ann, ben] = await two()
    const chat_id = await start(ann, { scopes: { agents: ['ben', 'ann'] } }, [message('secret plans')])
    await world.settled()
    const query = 'secret plans'
    const { calls } = await world.proxy.record(() => search(ben, { query }))
    const leaks: number[] = []
    const sizes = new Set<number>()
    for (const step of range(1, calls.length)) {
      await ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['ben', 'ann'] } })
      await world.settled()
      let count = 0
      let isMeanwhile = false
      world.proxy.setFault(async () => {
        if (isMeanwhile) return undefined
        count += 1
        if (count !== step) return undefined
        isMeanwhile = true
        await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
        await say(ann, chat_id, `after ${step}`)
        return undefined
      })
      const answer = await search(ben, { query })
      world.proxy.setFault(undefined)
      sizes.add(answer.chats.length)
      if (JSON.stringify(answer).includes(`after ${step}`)) leaks.push(step)
    }
    expect(sizes).toEqual(new Set([0, 1]))
    expect(leaks).toEqual([])
  })
})

describe('get_archives of large threads', () => {
  const text = (n: number) => `${n} `.padEnd(200, 'x')
  const large = (count: number) => range(1, count).map((n) => message(text(n)))
  const answered = async (client: Client, filters: object, pagination?: object) => {
    await client.received()
    const answer = await search(client, filters, pagination)
    return { answer, bytes: Buffer.byteLength(client.frames.at(-1)!) }
  }
  const orders = ({ events }: any): number[] => events.map(({ order }: any) => order)
  /** Fails unless a thread shows its newest events, and says whether there are more. */
  const expectNewest = (thread: any, last: number, least = 1) => {
    const first = last - thread.events.length + 1
    expect(orders(thread), thread.id).toEqual(range(first, last))
    expect(thread.events.length, thread.id).toBeGreaterThanOrEqual(least)
    if (first > 1) expect(thread.has_more, thread.id).toBe(true)
  }

  test('keeps a hundred of them, with many users and large properties, below 120 KiB', async () => {
    const crew = range(1, 12).map((n) => `agent-${n}`)
    const avatar = `https://x.example/${'a'.repeat(1500)}`
    const license = await world.license({
      ann: {},
      ...Object.fromEntries(crew.map((id) => [id, { name: id.padEnd(100, 'é'), avatar }])),
    })
    const ann = await license.login('ann')
    const properties = { a: { x: 'x'.repeat(3900), y: 'ü'.repeat(1900) } }
    const sizes = new Map<string, number>()
    for (const n of range(1, 100)) {
      const id = await start(ann, n % 3 === 0 ? { properties } : {}, large(10))
      if (n % 5 === 0) await ann.ok('join_chat', { chat_id: id, agent_ids: crew })
      sizes.set(`${id}_1`, n % 5 === 0 ? 10 + crew.length : 10)
    }
    await world.settled()
    const { answer, bytes } = await answered(ann, {}, { limit: 100 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    // a good part of it is used
    expect(bytes).toBeGreaterThan(frameBytes / 2)
    expect(answer.pagination).toEqual({ page: 1, total: 100 })
    expect(idsOf(answer)).toEqual([...sizes.keys()].toReversed())
    for (const thread of threadsOf(answer)) expectNewest(thread, sizes.get(thread.id)!)
    // one by one each is whole
    for (const page of range(1, 6)) {
      const { answer: whole } = await answered(ann, {}, { page, limit: 1 })
      const [{ chat }] = whole.chats
      expect(orders(chat.thread)).toEqual(range(1, sizes.get(chat.thread.id)!))
      expect(chat.thread).not.toHaveProperty('has_more')
      expect(chat.users).toHaveLength(page % 5 === 1 ? 13 : 1)
    }
  })

  test('says of whatever is left out that there is more', async () => {
    const { ann } = await alone()
    const properties = { a: { x: 'x'.repeat(3900), y: 'y'.repeat(3900) } }
    for (const _ of range(1, 13)) {
      await start(ann, { properties }, [message('short')])
      await start(ann, { thread: { properties } }, [message('short')])
    }
    await world.settled()
    const whole = new Map<string, any>()
    for (const page of [1, 2, 3, 4, 5, 6, 7])
      for (const { chat } of (await search(ann, {}, { page, limit: 4 })).chats) whole.set(chat.id, chat)
    expect(whole.size).toBe(26)
    const { answer, bytes } = await answered(ann, {}, { limit: 26 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    expect(answer.chats).toHaveLength(26)
    for (const { chat } of [...answer.chats]) {
      if (chat.thread.has_more === true) continue
      expect(chat).toEqual(whole.get(chat.id))
    }
    expect(threadsOf(answer).some(({ has_more }) => has_more === true)).toBe(true)
    for (const { thread } of whole.values()) expect(thread).not.toHaveProperty('has_more')
  })

  test('gives one alone the whole room', async () => {
    const { ann } = await alone()
    const id = await saying(ann, 'the one with many messages')
    // three times as much as an answer can hold
    const filler = 'x'.repeat(16_000)
    for (const _ of range(1, 22)) await say(ann, id, filler)
    await saying(ann, 'another one')
    await world.settled()
    for (const pagination of [{ limit: 1 }, { limit: 25 }, undefined, { limit: 100 }]) {
      const { answer, bytes } = await answered(ann, { query: 'many messages' }, pagination)
      const [thread] = threadsOf(answer)
      expect(thread.id).toBe(`${id}_1`)
      expect(bytes).toBeLessThanOrEqual(frameBytes)
      // seven events of 16 KB fit
      expect([pagination, orders(thread)]).toEqual([pagination, range(17, 23)])
      expect(thread.has_more).toBe(true)
    }
  })

  test('leaves the room that some do not need to the others', async () => {
    const { ann } = await alone()
    const long: string[] = []
    const words = (n: number) => `${n} `.padEnd(1000, 'x')
    for (const n of range(1, 10)) {
      if (n % 2 === 0) await saying(ann, 'short')
      else {
        const id = await start(
          ann,
          {},
          range(1, 20).map((m) => message(words(m))),
        )
        for (const m of range(21, 30)) await say(ann, id, words(m))
        long.push(`${id}_1`)
      }
    }
    await world.settled()
    const { answer, bytes } = await answered(ann, {}, { limit: 10 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    for (const thread of threadsOf(answer)) {
      if (!long.includes(thread.id)) {
        expect(orders(thread)).toEqual([1])
        expect(thread).not.toHaveProperty('has_more')
        continue
      }
      expectNewest(thread, 30)
      // 12 KiB would be an equal share
      const size = Buffer.byteLength(JSON.stringify(thread))
      expect(size).toBeGreaterThan(20 * 1024)
      expect(size).toBeLessThan(25 * 1024)
    }
  })

  describe('whose newest event has 16 KiB', () => {
    const scattered = async () => {
      const { ann } = await alone()
      const id = await saying(ann, 'before', 'x'.repeat(16 * 1024))
      for (const _ of range(1, 30)) await saying(ann, 'short')
      await world.settled()
      return async (filters: object, pagination?: object) => {
        const { answer, bytes } = await answered(ann, filters, pagination)
        expect(bytes).toBeLessThanOrEqual(frameBytes)
        return orders(threadsOf(answer).find((thread) => thread.id === `${id}_1`))
      }
    }

    test('shows it where it is found alone, or beside few', async () => {
      const shown = await scattered()
      for (const pagination of [{ limit: 1 }, undefined, { limit: 100 }])
        expect([pagination, await shown({ query: 'before' }, pagination)]).toEqual([pagination, [1, 2]])
      expect(await shown({}, { page: 2 })).toEqual([1, 2])
    })

    test('shows it beside many short ones, which leave it the room', async () => {
      const shown = await scattered()
      // the 30 others need a tenth of the room
      expect(await shown({}, { limit: 100 })).toContain(2)
    })
  })

  test('shows threads of which not even one event fits without any, and says so', async () => {
    const { ann } = await alone()
    const huge = 'x'.repeat(16 * 1024)
    for (const _ of range(1, 30)) await saying(ann, huge)
    await world.settled()
    const { answer, bytes } = await answered(ann, {}, { limit: 30 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    expect(answer.chats).toHaveLength(30)
    for (const thread of threadsOf(answer)) {
      expect(thread).toMatchObject({ active: true, order: 1, timestamp: expect.any(Number) })
      expect(thread.has_more).toBe(thread.events.length === 0 ? true : undefined)
    }
    const { answer: few } = await answered(ann, {}, { limit: 7 })
    for (const thread of threadsOf(few)) expect(orders(thread)).toEqual([1])
  })
})

describe('get_archives of a licence whose texts are not indexed', () => {
  const sentence = 'The messages of this licence are not indexed: leave the query out, or have them indexed'

  test('refuses a query, saying so; other filters work', async () => {
    const license = await world.license(
      { ann: {}, ben: {} },
      { groups: ['A'], settings: { index_texts: false } },
    )
    const ann = await license.login('ann')
    const id = await start(ann, { thread: { properties: { a: { x: 1 } } } }, [message('hello')])
    await world.settled()
    for (const query of ['hello', 'nothing'])
      expect(await ann.refused(action, { filters: { query, agent_ids: ['ann'] } })).toEqual(
        invalid('filters.query', sentence),
      )
    expect(await ann.refused(action, { filters: { query: '!!' } })).toMatchObject({ type: 'validation' })
    for (const filters of [
      {},
      { query: '' },
      { query: ' ' },
      { query: null },
      { agent_ids: ['ann'] },
      { properties: { 'a.x': { values: [1] } } },
      { date_from: '2016-01-01' },
    ])
      expect([filters, await found(ann, filters)]).toEqual([filters, firstOf(id)])
    expect(await found(ann, { agent_ids: ['ben'] })).toEqual([])
  })

  test("finds words again with a thread's next message once they are indexed again", async () => {
    const { license, ann } = await alone()
    const id = await saying(ann, 'monday')
    await world.settled()
    await changeLicense(world.table, license.id, { index_texts: false })
    await say(ann, id, 'tuesday')
    await world.settled()
    expect(await ann.refused(action, { filters: { query: 'monday' } })).toEqual(
      invalid('filters.query', sentence),
    )
    await changeLicense(world.table, license.id, { index_texts: true })
    await world.settled()
    expect(await byWords(ann, 'monday')).toEqual(firstOf(id))
    // what was said meanwhile was not indexed
    expect(await byWords(ann, 'tuesday')).toEqual([])
    await say(ann, id, 'wednesday')
    await world.settled()
    expect(await byWords(ann, 'wednesday')).toEqual(firstOf(id))
    expect(await byWords(ann, 'monday tuesday wednesday')).toEqual(firstOf(id))
  })
})

describe('get_archives is refused', () => {
  const many = range(1, 101)
  const text = expect.any(String)
  const wrong: [string, object, string, unknown][] = [
    ...[{}, { exists: null }, { values: [1], exclude_values: [2] }, { exists: true, values: [] }].map(
      (filter): [string, object, string, unknown] => [
        `the filter ${JSON.stringify(filter)}`,
        { filters: { properties: { 'a.x': filter } } },
        'filters.properties.a.x',
        oneType,
      ],
    ),
    [
      'one property twice, nested and dotted',
      { filters: { properties: { 'a.x': { exists: true }, a: { x: { values: [1] } } } } },
      'filters.properties.a.x',
      oneType,
    ],
    [
      '101 values',
      { filters: { properties: { 'a.x': { values: many } } } },
      'filters.properties.a.x.values',
      'At most 100 values',
    ],
    [
      '101 excluded values',
      { filters: { properties: { a: { x: { exclude_values: many } } } } },
      'filters.properties.a.x.exclude_values',
      'At most 100 values',
    ],
    [
      '101 properties',
      { filters: { properties: Object.fromEntries(many.map((n) => [`a.x${n}`, { exists: true }])) } },
      'filters.properties',
      'At most 100 properties can be filtered by',
    ],
    [
      'a value that no property has',
      { filters: { properties: { 'a.x': { values: [1, 0.5] } } } },
      'filters.properties.a.x.values.1',
      'A property is a string of at most 4096 bytes, a boolean or an integer within 2^53',
    ],
    [
      'exists that is no flag',
      { filters: { properties: { 'a.x': { exists: 1 } } } },
      'filters.properties.a.x.exists',
      'Must be true or false',
    ],
    [
      'a namespace alone',
      { filters: { properties: { a: 1 } } },
      'filters.properties.a',
      'A property is named as {"namespace": {"name": …}} or as "namespace.name"',
    ],
    ['properties that are a list', { filters: { properties: [] } }, 'filters.properties', text],
    ['filters that are a list', { filters: [] }, 'filters', text],
    ['filters that are a text', { filters: 'hello' }, 'filters', text],
    ...[5, true, ['hello'], { text: 'hello' }].map((query): [string, object, string, unknown] => [
      `the query ${JSON.stringify(query)}`,
      { filters: { query } },
      'filters.query',
      text,
    ]),
    [
      'a query of half a surrogate pair',
      { filters: { query: 'hello \ud800' } },
      'filters.query',
      'Not well-formed Unicode: half a surrogate pair',
    ],
    ...['agent_ids', 'agents'].flatMap((name): [string, object, string, unknown][] => [
      [`${name} that are a text`, { filters: { [name]: 'ann' } }, `filters.${name}`, text],
      [`a number among ${name}`, { filters: { [name]: ['ann', 5] } }, `filters.${name}.1`, text],
      [`an empty id among ${name}`, { filters: { [name]: [''] } }, `filters.${name}.0`, 'Must not be empty'],
      [
        `an id of 129 bytes among ${name}`,
        { filters: { [name]: ['x'.repeat(129)] } },
        `filters.${name}.0`,
        'Too long: at most 128 bytes of UTF-8',
      ],
      [`null among ${name}`, { filters: { [name]: [null] } }, `filters.${name}.0`, text],
    ]),
    ...[1.5, 'one', '', '1.0', null, true].map((team): [string, object, string, unknown] => [
      `the team ${JSON.stringify(team)}`,
      { filters: { team_ids: [team] } },
      'filters.team_ids.0',
      text,
    ]),
    ['team_ids that are a number', { filters: { team_ids: 1 } }, 'filters.team_ids', text],
    ['101 teams', { filters: { team_ids: many } }, 'filters.team_ids', 'At most 100 entries'],
    ...[0, -1, 1.5, '1', 2 ** 53, true].map((page): [string, object, string, unknown] => [
      `page ${JSON.stringify(page)}`,
      { pagination: { page } },
      'pagination.page',
      text,
    ]),
    ...[0, -1, 101, 2.5, '25', true].map((limit): [string, object, string, unknown] => [
      `limit ${JSON.stringify(limit)}`,
      { pagination: { limit } },
      'pagination.limit',
      text,
    ]),
    ['pagination that is a number', { pagination: 2 }, 'pagination', text],
    ['pagination that is a list', { pagination: [1, 25] }, 'pagination', text],
  ]
  let ann: Client
  beforeAll(async () => {
    ;({ ann } = await alone())
  })
  test.each(wrong)('with validation for %s', async (_what, payload, path, sentence) => {
    expect(await ann.refused(action, payload)).toEqual(invalid(path, sentence))
  })

  test('for the namespace __proto__', async () => {
    ann.send(
      `{"action":"${action}","payload":{"filters":{"properties":{"__proto__":{"x":{"exists":true}}}}}}`,
    )
    expect(((await ann.response()).payload as any).error).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.filters.properties.__proto__' }],
    })
  })

  test('with all that is wrong at once', async () => {
    const filters = { query: 5, date_from: '2016-02-30', agents: [''], properties: { a: 1 } }
    const error = await ann.refused(action, { filters, pagination: { page: 0, limit: 101 } })
    expect(error.details?.map(({ path }) => path).toSorted()).toEqual([
      ...['payload.filters.agents.0', 'payload.filters.date_from', 'payload.filters.properties.a'],
      ...['payload.filters.query', 'payload.pagination.limit', 'payload.pagination.page'],
    ])
  })

  test('before login, whatever its payload', async () => {
    const client = await world.open()
    for (const payload of [undefined, {}, { filters: { query: 'hello' } }, { filters: 5 }])
      expect(await client.refused(action, payload)).toEqual({
        type: 'auth',
        code: 401,
        message: 'Not logged in',
      })
  })

  test('once the licence has run out, whatever its payload', async () => {
    const expiresAt = Math.floor(Date.now() / 1000) + 60
    const license = await world.license({ ann: {} }, { expiresAt })
    const client = await license.login('ann')
    expect(await client.ok(action)).toMatchObject({ chats: [] })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
    for (const payload of [{}, { filters: { query: 'hello' } }, { filters: 5 }])
      expect(await client.refused(action, payload)).toEqual({
        type: 'license_expired',
        code: 402,
        message: 'License expired',
      })
  })

  test('to customers, who have no such action', async () => {
    const license = await world.license({ ann: {} })
    const { client } = await license.visit()
    expect(await client.refused(action)).toMatchObject({ type: 'validation' })
  })
})
