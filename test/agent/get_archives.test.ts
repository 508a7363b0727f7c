import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import type { Client } from '../support/client.ts'
import { addCustomer, startCustomerChat } from '../support/customers.ts'
import { message } from '../support/events.ts'
import { denied } from '../support/wire-errors.ts'
import { testFirst } from '../support/sample.ts'
import { sharedWorld, type World } from '../support/world.ts'
import {
  action,
  alone,
  answered,
  byProperties,
  byWords,
  firstOf,
  found,
  frameBytes,
  goOn,
  holdIndex,
  orders,
  range,
  say,
  saying,
  search,
  start,
  startInOrder,
  threadsOf,
} from './archive.ts'
import { holders, people, type Person, reaches } from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ index: true })
})
afterEach(() => world.proxy.setFault(undefined))

const unfit = (sentence: string) => ({
  ...{ type: 'validation', code: 400, message: 'Wrong format of request' },
  details: [{ path: 'payload.filters.query', message: sentence }],
})

describe('get_archives', () => {
  test('answers chats, each with the one thread that was found, and how many there are', async () => {
    const license = await world.license(
      { ann: { name: 'Ann', email: 'ann@example.com' }, ben: { name: 'Ben', avatar: 'https://x.example/b' } },
      { groups: ['A'] },
    )
    const ann = await license.login('ann')
    for (const payload of [undefined, { filters: null, pagination: null }])
      expect(await ann.ok(action, payload)).toEqual({ chats: [], pagination: { page: 1, total: 0 } })
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
        message('between us', { recipients: 'agents' }),
        { type: 'custom', content: { any: ['thing'] } },
      ],
    )
    await ann.ok('supervise_chat', { chat_id: id, agent_ids: ['ben'] })
    await say(ann, id, 'bye', { custom_id: 'm4' })
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
                },
                {
                  ...{ id: 'ann', type: 'agent', name: 'Ann', email: 'ann@example.com', present: true },
                  ...{ routing_status: 'accepting_chats', last_seen_timestamp: expect.any(Number) },
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

  test(
    'shows short threads whole, by themselves and beside others, and leaves out what there is none of',
    { tags: ['full'] },
    async () => {
      const { ann } = await alone(world)
      const properties = { source: { type: 'web', campaign: 'x'.repeat(300) } }
      const chats: object[] = []
      for (const payload of [
        {},
        ...[[], [message('hello')], [message('x'.repeat(200))]].map((initial_events) => ({
          ...{ initial_events, chat: { properties, scopes: { agents: ['ann'] } } },
        })),
      ])
        chats.unshift(await ann.ok('start_chat', payload))
      await world.settled()
      expect(await search(ann)).toEqual({ chats, pagination: { page: 1, total: 4 } })
      expect((await search(ann, {}, { limit: 1 })).chats).toEqual(chats.slice(0, 1))
      expect((await search(ann, {}, { page: 4, limit: 1 })).chats).toEqual(chats.slice(3))
    },
  )

  test('has one result per thread, the newest start first, whatever is said in it or behind its end', async () => {
    const { ann } = await alone(world)
    const [first, second] = (await startInOrder(ann, [{}, {}])) as [string, string]
    await goOn(ann, first, 'again')
    await goOn(ann, second, 'again')
    await goOn(ann, first, 'and again')
    await ann.ok('close_thread', { chat_id: second })
    await ann.ok('send_event', { chat_id: second, event: { type: 'annotation', annotation_type: 'note' } })
    const at = { chat_id: second, thread_id: `${second}_1` }
    await ann.ok('update_chat_thread_properties', { ...at, properties: { a: { x: 1 } } })
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
    const archived = 'ann archived the chat'
    expect(threadsOf({ chats }).map(({ events }) => events.map(({ text }: any) => text))).toEqual([
      ...[['and again'], ['again', archived, undefined], ['again', archived], [archived], [archived]],
    ])

    const all = threadsOf({ chats }).map(({ id }) => id)
    for (const filters of [
      null,
      { agent_ids: [], agents: [], team_ids: [] },
      { properties: { rating: {} } },
      { query: ' \t\n\u00a0\u3000', date_from: null, properties: null },
      // fields that it does not know
      { group_ids: [7], include_active: 'maybe' },
    ])
      expect([filters, await found(ann, filters)]).toEqual([filters, all])
  })
})

describe('get_archives by words', () => {
  const texts = {
    german: 'Grüße aus Köln, ＦＵＬＬ ｗｉｄｔｈ: crème BRÛLÉE',
    japanese: '東京に行きます',
    arabic: 'مرحبا بالعالم',
    refund: `My refund of 5, please! I have one ${'y'.repeat(41)}`,
    short: `猫 ${'z'.repeat(40)} 집`,
    digit: 'C++ in room 7 👍',
    digits: 'room 17, 7.30, 绿茶 집에',
    keys: 'all open user user LIST INDEX 100%',
    many: range(1, 21)
      .map((n) => `word${n}`)
      .join(' '),
  }
  type Text = keyof typeof texts
  let ann: Client
  const ids = {} as Record<Text, string>
  beforeAll(async () => {
    ;({ ann } = await alone(world))
    for (const [name, text] of Object.entries(texts)) ids[name as Text] = await saying(ann, text)
    await world.settled()
  })

  test.each<[Text | 'none', string, ...string[]]>([
    [
      'german',
      'without letter case, accents and width',
      'GRUSSE',
      'ko\u0308ln',
      'Ｆｕｌｌ WIDTH',
      'creme brulee',
    ],
    ['japanese', 'of any script', '東京'],
    ['arabic', 'from right to left', 'مرحبا'],
    ['refund', 'whole', 'refund', '"refund"', 'please, my refund', '  refund \n'],
    ['none', 'not in part', 'ref', 'fund', 'refunds', 'my-fund'],
    [
      'refund',
      'beside words that are not indexed',
      'b refund',
      '!! refund ??',
      `👍 refund ${'x'.repeat(41)}`,
    ],
    ['none', 'only where each is there', 'a b nothing', 'refund köln'],
    ['short', 'of one ideograph or syllable, or 40 characters', '猫', '집', 'Z'.repeat(40)],
    ['digit', 'of one digit', '7', '７', 'room 7', 'C++ room 7'],
    ['none', 'of one character within a longer one', '1', '茶', '绿'],
    [
      'keys',
      'as often as one likes, and such as keys are made of',
      'user USER Üser',
      'LIST#INDEX',
      'all',
      '100%',
    ],
    ['none', 'of messages, not of users', 'ann'],
    ['many', 'up to 20', texts.many.split(' ').slice(1).join(' ')],
  ])('finds %s by words %s', async (name, _how, ...queries) => {
    for (const query of queries)
      expect([query, await byWords(ann, query)]).toEqual([query, name === 'none' ? [] : firstOf(ids[name])])
  })

  test('refuses more than 20 words, and a query without a word that is indexed', async () => {
    const most = (count: number) => unfit(`Has ${count} words: at most 20 can be looked for`)
    expect(await ann.refused(action, { filters: { query: texts.many } })).toEqual(most(21))
    expect(await ann.refused(action, { filters: { query: 'many words '.repeat(1500) } })).toEqual(most(3000))
    for (const query of ['!!', 'b', 'a b c', 'C++', 'ㅋ', '👍', 'x'.repeat(41), 'x'.repeat(30_000)])
      expect([query, await ann.refused(action, { filters: { query } })]).toEqual([
        query,
        unfit(
          'Has no word to look for: of 2 to 40 letters or digits, or a single digit, ideograph or Hangul syllable',
        ),
      ])
  })

  test(
    'finds words of different messages of one thread, not of different threads, nor of another license',
    { tags: ['full'] },
    async () => {
      const [ours, theirs] = [await alone(world), await alone(world, { permission: 'owner' })]
      const id = await saying(ours.ann, 'where is my parcel')
      await say(ours.ann, id, 'it was sent on Monday')
      const second = await goOn(ours.ann, id, 'the parcel has come on Tuesday')
      const other = await saying(ours.ann, 'the parcel')
      const strange = await saying(theirs.ann, 'the parcel was sent on Monday')
      await world.settled()
      expect(await byWords(ours.ann, 'parcel monday')).toEqual([`${id}_1`])
      expect(await byWords(ours.ann, 'tuesday parcel')).toEqual([second])
      expect(await byWords(ours.ann, 'monday tuesday')).toEqual([])
      expect(await byWords(ours.ann, 'parcel')).toEqual([`${other}_1`, second, `${id}_1`])
      for (const filters of [{}, { query: 'parcel' }, { agent_ids: ['ann'] }])
        expect(await found(theirs.ann, filters)).toEqual(firstOf(strange))
    },
  )

  test(
    'looks into messages alone, of whomever and to whomever they are, also once the thread is closed',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {}, ben: {}, zoe: { name: 'Zanzibar' } })
      const [agent, ben] = [await license.login('ann'), await license.login('ben')]
      const properties = { ns: { name: 'propertyword' } }
      const id = await start(agent, { properties, thread: { properties } }, [
        { type: 'annotation', annotation_type: 'annotationtype', text: 'annotationword' },
        { type: 'system_message', text: 'systemword', system_message_type: 'systemtype' },
        {
          type: 'filled_form',
          fields: [{ type: 'text', name: 'fieldname', label: 'fieldlabel', value: 'fieldvalue' }],
        },
        { type: 'custom', content: { text: 'contentword' } },
        message('messageword', { custom_id: 'customid', properties: { ns: { x: 'eventproperty' } } }),
      ])
      await agent.ok('join_chat', { chat_id: id, agent_ids: ['zoe'] })
      await ben.ok('supervise_chat', { chat_id: id })
      await say(agent, id, 'agentsword', { recipients: 'agents' })
      await say(ben, id, 'supervisorword')
      await agent.ok('close_thread', { chat_id: id })
      await agent.ok('send_event', {
        chat_id: id,
        event: { type: 'annotation', annotation_type: 'note', text: 'lateword' },
      })
      const customers = await startCustomerChat(world, license.id, 'carl', { texts: ['customerword'] })
      await world.settled()
      for (const query of [
        ...[
          'annotationtype',
          'annotationword',
          'systemword',
          'systemtype',
          'fieldname',
          'fieldlabel',
          'lateword',
        ],
        ...['fieldvalue', 'contentword', 'propertyword', 'customid', 'eventproperty', 'zanzibar', 'joined'],
      ])
        expect([query, await byWords(agent, query)]).toEqual([query, []])
      for (const query of ['messageword', 'agentsword', 'supervisorword messageword'])
        expect([query, await byWords(agent, query)]).toEqual([query, firstOf(id)])
      expect(await byWords(agent, 'customerword')).toEqual(firstOf(customers))
    },
  )
})

test('get_archives by agents finds threads that name one of them, also who has left, not who came behind their end', async () => {
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
  const ids = range(1, 99).map((n) => `agent-${n}`)
  for (const [filters, expected] of [
    [{ agent_ids: ['ben'] }, firstOf(id)],
    [{ agent_ids: ['cleo'] }, firstOf(id)],
    [{ agent_ids: ['carl', 'dan'] }, firstOf(id)],
    [{ agent_ids: ['ann', 'cleo', 'ann'] }, firstOf(other, id)],
    [{ agent_ids: ['dan', 'nobody', 'a#b', '%23', 'Ben', 'be'] }, []],
    [{ agents: ['ben'] }, firstOf(id)],
    [{ agents: ['ann'], agent_ids: ['cleo'] }, firstOf(other, id)],
    [{ agents: [], agent_ids: ['cleo'] }, firstOf(id)],
    [{ agents: ['dan'], agent_ids: null }, []],
    [{ agent_ids: ids, agents: [...ids.slice(9), 'carl'] }, firstOf(id)],
  ] as const)
    expect([filters, await found(ann, filters)]).toEqual([filters, expected])

  await ann.ok('join_chat', { chat_id: id, agent_ids: ['ann', 'dan'] })
  const second = await goOn(ann, id, 'again')
  await ann.ok('close_thread', { chat_id: id })
  await ann.ok('join_chat', { chat_id: id, agent_ids: ['ben'] })
  await world.settled()
  expect(await found(ann, { agent_ids: ['ben'] })).toEqual([`${id}_1`])
  expect(await found(ann, { agent_ids: ['dan'] })).toEqual([second, `${id}_1`])
})

test(
  'get_archives by teams goes by the scopes of now, which name one of the groups, of older threads too',
  { tags: ['full'] },
  async () => {
    const license = await world.license({ ann: { permission: 'owner' } }, { groups: ['A', 'B', 'C'] })
    const ann = await license.login('ann')
    const [a, b, both] = (await startInOrder(ann, [
      { scopes: { groups: [1] } },
      { scopes: { groups: [2] } },
      { scopes: { groups: [1, 2] } },
      {},
    ])) as [string, string, string]
    const second = await goOn(ann, a, 'again')
    const byTeams = (...team_ids: unknown[]) => found(ann, { team_ids })
    await world.settled()
    expect(await byTeams(1)).toEqual([second, ...firstOf(both, a)])
    expect(await byTeams('1')).toEqual([second, ...firstOf(both, a)])
    expect(await byTeams('2', 3, 2)).toEqual(firstOf(both, b))
    expect(await byTeams(3, 0, -1, '77')).toEqual([])
    await ann.ok('update_chat_scopes', {
      ...{ chat_id: a, add_scopes: { groups: [3] }, remove_scopes: { groups: [1] } },
    })
    await world.settled()
    expect(await byTeams(1)).toEqual(firstOf(both))
    expect(await byTeams(3)).toEqual([second, `${a}_1`])
    await ann.ok('update_chat_scopes', { chat_id: a, remove_scopes: { groups: [3] } })
    await world.settled()
    expect(await byTeams(3)).toEqual([])
  },
)

test('get_archives by dates compares the day of the start, both ends included', async () => {
  const { ann } = await alone(world)
  const id = await start(ann)
  await world.settled()
  const [{ timestamp }] = threadsOf(await search(ann))
  const dayOf = (days: number) => new Date((timestamp + days * 24 * 3600) * 1000).toISOString().slice(0, 10)
  const [before, day, after] = [dayOf(-1), dayOf(0), dayOf(1)]
  for (const [filters, isFound] of [
    [{ date_from: day, date_to: day }, true],
    [{ date_from: before, date_to: after }, true],
    [{ date_from: after, date_to: dayOf(40) }, false],
    [{ date_from: dayOf(-40), date_to: before }, false],
    // one of them alone
    [{ date_from: day, date_to: null }, true],
    [{ date_from: dayOf(-400) }, true],
    [{ date_from: after }, false],
    [{ date_to: day }, true],
    [{ date_to: dayOf(400) }, true],
    [{ date_to: before }, false],
    // the first one after the second
    [{ date_from: after, date_to: before }, false],
    [{ date_from: after, date_to: day }, false],
    // all that a date can be
    [{ date_from: '0000-01-01', date_to: '9999-12-31' }, true],
    [{ date_from: '9999-12-31' }, false],
    [{ date_to: '0000-01-01' }, false],
    [{ date_from: '2016-02-29', date_to: '2016-12-31' }, false],
  ] as const)
    expect([filters, await found(ann, filters)]).toEqual([filters, isFound ? firstOf(id) : []])
})

describe('get_archives by properties', () => {
  test('finds threads by their own, of each filter type, nested or dotted; of several all must fit', async () => {
    const { ann } = await alone(world)
    const thread = (properties: object) => ({ thread: { properties } })
    const [one, text, yes, two, none] = firstOf(
      ...(await startInOrder(ann, [
        thread({ rating: { score: 1, 'a.b': 'dots' } }),
        thread({ rating: { score: '1' } }),
        thread({ rating: { score: true, comment: 'good' } }),
        thread({ rating: { score: 2 }, other: { score: 1 } }),
        { properties: { rating: { score: 1 } } },
      ])),
    )
    await world.settled()
    const both = { 'rating.score': { values: [1, 2] }, 'other.score': { values: [1] } }
    for (const [filters, ids] of [
      [{ rating: { score: { values: [1] } } }, [one]],
      [{ 'rating.score': { values: [1] } }, [one]],
      [{ rating: { 'a.b': { exists: true } } }, [one]],
      [{ 'rating.a.b': { values: ['dots'] } }, [one]],
      [{ 'rating.score': { exists: 'true' } }, [two, yes, text, one]],
      [{ 'rating.score': { exists: false } }, [none]],
      [{ 'rating.comment': { exists: 'false' } }, [none, two, text, one]],
      [{ 'nosuch.score': { exists: true } }, []],
      // type and value
      [{ 'rating.score': { values: ['1'] } }, [text]],
      [{ 'rating.score': { values: [true] } }, [yes]],
      [{ 'rating.score': { values: ['true', '2', false, 0, ''] } }, []],
      [{ 'rating.score': { values: [1, 2, 3, '1'] } }, [two, text, one]],
      [{ 'rating.score': { values: [] } }, []],
      [{ 'rating.score': { values: range(2, 101) } }, [two]],
      // where the property is absent too
      [{ 'rating.score': { exclude_values: [1] } }, [none, two, yes, text]],
      [{ 'rating.score': { exclude_values: [1, '1', true, 2] } }, [none]],
      [{ rating: { score: { exclude_values: [] } } }, [none, two, yes, text, one]],
      [both, [two]],
      [{ ...both, 'rating.comment': { exists: true } }, []],
      [{ 'rating.score': { exclude_values: [1] }, rating: { comment: { exists: true } } }, [yes]],
    ] as const)
      expect([filters, await byProperties(ann, filters)]).toEqual([filters, ids])
  })

  test(
    "goes by each thread's as they are now, also while the index does not know of a change yet",
    { tags: ['full'] },
    async () => {
      const { ann } = await alone(world)
      const id = await start(ann, { properties: { a: { x: 1 } } })
      const second = await goOn(ann, id, 'again')
      const change = (thread_id: string, x: number | null) =>
        ann.ok('update_chat_thread_properties', { chat_id: id, thread_id, properties: { a: { x } } })
      const having = (value: number) => byProperties(ann, { 'a.x': { values: [value] } })
      await world.settled()
      expect(await having(1)).toEqual([])
      await change(`${id}_1`, 1)
      await change(second, 2)
      await world.settled()
      expect([await having(1), await having(2)]).toEqual([[`${id}_1`], [second]])

      const catchUp = await holdIndex(world)
      await change(second, 1)
      const stale = await search(ann, { properties: { 'a.x': { values: [2] } } })
      expect(stale).toEqual({ chats: [], pagination: { page: 1, total: 1 } })
      await catchUp()
      expect([await having(1), await having(2)]).toEqual([[second, `${id}_1`], []])
      await change(`${id}_1`, null)
      await world.settled()
      expect(await having(1)).toEqual([second])
      expect(await byProperties(ann, { 'a.x': { exists: false } })).toEqual([`${id}_1`])
    },
  )

  test(
    "finds the server's own, and long texts, and takes names that nothing can have for absent",
    { tags: ['full'] },
    async () => {
      const { ann, license } = await alone(world)
      const long = 'ü'.repeat(2000)
      const id = await start(ann, { thread: { properties: { a: { long } } } })
      const tab = await license.visit()
      const routed = await tab.client.ok('start_chat')
      await world.settled()
      expect(await byProperties(ann, { 'a.long': { values: [long] } })).toEqual(firstOf(id))
      expect(await byProperties(ann, { 'a.long': { values: [`${long}!`] } })).toEqual([])
      const assigned = { 'routing.unassigned': { values: [false] } }
      expect(await byProperties(ann, assigned)).toEqual(firstOf(routed.chat.id))
      for (const name of ['constructor.name', '__proto__.x', 'a.__proto__', 'a#b.c%23', 'a. ', 'ü.💡']) {
        expect([name, await byProperties(ann, { [name]: { exists: true } })]).toEqual([name, []])
        const without = await byProperties(ann, { [name]: { exclude_values: [1] } })
        expect([name, without]).toEqual([name, firstOf(routed.chat.id, id)])
      }
      // longer than a key of the table, or once it is escaped, and half a surrogate pair: absent, or refused
      for (const name of [`a.${'x'.repeat(3000)}`, `a.${'#'.repeat(900)}`, 'a.\ud800'])
        for (const filter of [{ exists: true }, { exclude_values: [1] }]) {
          const { success, payload } = await ann.call(action, { filters: { properties: { [name]: filter } } })
          if (success) expect((payload as any).pagination.total).toBe('exists' in filter ? 0 : 2)
          else expect(payload).toMatchObject({ error: { type: 'validation' } })
        }
    },
  )
})

describe('get_archives by tags', () => {
  const tag = (client: Client, thread_id: string, ...tags: string[]) =>
    Promise.all(
      tags.map((one) => client.ok('tag_thread', { chat_id: thread_id.split('_')[0], thread_id, tag: one })),
    )

  test('finds threads that have one of some, none of some, any, or none at all', async () => {
    const { ann } = await alone(world)
    const [both, refund, upper, none] = firstOf(...(await startInOrder(ann, [{}, {}, {}, {}])))
    await tag(ann, both!, 'refund', 'vip')
    await tag(ann, refund!, 'refund')
    await tag(ann, upper!, 'Refund', '#1')
    await world.settled()
    for (const [tags, ids] of [
      [{ values: ['refund'] }, [refund, both]],
      [{ values: ['refund', 'Refund', 'nosuch'] }, [upper, refund, both]],
      [{ values: ['REFUND'] }, []],
      [{ values: ['#1'] }, [upper]],
      [{ values: [] }, []],
      [{ exclude_values: ['refund'] }, [none, upper]],
      [{ exclude_values: ['vip', '#1'] }, [none, refund]],
      [{ exclude_values: [] }, [none, upper, refund, both]],
      [{ exists: true }, [upper, refund, both]],
      [{ exists: 'false' }, [none]],
      [{ values: ['refund'], exclude_values: ['vip'] }, [refund]],
      [{ exists: false, values: ['refund'] }, []],
      [{ values: null, exists: null }, [none, upper, refund, both]],
      [{}, [none, upper, refund, both]],
    ] as const)
      expect([tags, await found(ann, { tags })]).toEqual([tags, ids])
  })

  test('shows them, and goes by them as they are now, of closed threads too', async () => {
    const { ann } = await alone(world)
    const id = await start(ann)
    const [first] = firstOf(id)
    const second = await goOn(ann, id, 'again')
    const having = (value: string) => found(ann, { tags: { values: [value] } })
    await tag(ann, first!, 'refund')
    await tag(ann, second, 'vip')
    await world.settled()
    const answer = await search(ann, { tags: { values: ['refund'] } })
    expect(threadsOf(answer)).toMatchObject([{ id: first, tags: ['refund'] }])
    expect([await having('refund'), await having('vip')]).toEqual([[first], [second]])

    const catchUp = await holdIndex(world)
    await ann.ok('untag_thread', { chat_id: id, thread_id: first, tag: 'refund' })
    // as the index still has it, it is counted, but never shown
    expect(await search(ann, { tags: { exists: true } })).toMatchObject({
      chats: [{ chat: { thread: { id: second } } }],
      pagination: { page: 1, total: 2 },
    })
    await catchUp()
    expect(await found(ann, { tags: { exists: true } })).toEqual([second])
    expect(await found(ann, { tags: { exists: false } })).toEqual([first])
  })
})

test('get_archives by customers finds the threads that one of them was in', async () => {
  const { ann, license } = await alone(world)
  const ids: string[] = []
  for (const name of ['carl', 'cleo']) {
    await addCustomer(world, license.id, name)
    ids.push(await startCustomerChat(world, license.id, name))
  }
  const [carls, cleos] = firstOf(...ids)
  await ann.ok('join_chat', { chat_id: ids[0], agent_ids: ['ann'] })
  const others = await goOn(ann, ids[0]!, 'hello again')
  await world.settled()
  for (const [filters, threads] of [
    [{ customer_ids: ['carl'] }, [others, carls]],
    [{ customer_ids: ['cleo', 'nosuch'] }, [cleos]],
    [{ customer_ids: ['nosuch'] }, []],
    [{ customer_ids: [] }, [others, cleos, carls]],
    [{ customer_ids: ['carl', 'cleo'], agent_ids: ['ann'] }, [others, carls]],
    [{ customer_ids: ['cleo'], agent_ids: ['ann'] }, []],
    [{ customer_ids: null }, [others, cleos, carls]],
  ] as const)
    expect([filters, (await found(ann, filters)).toSorted()]).toEqual([filters, threads.toSorted()])
})

test('get_archives by several filters finds what fits all of them', { tags: ['full'] }, async () => {
  const license = await world.license({ ann: { permission: 'owner' }, ben: {} }, { groups: ['A', 'B'] })
  const ann = await license.login('ann')
  const fits = { word: 'parcel', ben: true, team: 1, score: 1 }
  const make = async ({ word, ben, team, score }: typeof fits) => {
    const chat = { scopes: { groups: [team] }, thread: { properties: { rating: { score } } } }
    const id = await start(ann, chat, [message(`my ${word}`)])
    if (ben) await ann.ok('join_chat', { chat_id: id, agent_ids: ['ben'] })
    return id
  }
  const one = await make(fits)
  // each misses one of the filters
  const misses = {
    query: await make({ ...fits, word: 'refund' }),
    agent_ids: await make({ ...fits, ben: false }),
    team_ids: await make({ ...fits, team: 2 }),
    properties: await make({ ...fits, score: 2 }),
  }
  await world.settled()
  const filters = {
    query: 'parcel',
    agent_ids: ['ben', 'nobody'],
    team_ids: [1, 7],
    properties: { 'rating.score': { values: [1, 9] } },
  }
  const names = Object.keys(filters) as (keyof typeof filters)[]
  for (const bits of range(0, 2 ** names.length - 1)) {
    const asked = names.filter((_, index) => (bits & (2 ** index)) > 0)
    const given = Object.fromEntries(asked.map((name) => [name, filters[name]]))
    const left = names.filter((name) => !asked.includes(name)).map((name) => misses[name])
    expect([asked, await found(ann, given)]).toEqual([asked, firstOf(...left.toReversed(), one)])
  }
  const unlike = { 'rating.score': { exclude_values: [1] } }
  for (const [change, ids] of [
    [{ query: 'refund parcel' }, []],
    [{ date_from: '2016-01-01' }, firstOf(one)],
    [{ date_to: '2016-12-31' }, []],
    [{ properties: unlike }, firstOf(misses.properties)],
    [{ properties: unlike, team_ids: [2] }, []],
  ] as const)
    expect([change, await found(ann, { ...filters, ...change })]).toEqual([change, ids])
})

test('get_archives in pages partitions what is found, the newest first, and counts it: 25 by default', async () => {
  const { license, ann } = await alone(world)
  const made = await Promise.all(
    range(1, 30).map((n) => startCustomerChat(world, license.id, `cus-${n}`, { texts: ['hello'] })),
  )
  await world.settled()
  const all = threadsOf(await search(ann, {}, { limit: 100 }))
  const order = all.map(({ id }) => id)
  expect(order.toSorted()).toEqual(firstOf(...made).toSorted())
  const starts = all.map(({ timestamp }) => timestamp)
  expect(starts).toEqual(starts.toSorted((a, b) => b - a))
  for (const [pagination, from, to] of [
    // null and absence are one to the schema (test/protocol/agent-requests.test.ts)
    [undefined, 0, 25],
    [{ page: 2 }, 25, 30],
    [{ limit: 7 }, 0, 7],
    [{ page: 2, limit: 7 }, 7, 14],
    [{ page: 5, limit: 7 }, 28, 30],
    [{ page: 30, limit: 1 }, 29, 30],
    [{ page: 3 }, 30, 30],
    [{ page: Number.MAX_SAFE_INTEGER, limit: 100 }, 30, 30],
  ] as const)
    // with and without filters in one order
    for (const filters of [{}, { query: 'hello', properties: { 'a.x': { exists: false } } }]) {
      const answer = await search(ann, filters, pagination)
      const shown = threadsOf(answer).map(({ id }) => id)
      expect([pagination, shown]).toEqual([pagination, order.slice(from, to)])
      expect(answer.pagination).toEqual({ page: pagination?.page ?? 1, total: 30 })
    }
  const [first] = made
  await ann.ok('update_chat_thread_properties', {
    ...{ chat_id: first, thread_id: `${first}_1`, properties: { a: { x: 1 } } },
  })
  await world.settled()
  // what fits the filters is counted, not what is on the page
  const without = await search(ann, { properties: { 'a.x': { exists: false } } }, { page: 2, limit: 20 })
  expect([without.chats.length, without.pagination]).toEqual([9, { page: 2, total: 29 }])
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
  const due = (reach: Readonly<Record<'hidden' | 'open', readonly Person[]>>, person: Person) =>
    firstOf(
      ...(reach.open.includes(person) ? [open] : []),
      ...(reach.hidden.includes(person) ? [hidden] : []),
    )
  const many = { query: 'hello', agent_ids: ['member'], properties: { 'a.x': { exists: false } } }

  test('to everyone what it has access to, and counts nothing else; to another license nothing', async () => {
    for (const filters of [{}, many]) {
      for (const person of people)
        expect([person, await found(scene.clients[person], filters)]).toEqual([
          ...[person, due(reaches.access, person)],
        ])
      expect(await found(scene.clients.stranger, filters)).toEqual([])
    }
  })

  testFirst(
    'by a token with %s what that reaches',
    [
      ['chats--my:read', reaches.membership],
      ['chats--chat_scopes:read', reaches.access],
      ['chats--all:read', reaches.administration],
    ],
    async (scope, reach) => {
      for (const person of holders) {
        const client = await scene.license.login(person, {}, { scope })
        if (scope === 'chats--all:read' && person !== 'administrator')
          expect(await client.refused(action), person).toEqual(denied())
        else expect([person, await found(client, many)]).toEqual([person, due(reach, person)])
        await client.close()
      }
    },
  )

  test(
    'by a token with chats--my:read an administrator the chats that it is in',
    { tags: ['full'] },
    async () => {
      const boss = await scene.license.login('administrator', {}, { scope: 'chats--my:read' })
      const both = { scope: 'chats--my:read chats--all:read' }
      const anyway = await scene.license.login('administrator', {}, both)
      const chat_id = await scene.start('hidden')
      await scene.clients.host.ok('supervise_chat', { chat_id, agent_ids: ['administrator'] })
      await world.settled()
      expect(await found(boss)).toEqual(firstOf(chat_id))
      await scene.clients.host.ok('remove_from_chat', { chat_id, agent_ids: ['administrator'] })
      expect(await search(boss)).toMatchObject({ chats: [] })
      await world.settled()
      expect(await found(boss)).toEqual([])
      expect(await found(anyway)).toHaveLength(3)
    },
  )
})

describe('get_archives, where access changes,', () => {
  let ann: Client
  let ben: Client
  beforeAll(async () => {
    const license = await world.license({ ann: {}, ben: { groups: [1] } }, { groups: ['A', 'B'] })
    ann = await license.login('ann')
    ben = await license.login('ben')
  })
  let cases = 0
  /** A chat of two threads, and the searches that find them. */
  const make = async (scopes: object) => {
    const word = `secret${(cases += 1)}`
    const chat_id = await start(ann, { scopes }, [message(`${word} plans`)])
    const second = await goOn(ann, chat_id, `${word} plans`)
    const searches = [{ query: word }, { query: `plans ${word}`, agents: ['ann'] }]
    return { chat_id, ids: [second, `${chat_id}_1`], searches }
  }

  testFirst(
    'hides at once what one had access to by %s',
    [
      ['agents of its scopes', { agents: ['ben', 'ann'] }, { remove_scopes: { agents: ['ben'] } }],
      ['groups of its scopes', { groups: [1, 2] }, { remove_scopes: { groups: [1] } }],
      ['who is in it', { agents: ['ann'] }, { agent_ids: ['ben'] }],
      ['having no scopes', {}, { add_scopes: { agents: ['ann'] } }],
    ],
    async (_by, scopes, change) => {
      const { chat_id, ids, searches } = await make(scopes)
      const leaves = 'agent_ids' in change
      if (leaves) await ann.ok('join_chat', { chat_id, ...change })
      await world.settled()
      for (const filters of searches) expect(await found(ben, filters)).toEqual(ids)
      const catchUp = await holdIndex(world)
      await ann.ok(leaves ? 'remove_from_chat' : 'update_chat_scopes', { chat_id, ...change })
      await say(ann, chat_id, 'nothing for ben')
      for (const filters of searches) {
        // it is still in the index
        expect(await search(ben, filters)).toEqual({ chats: [], pagination: { page: 1, total: 2 } })
        expect(await found(ann, filters)).toEqual(ids)
      }
      await catchUp()
      for (const filters of searches) expect(await found(ben, filters)).toEqual([])
    },
  )

  testFirst(
    'finds what one gains access to by %s, older threads too',
    [
      ['agents of its scopes', 'update_chat_scopes', { add_scopes: { agents: ['ben'] } }],
      ['groups of its scopes', 'update_chat_scopes', { add_scopes: { groups: [1] } }],
      ['being in it', 'join_chat', { agent_ids: ['ben'] }],
      ['supervising it', 'supervise_chat', { agent_ids: ['ben'] }],
      ['its having no scopes', 'update_chat_scopes', { remove_scopes: { agents: ['ann'] } }],
    ] as const,
    async (_by, change, payload) => {
      const { chat_id, ids, searches } = await make({ agents: ['ann'] })
      await world.settled()
      for (const filters of searches) expect(await found(ben, filters)).toEqual([])
      await ann.ok(change, { chat_id, ...payload })
      await world.settled()
      for (const filters of searches) expect(await found(ben, filters)).toEqual(ids)
    },
  )
})

test(
  'get_archives shows threads of which not even one event fits without any, and says so',
  { tags: ['full'] },
  async () => {
    const { ann } = await alone(world)
    for (const _ of range(1, 10)) await saying(ann, 'x'.repeat(16 * 1024))
    await world.settled()
    const { answer, bytes } = await answered(ann, {}, { limit: 10 })
    expect(bytes).toBeLessThanOrEqual(frameBytes)
    expect(answer.chats).toHaveLength(10)
    for (const thread of threadsOf(answer)) {
      expect(thread).toMatchObject({ active: true, order: 1, timestamp: expect.any(Number) })
      expect(thread.has_more).toBe(thread.events.length === 0 ? true : undefined)
    }
    expect(threadsOf(answer).some(({ has_more }) => has_more === true)).toBe(true)
    const { answer: few } = await answered(ann, {}, { limit: 7 })
    for (const thread of threadsOf(few)) expect(orders(thread)).toEqual([1])
  },
)

test(
  'get_archives of a license whose texts are not indexed refuses a query; once they are, what is said from then on is found',
  { tags: ['full'] },
  async () => {
    const sentence = 'The messages of this license are not indexed: leave the query out, or have them indexed'
    const { license, ann } = await alone(world)
    const id = await saying(ann, 'monday')
    await world.settled()
    await changeLicense(world.table, license.id, { index_texts: false })
    await say(ann, id, 'tuesday')
    await world.settled()
    for (const query of ['monday', 'nothing'])
      expect(await ann.refused(action, { filters: { query, agent_ids: ['ann'] } })).toEqual(unfit(sentence))
    for (const filters of [{}, { query: ' ' }, { agent_ids: ['ann'] }, { date_from: '2016-01-01' }])
      expect([filters, await found(ann, filters)]).toEqual([filters, firstOf(id)])

    await changeLicense(world.table, license.id, { index_texts: true })
    await world.settled()
    expect(await byWords(ann, 'monday')).toEqual(firstOf(id))
    await say(ann, id, 'wednesday')
    await world.settled()
    expect(await byWords(ann, 'monday wednesday')).toEqual(firstOf(id))
    // what was said meanwhile is indexed by a command
    expect(await byWords(ann, 'tuesday')).toEqual([])
  },
)
