import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import type { Client } from '../support/client.ts'
import { startCustomerChat } from '../support/customers.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ index: true })
})
afterEach(() => world.proxy.setFault(undefined))

const action = 'get_filtered_chats'
const message = (text: string) => ({ type: 'message', text })

const start = async (client: Client, chat: object = {}, initial_events: object[] = []): Promise<string> =>
  (await client.ok('start_chat', { chat, initial_events })).chat.id
/** Starts chats one after the other, each later by a millisecond at least. */
const startInOrder = async (client: Client, chats: object[]): Promise<string[]> => {
  const ids: string[] = []
  for (const chat of chats) ids.push(await start(client, chat))
  return ids
}
const idsOf = ({ chats_summary }: { chats_summary: { id: string }[] }) => chats_summary.map(({ id }) => id)
const found = async (client: Client, filters?: object, pagination?: object): Promise<string[]> =>
  idsOf(await client.ok(action, { filters, pagination }))
const byProperties = (client: Client, properties: object) => found(client, { properties })
const startedAt = async (id: string) => (await readChat(world.table.read, id))!.started_at
const alone = async (draft: object = {}) => {
  const license = await world.license({ ann: draft })
  return { license, ann: await license.login('ann') }
}

describe('get_filtered_chats', () => {
  test('answers summaries of chats, and how many there are', async () => {
    const license = await world.license({ ann: { name: 'Ann' }, ben: {} }, { groups: ['A'] })
    const ann = await license.login('ann')
    const id = await start(
      ann,
      {
        properties: { rating: { score: 1 } },
        scopes: { groups: [1], agents: ['ben'] },
        thread: { properties: { t: { x: true } } },
      },
      [message('one'), message('two'), { type: 'annotation', annotation_type: 'note', text: 'noted' }],
    )
    const answer = await ann.call(action)
    const event = { timestamp: expect.any(Number), recipients: 'all', author_id: 'ann' }
    expect(answer).toEqual({
      request_id: answer.request_id,
      action,
      type: 'response',
      success: true,
      payload: {
        chats_summary: [
          {
            id,
            users: [
              {
                ...{ id: 'ann', type: 'agent', name: 'Ann', present: true },
                ...{ routing_status: 'accepting_chats', last_seen_timestamp: expect.any(Number) },
              },
            ],
            last_thread_summary: {
              ...{ id: `${id}_1`, timestamp: expect.any(Number), active: true, user_ids: ['ann'], order: 1 },
              last_event_per_type: [
                { ...event, id: `${id}_1_2`, order: 2, type: 'message', text: 'two' },
                {
                  ...{ ...event, id: `${id}_1_3`, order: 3, type: 'annotation' },
                  ...{ annotation_type: 'note', text: 'noted' },
                },
              ],
              events_count: 3,
              properties: { t: { x: { value: true } } },
            },
            properties: { rating: { score: { value: 1 } } },
            scopes: { groups: [1], agents: ['ben'] },
          },
        ],
        pagination: { page: 1, total: 1 },
      },
    })
  })

  test('of a license without chats answers none; those of another license are never there', async () => {
    const { ann } = await alone({ permission: 'owner' })
    const other = await alone({ permission: 'owner' })
    await start(other.ann)
    for (const payload of [undefined, null, {}, { filters: null, pagination: null }, { filters: {} }])
      expect(await ann.ok(action, payload)).toEqual({
        chats_summary: [],
        pagination: { page: 1, total: 0 },
      })
  })

  test('shows the chats that one has access to, and counts no others', async () => {
    const license = await world.license(
      { ann: {}, ben: { groups: [1] }, cleo: { permission: 'administrator' } },
      { groups: ['A', 'B'] },
    )
    const [ann, ben, cleo] = [
      await license.login('ann'),
      await license.login('ben'),
      await license.login('cleo'),
    ]
    const [open, group, other, named, own] = await startInOrder(ann, [
      {},
      { scopes: { groups: [1] } },
      { scopes: { groups: [2] } },
      { scopes: { agents: ['ben'] } },
      { scopes: { agents: ['ann'] } },
    ])
    const bens = await start(ben, { scopes: { agents: ['cleo'] } })
    const all = [bens, own, named, other, group, open]
    expect(await ann.ok(action)).toMatchObject({ pagination: { total: 5 } })
    expect(await found(ann)).toEqual(all.filter((id) => id !== bens))
    expect(await found(cleo)).toEqual(all)
    expect(await found(ben)).toEqual([bens, named, group, open])
    // in the chat, as supervisor too
    await cleo.ok('supervise_chat', { chat_id: other, agent_ids: ['ben'] })
    await cleo.ok('join_chat', { chat_id: own, agent_ids: ['ben'] })
    expect(await found(ben)).toEqual([bens, own, named, other, group, open])
  })

  test(
    'hides at once what was taken away, and shows at once what was given',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      const chat_id = await start(ann, { scopes: { agents: ['ann'] } })
      const scopes = { agents: ['ben'] }
      for (const [given, change, payload] of [
        [true, 'update_chat_scopes', { add_scopes: scopes }],
        [false, 'update_chat_scopes', { remove_scopes: scopes }],
        [true, 'join_chat', { agent_ids: ['ben'] }],
        [false, 'remove_from_chat', { agent_ids: ['ben'] }],
        [true, 'supervise_chat', { agent_ids: ['ben'] }],
        [false, 'remove_from_chat', { agent_ids: ['ben'] }],
      ] as const) {
        await ann.ok(change, { chat_id, ...payload })
        expect(await ben.ok(action)).toMatchObject(
          given
            ? { chats_summary: [{ id: chat_id }], pagination: { total: 1 } }
            : { chats_summary: [], pagination: { total: 0 } },
        )
      }
    },
  )

  test('hides a chat whose access is taken away while the request reads it', { tags: ['full'] }, async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const chat_id = await start(ann, { scopes: { agents: ['ben'] } })
    const gone = await world.proxy.record(() => ben.ok(action))
    const reads = gone.calls.length
    expect(idsOf(gone.result)).toEqual([chat_id])
    const seen = new Set<number>()
    for (let step = 1; step <= reads; step += 1) {
      await ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['ben', 'ann'] } })
      let calls = 0
      world.proxy.setFault(async () => {
        calls += 1
        if (calls !== step) return undefined
        await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
        await ann.ok('send_event', { chat_id, event: message(`after ${step}`) })
        return undefined
      })
      const answer = await ben.ok(action)
      world.proxy.setFault(undefined)
      seen.add(answer.chats_summary.length)
      // what is shown was so at some moment of the request: nothing of the time after
      for (const { scopes } of answer.chats_summary) expect(scopes.agents).toContain('ben')
      expect(JSON.stringify(answer)).not.toContain(`after ${step}`)
    }
    expect(seen).toEqual(new Set([0, 1]))
  })

  test('leaves out chats with an active thread where include_active is false, in either form', async () => {
    const { ann } = await alone()
    const [closed, active] = await startInOrder(ann, [{}, {}])
    await ann.ok('close_thread', { chat_id: closed })
    // only the index knows of it from now on
    await world.settled()
    const never = await start(ann)
    for (const include_active of [true, 'true', null, undefined])
      expect(await found(ann, { include_active })).toEqual([never, active, closed])
    for (const include_active of [false, 'false'])
      expect(await ann.ok(action, { filters: { include_active } })).toMatchObject({
        chats_summary: [{ id: closed, last_thread_summary: { active: false } }],
        pagination: { page: 1, total: 1 },
      })
    await ann.ok('send_event', { chat_id: closed, event: message('again') })
    expect(await found(ann, { include_active: false })).toEqual([])
  })

  test('puts the chat with the newest last thread first: one that is reopened moves to the front', async () => {
    const { ann } = await alone()
    const [first, second, third] = await startInOrder(ann, [{}, {}, {}])
    expect(await found(ann)).toEqual([third, second, first])
    // events move nothing, closing neither, nor an annotation behind it
    await ann.ok('send_event', { chat_id: first, event: message('more') })
    await ann.ok('close_thread', { chat_id: second })
    await ann.ok('send_event', {
      chat_id: second,
      event: { type: 'annotation', annotation_type: 'note' },
    })
    await ann.ok('update_chat_properties', { chat_id: first, properties: { a: { x: 1 } } })
    await world.settled()
    expect(await found(ann)).toEqual([third, second, first])
    await ann.ok('send_event', { chat_id: second, event: message('again') })
    expect(await ann.ok(action)).toMatchObject({
      chats_summary: [
        { id: second, last_thread_summary: { id: `${second}_2`, order: 2, active: true } },
        { id: third },
        { id: first },
      ],
    })
    expect(await found(ann, undefined, { limit: 1 })).toEqual([second])
  })

  test('puts those that started at one moment in the order of their ids', { tags: ['full'] }, async () => {
    const { license, ann } = await alone()
    const ids = await Promise.all(
      Array.from({ length: 12 }, (_, i) => startCustomerChat(world, license.id, `cus-${i}`)),
    )
    const chats = await Promise.all(ids.map(async (id) => ({ id, at: await startedAt(id) })))
    const ties = chats.length - new Set(chats.map(({ at }) => at)).size
    expect(ties).toBeGreaterThan(0)
    const expected = chats.toSorted((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1)).map(({ id }) => id)
    expect(await found(ann)).toEqual(expected)
    const pages = [1, 2, 3].map((page) => found(ann, undefined, { page, limit: 5 }))
    expect((await Promise.all(pages)).flat()).toEqual(expected)
  })
})

describe('get_filtered_chats by properties', () => {
  const rate = async () => {
    const { ann } = await alone()
    const [one, text, yes, two, none] = (await startInOrder(ann, [
      { properties: { rating: { score: 1, 'a.b': 'dots' } } },
      { properties: { rating: { score: '1' } } },
      { properties: { rating: { score: true, comment: 'good' } } },
      { properties: { rating: { score: 2 }, other: { score: 1 } } },
      {},
    ])) as [string, string, string, string, string]
    return { ann, one, text, yes, two, none }
  }
  let rated: Awaited<ReturnType<typeof rate>>
  beforeAll(async () => {
    rated = await rate()
  })

  test('takes filters nested and dotted', async () => {
    const { ann, one, yes } = rated
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

  test('exists: true or false', async () => {
    const { ann, one, text, yes, two, none } = rated
    expect(await byProperties(ann, { 'rating.score': { exists: true } })).toEqual([two, yes, text, one])
    expect(await byProperties(ann, { 'rating.score': { exists: false } })).toEqual([none])
    expect(await byProperties(ann, { 'rating.comment': { exists: false } })).toEqual([none, two, text, one])
    expect(await byProperties(ann, { 'nosuch.score': { exists: true } })).toEqual([])
  })

  test('values compare type and value, and one of them is enough', async () => {
    const { ann, one, text, yes, two } = rated
    expect(await byProperties(ann, { 'rating.score': { values: [1] } })).toEqual([one])
    expect(await byProperties(ann, { 'rating.score': { values: ['1'] } })).toEqual([text])
    expect(await byProperties(ann, { 'rating.score': { values: [true] } })).toEqual([yes])
    expect(await byProperties(ann, { 'rating.score': { values: ['true', '2'] } })).toEqual([])
    expect(await byProperties(ann, { 'rating.score': { values: [1, 2, 3, '1'] } })).toEqual([two, text, one])
    expect(await byProperties(ann, { 'rating.score': { values: [] } })).toEqual([])
    const many = Array.from({ length: 100 }, (_, i) => i + 2)
    expect(await byProperties(ann, { 'rating.score': { values: many } })).toEqual([two])
  })

  test('exclude_values match also where the property is absent', async () => {
    const { ann, one, text, yes, two, none } = rated
    expect(await byProperties(ann, { 'rating.score': { exclude_values: [1] } })).toEqual([
      ...[none, two, yes, text],
    ])
    expect(await byProperties(ann, { 'rating.score': { exclude_values: [1, '1', true, 2] } })).toEqual([none])
    expect(await byProperties(ann, { 'rating.score': { exclude_values: [] } })).toEqual([
      ...[none, two, yes, text, one],
    ])
  })

  test('of several properties all must fit, and so must include_active', async () => {
    const { ann, two } = rated
    const properties = { 'rating.score': { values: [1, 2] }, 'other.score': { values: [1] } }
    expect(await byProperties(ann, properties)).toEqual([two])
    expect(await byProperties(ann, { ...properties, 'rating.comment': { exists: true } })).toEqual([])
    expect(await found(ann, { properties, include_active: false })).toEqual([])
    await ann.ok('close_thread', { chat_id: two })
    expect(await found(ann, { properties, include_active: false })).toEqual([two])
  })

  test("go by the chat's properties as they are now, not by its threads'", async () => {
    const { ann } = await alone()
    const chat_id = await start(ann, { thread: { properties: { a: { x: 1 } } } })
    const filter = { 'a.x': { values: [1] } }
    expect(await byProperties(ann, filter)).toEqual([])
    await ann.ok('update_chat_properties', { chat_id, properties: { a: { x: 1 } } })
    expect(await byProperties(ann, filter)).toEqual([chat_id])
    await ann.ok('update_chat_properties', { chat_id, properties: { a: { x: null } } })
    expect(await byProperties(ann, filter)).toEqual([])
    expect(await byProperties(ann, { 'a.x': { exists: false } })).toEqual([chat_id])
  })

  test('never find a hidden chat, nor count it', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const hidden = await start(ann, { scopes: { agents: ['ann'] }, properties: { a: { x: 1 } } })
    const filters = { properties: { 'a.x': { values: [1] } } }
    expect(await found(ann, filters)).toEqual([hidden])
    expect(await ben.ok(action, { filters })).toEqual({
      chats_summary: [],
      pagination: { page: 1, total: 0 },
    })
  })

  test('take unknown names, also those that every object inherits, for absent', async () => {
    const { ann } = await alone()
    const chat_id = await start(ann)
    for (const name of [
      'constructor.name',
      'toString.length',
      '__proto__.x',
      'a.__proto__',
      'a.constructor',
    ]) {
      expect(await byProperties(ann, { [name]: { exists: true } })).toEqual([])
      expect(await byProperties(ann, { [name]: { exclude_values: [1] } })).toEqual([chat_id])
    }
  })
})

describe('get_filtered_chats in pages', () => {
  test('without pagination: the first 100; with it 25, or as many as asked', { tags: ['full'] }, async () => {
    const { license, ann } = await alone()
    const ids: string[] = []
    for (let i = 0; i < 103; i += 1) ids.push(await startCustomerChat(world, license.id, `cus-${i}`))
    const chats = await Promise.all(ids.map(async (id) => ({ id, at: await startedAt(id) })))
    const expected = chats.toSorted((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1)).map(({ id }) => id)
    for (const payload of [{}, { pagination: null }]) {
      const answer = await ann.ok(action, payload)
      expect(idsOf(answer)).toEqual(expected.slice(0, 100))
      expect(answer.pagination).toEqual({ page: 1, total: 103 })
    }
    for (const [pagination, from, to] of [
      [{}, 0, 25],
      [{ page: 1 }, 0, 25],
      [{ page: 2 }, 25, 50],
      [{ page: 5 }, 100, 103],
      [{ page: null, limit: null }, 0, 25],
      [{ limit: 100 }, 0, 100],
      [{ page: 2, limit: 100 }, 100, 103],
      [{ page: 103, limit: 1 }, 102, 103],
      [{ page: 6 }, 103, 103],
      [{ page: 1_000_000, limit: 100 }, 103, 103],
      [{ page: Number.MAX_SAFE_INTEGER, limit: 100 }, 103, 103],
    ] as const) {
      const answer = await ann.ok(action, { pagination })
      expect(idsOf(answer)).toEqual(expected.slice(from, to))
      const page = 'page' in pagination ? (pagination.page ?? 1) : 1
      expect(answer.pagination).toEqual({ page, total: 103 })
    }
  })

  test('counts what fits the filters, not what is on the page', async () => {
    const { ann } = await alone()
    const ids = await startInOrder(
      ann,
      Array.from({ length: 7 }, (_, i) => ({ properties: { a: { odd: i % 2 === 1 } } })),
    )
    const filters = { properties: { 'a.odd': { values: [false] } } }
    expect(await ann.ok(action, { filters, pagination: { page: 2, limit: 3 } })).toMatchObject({
      chats_summary: [{ id: ids[0] }],
      pagination: { page: 2, total: 4 },
    })
  })
})

describe('get_filtered_chats of large chats', () => {
  test(
    'shows full ones in order while they fit into 120 KiB, and the rest bare',
    { tags: ['full'] },
    async () => {
      const { ann } = await alone()
      const large = [message('x'.repeat(16_000)), { type: 'custom', content: { text: 'y'.repeat(8000) } }]
      const ids: string[] = []
      for (let i = 0; i < 8; i += 1) ids.push(await start(ann, { properties: { a: { i } } }, large))
      ids.push(await start(ann))
      await ann.received()
      const answer = await ann.call(action)
      const text = ann.answers.at(-1)!
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(120 * 1024)
      const { chats_summary, pagination } = answer.payload as any
      expect(pagination).toEqual({ page: 1, total: 9 })
      expect(idsOf({ chats_summary })).toEqual(ids.toReversed())
      const isBare = chats_summary.map((chat: any) => chat.has_more === true)
      // 24 KB each: the newest one, which is small, and four more
      expect(isBare).toEqual([...Array(5).fill(false), ...Array(4).fill(true)])
      expect(chats_summary[1].last_thread_summary.last_event_per_type).toHaveLength(2)
      const last = chats_summary.at(-1)
      expect(last).toEqual({
        id: ids[0],
        last_thread_summary: { id: `${ids[0]}_1`, order: 1, timestamp: expect.any(Number), active: true },
        has_more: true,
      })
      // what is bare is to be read by itself, and is whole on a page of its own
      expect((await ann.ok('get_chat_threads', { chat_id: last.id })).chat.threads[0].events).toHaveLength(2)
      const page = await ann.ok(action, { pagination: { page: 9, limit: 1 } })
      expect(page.chats_summary[0]).not.toHaveProperty('has_more')
    },
  )
})
