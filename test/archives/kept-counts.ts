import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Viewer } from '../../shared/access/permissions.ts'
import { keepCounts, readCounts } from '../../shared/archive/search/kept-counts.ts'
import { type Query, planQuery, type Wanted } from '../../shared/archive/search/query.ts'
import { pastMonths } from '../../shared/archive/search/months.ts'
import { chatPk } from '../../shared/table/keys.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import type { HoldSteps } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { beginAt } from '../support/clock.ts'
import type { Call } from '../support/engine-proxy.ts'
import { type License, startWorld, type World } from '../support/world.ts'
import { makeOld, monthStart, searcher } from './generated.ts'
import {
  type ArchiveFilters,
  archivesOf,
  chatModelOf,
  type ChatFilters,
  type ChatModel,
  filteredChatsOf,
} from './naive.ts'
import { putAndIndex, putArchived } from './put.ts'
import { today } from './seeded.ts'
import { clientOf, storedIndex } from './stored.ts'

// Counts that are kept of months that are over.

const dayMs = 24 * 3_600_000
// more than a search looks at first
const long = 66
// of a search that counts are kept of
const mostLists = 64
const month = (back: number) => monthStart(today, -back)
const nameOf = (at: number) => new Date(at).toISOString().slice(0, 7)

let made = 0
const chatAt = (at: number, own: Partial<ChatModel> = {}): ChatModel => {
  const id = `count${String((made += 1)).padStart(6, '0')}`
  return {
    id,
    users: [{ id: 'ann', type: 'agent', present: true, met: true }],
    scopes: { groups: [], agents: [] },
    properties: { a: { x: { value: 1 } } },
    active: false,
    threads: [
      {
        n: 1,
        at,
        userIds: new Set(['ann']),
        properties: { a: { x: { value: 1 } } },
        events: [{ type: 'message', author_id: 'ann', text: 'hello' }],
      },
    ],
    ...own,
  }
}
const chatsIn = (back: number, count: number, own?: Partial<ChatModel>): ChatModel[] =>
  Array.from({ length: count }, (_, i) => chatAt(month(back) + dayMs + i * 60_000, own))

/**
 * The archives, each of a license: since when there is one, what is in it, and how many of the last of these
 * change.
 */
const populations = {
  over: {
    since: month(6),
    chats: [
      ...chatsIn(2, long),
      ...chatsIn(3, 6),
      ...chatsIn(4, long),
      ...chatsIn(4, 3, { scopes: { groups: [1], agents: [] } }),
      ...chatsIn(4, 3, { scopes: { groups: [], agents: ['ann'] } }),
      ...chatsIn(5, 20, { active: true }),
    ],
    changing: 0,
  },
  few: { since: month(4), chats: chatsIn(3, 10), changing: 0 },
  changed: {
    since: month(5),
    chats: [...chatsIn(2, 3), ...chatsIn(4, 3), ...chatsIn(3, long, { active: true })],
    changing: 6,
  },
  meanwhile: { since: month(3), chats: chatsIn(3, long), changing: 1 },
} satisfies Record<string, { since: number; chats: ChatModel[]; changing: number }>

const olga = searcher('olga', { permission: 'owner' })
const ben = searcher('ben', { groups: [1] })
const viewers: Record<string, Viewer> = {
  olga: { agent_id: 'olga', permission: 'owner', groups: [] },
  ben: { agent_id: 'ben', permission: 'normal', groups: [1] },
}
const threadsBy = (wanted: Wanted, who = 'olga'): Query => planQuery('thread', viewers[who]!, wanted)
const chatsBy = (wanted: Wanted, who = 'olga'): Query => planQuery('chat', viewers[who]!, wanted)
const ofX = (value: number): Wanted => ({ properties: [{ namespace: 'a', name: 'x', in: [value] }] })
const past = ({ since }: Archive): string[] => pastMonths(since, today).toSorted()
const nameOfDay = (at: number) => new Date(at).toISOString().slice(0, 10)

interface Archive {
  license: License
  since: number
  /** As they are: who changes one has it read again. */
  chats: ChatModel[]
  olga: Client
  ben: Client
}

/** `full`: of all kinds of searches and changes, and held at each step. */
export const describeKeptCounts = ({ full, hold }: { full: boolean; hold: HoldSteps }) => {
  beginAt(today)
  let world: World
  let client: DynamoDBClient
  /** By way of the proxy. */
  let table: Table
  beforeAll(async () => {
    const prepare = async (direct: Table) => {
      for (const [license, { chats, changing }] of Object.entries(populations)) {
        await putArchived(direct, license, chats.slice(0, chats.length - changing))
        await putAndIndex(direct, license, chats.slice(chats.length - changing))
      }
    }
    world = await startWorld({ index: true, prepare })
    client = clientOf(world)
    table = openTable({ client, tableName: world.tableName })
  })
  afterEach(() => world.proxy.setFault(undefined))
  afterAll(() => client.destroy())

  /** Logs people into one of the archives. */
  const open = async (name: keyof typeof populations): Promise<Archive> => {
    const license = await world.license(
      { olga: { permission: 'owner' }, ann: {}, ben: { groups: [1] } },
      { id: name, groups: ['A'] },
    )
    const { since, chats } = populations[name]
    await makeOld(world, license, since)
    return {
      license,
      since,
      chats: [...chats],
      olga: await license.login('olga'),
      ben: await license.login('ben'),
    }
  }

  const readAgain = async (of: Archive, id: string): Promise<void> => {
    const items = await world.table.read.query({ pk: chatPk(id), strong: true })
    of.chats = of.chats.map((chat) => (chat.id === id ? chatModelOf(items)! : chat))
  }

  /** The months in which a search is counted, and how many it has there. */
  const counted = async ({ license }: Archive, search: Query): Promise<Record<string, number>> =>
    Object.fromEntries(
      [...(await readCounts(world.table.read, { license: license.id, search }))].toSorted(([one], [other]) =>
        one < other ? -1 : 1,
      ),
    )
  const keptItems = async ({ license }: Archive): Promise<string[]> =>
    (await storedIndex(client, world, license.id)).filter((key) => /^INDEX#[^#]+#(MARKS|COUNTS)#/.test(key))

  /**
   * What searches read of lists. Those who count read consistently; what logins have done meanwhile reads no
   * lists.
   */
  const listRru = ({ license }: Archive, calls: readonly Call[]): number =>
    calls
      .filter(({ request }) => {
        const { ':pk': pk } = (request['ExpressionAttributeValues'] ?? {}) as Record<string, { S?: string }>
        return request.ConsistentRead !== true && pk?.S?.startsWith(`INDEX#${license.id}#LIST#`)
      })
      .reduce((sum, { rru }) => sum + rru, 0)

  /** Asks on the wire, compares with what there is, and resolves to what that read of lists, in RRU. */
  const archives = async (
    of: Archive,
    who: 'olga' | 'ben',
    filters: ArchiveFilters = {},
    pagination = { page: 1, limit: 5 },
  ): Promise<number> => {
    const expected = archivesOf(of.chats, who === 'olga' ? olga : ben, filters)
    const { result, calls } = await world.proxy.record(() =>
      of[who].ok('get_archives', { filters, pagination }),
    )
    const { page, limit } = pagination
    expect({
      total: result.pagination.total,
      ids: result.chats.map(({ chat }: any) => chat.thread.id),
    }).toEqual({ total: expected.length, ids: expected.slice((page - 1) * limit, page * limit) })
    return listRru(of, calls)
  }
  const filteredChats = async (
    of: Archive,
    who: 'olga' | 'ben',
    filters: ChatFilters = {},
    pagination = { page: 1, limit: 5 },
  ): Promise<void> => {
    const expected = filteredChatsOf(of.chats, who === 'olga' ? olga : ben, filters)
    const result = await of[who].ok('get_filtered_chats', { filters, pagination })
    const { page, limit } = pagination
    expect({
      total: result.pagination.total,
      ids: result.chats_summary.map(({ id }: any) => id),
    }).toEqual({ total: expected.length, ids: expected.slice((page - 1) * limit, page * limit) })
  }

  describe('counts of months that are over', () => {
    let of: Archive
    beforeAll(async () => {
      of = await open('over')
    })

    const kinds: [string, 'olga' | 'ben', ArchiveFilters, Query][] = [
      ['all threads', 'olga', {}, threadsBy({})],
      ['what an agent may see', 'ben', {}, threadsBy({}, 'ben')],
      ['a property', 'olga', { properties: { 'a.x': { values: [1] } } }, threadsBy(ofX(1))],
      [
        'a property among what an agent may see',
        'ben',
        { properties: { 'a.x': { values: [1] } } },
        threadsBy(ofX(1), 'ben'),
      ],
      ['an agent', 'olga', { agent_ids: ['ann'] }, threadsBy({ agents: ['ann'] })],
      [
        'what a property is not',
        'olga',
        { properties: { 'a.x': { exclude_values: [2] } } },
        threadsBy({ properties: [{ namespace: 'a', name: 'x', notIn: [2] }] }),
      ],
    ]
    const ofSome = kinds.filter(([name]) => /among/.test(name))
    const pages = [
      { page: 9, limit: 10 },
      { page: 17, limit: 5 },
      { page: 2, limit: 100 },
      { page: 40, limit: 10 },
    ]
    test.each(full ? kinds : ofSome)(
      'are kept once a search by %s has read long lists; the next one reads less',
      async (_, who, filters, search) => {
        const before = await archives(of, who, filters)
        await world.settled()
        const counts = await counted(of, search)
        expect(Object.keys(counts)).toEqual(past(of))
        for (const [name, count] of Object.entries(counts)) {
          const days = { date_from: `${name}-01`, date_to: nameOfDay(monthStart(Date.parse(name), 1) - 1) }
          expect(count).toBe(
            archivesOf(of.chats, who === 'olga' ? olga : ben, { ...filters, ...days }).length,
          )
        }
        const next = await archives(of, who, filters)
        expect(next).toBeGreaterThan(0)
        expect(next).toBeLessThan(before)
        for (const pagination of full ? pages : pages.slice(0, 1))
          await archives(of, who, filters, pagination)
        // within dates only whole months are counted
        await archives(of, who, { ...filters, date_from: `${nameOf(month(4))}-02` })
      },
    )

    test('are kept of chats as well', async () => {
      const searches = [
        ['ben', chatsBy({}, 'ben')],
        ['olga', chatsBy({})],
      ] as const
      for (const [who, search] of full ? searches : searches.slice(0, 1)) {
        await filteredChats(of, who)
        await world.settled()
        expect(Object.keys(await counted(of, search))).toEqual(past(of))
        for (const page of full ? [1, 18, 30] : [18]) await filteredChats(of, who, {}, { page, limit: 5 })
      }
    })

    test.runIf(full)('do not count chats with an active thread where those are left out', async () => {
      for (const page of [1, 18]) {
        await filteredChats(of, 'olga', { include_active: false }, { page, limit: 5 })
        await world.settled()
      }
      await filteredChats(of, 'olga', { include_active: false })
      await filteredChats(of, 'olga', { include_active: false }, { page: 37, limit: 5 })
    })

    test.runIf(full)(
      `are not kept of searches by words, nor of those by more than ${mostLists} lists`,
      async () => {
        const agents = (count: number) => [
          'ann',
          ...Array.from({ length: count - 1 }, (_, i) => `nobody-${i}`),
        ]
        const before = await keptItems(of)
        await archives(of, 'olga', { query: 'hello' })
        await archives(of, 'ben', { query: 'hello' })
        await archives(of, 'olga', { agent_ids: agents(mostLists + 1) })
        // three lists tell what an agent of one group may see
        await archives(of, 'ben', { agent_ids: agents(mostLists - 2) })
        await world.settled()
        expect(await keptItems(of)).toEqual(before)
        await archives(of, 'olga', { agent_ids: agents(mostLists) })
        await world.settled()
        expect((await keptItems(of)).length).toBeGreaterThan(before.length)
      },
    )

    test.runIf(!full)('are not made where all lists are short', async () => {
      const few = await open('few')
      await archives(few, 'olga')
      await filteredChats(few, 'olga')
      await world.settled()
      expect(await keptItems(few)).toEqual([])
    })
  })

  describe('a change in a month that is over', () => {
    let of: Archive
    let chats: ChatModel[]
    const searches = {
      all: threadsBy({}),
      one: threadsBy(ofX(1)),
      two: threadsBy(ofX(2)),
      seen: threadsBy({}, 'ben'),
      bens: threadsBy({ agents: ['ben'] }),
      refunds: threadsBy({ tags: [{ in: ['refund'] }] }),
      untagged: threadsBy({ tags: [{ exists: false }] }),
      spared: threadsBy({ tags: [{ notIn: ['spam'] }] }),
      chats: chatsBy({}),
      chatsOfOne: chatsBy(ofX(1)),
      chatsSeen: chatsBy({}, 'ben'),
    }
    type Named = keyof typeof searches
    const keep = async () => {
      const { license, since } = of
      for (const search of Object.values(searches))
        await keepCounts({ ...world.table, now: () => Date.now() }, { license: license.id, since, search })
    }
    const changedIn = month(3)

    beforeAll(async () => {
      of = await open('changed')
      chats = of.chats.slice(-populations.changed.changing)
    })

    const kinds: [string, Named[], (chat_id: string) => [string, object][]][] = [
      [
        "to a thread's property",
        ['one', 'two'],
        (chat_id) => [
          [
            'update_chat_thread_properties',
            { chat_id, thread_id: `${chat_id}_1`, properties: { a: { x: 2 } } },
          ],
        ],
      ],
      [
        "to a thread's tags",
        ['refunds', 'untagged'],
        (chat_id) => [['tag_thread', { chat_id, thread_id: `${chat_id}_1`, tag: 'refund' }]],
      ],
      [
        "to a chat's property",
        ['chatsOfOne'],
        (chat_id) => [['update_chat_properties', { chat_id, properties: { a: { x: 2 } } }]],
      ],
      [
        'to scopes',
        ['seen', 'chatsSeen'],
        (chat_id) => [['update_chat_scopes', { chat_id, add_scopes: { agents: ['ann'] } }]],
      ],
      // it is open: who is in it does not matter to who sees it
      ['to who was in a thread', ['bens'], (chat_id) => [['join_chat', { chat_id, agent_ids: ['ben'] }]]],
      [
        'that takes a chat out of it',
        ['chats', 'chatsOfOne', 'chatsSeen'],
        (chat_id) => [
          ['join_chat', { chat_id, agent_ids: ['olga'] }],
          ['close_thread', { chat_id }],
          ['send_event', { chat_id, event: { type: 'message', text: 'again' } }],
        ],
      ],
    ]
    const ofSome = kinds.filter(([name]) => /thread's property|takes/.test(name))
    test.each(full ? kinds : ofSome)(
      '%s takes the counts of that month alone from the searches that it concerns',
      async (_, concerned, change) => {
        await keep()
        const chat = chats.pop()!
        for (const [action, payload] of change(chat.id)) await of.olga.ok(action, payload)
        await world.settled()
        await readAgain(of, chat.id)
        for (const [name, search] of Object.entries(searches)) {
          const held = Object.keys(await counted(of, search))
          const isConcerned = concerned.some((one) => one === name)
          expect([name, held]).toEqual([
            name,
            past(of).filter((one) => !isConcerned || one !== nameOf(changedIn)),
          ])
        }
        const askAll = async () => {
          await archives(of, 'olga')
          for (const value of [1, 2])
            await archives(of, 'olga', { properties: { 'a.x': { values: [value] } } })
          await archives(of, 'ben')
          await archives(of, 'olga', { agent_ids: ['ben'] })
          await archives(of, 'olga', { tags: { values: ['refund'] } })
          await archives(of, 'olga', { tags: { exists: false } })
          await filteredChats(of, 'olga')
          await filteredChats(of, 'olga', { properties: { 'a.x': { values: [1] } } })
          await filteredChats(of, 'ben')
        }
        if (full) await askAll()
        await keep()
        for (const search of Object.values(searches))
          expect(Object.keys(await counted(of, search))).toEqual(past(of))
        await askAll()
      },
    )

    test.runIf(!full)('takes no counts where it changes nothing that is searched for', async () => {
      await keep()
      const { id: chat_id } = chats.pop()!
      await of.olga.ok('update_chat_properties', { chat_id, properties: { a: { y: 1 } } })
      await of.olga.ok('update_chat_thread_properties', {
        ...{ chat_id, thread_id: `${chat_id}_1`, properties: { b: { y: 1 } } },
      })
      await world.settled()
      for (const search of Object.values(searches))
        expect(Object.keys(await counted(of, search))).toEqual(past(of))
    })
  })

  describe('a change while months are counted', () => {
    let of: Archive
    let chat_id: string
    let value = 1
    const search = threadsBy(ofX(1))
    const keep = () =>
      keepCounts({ ...table, now: () => Date.now() }, { license: of.license.id, since: of.since, search })
    /** Into what is searched for, or out of it. */
    const change = async () => {
      value = 3 - value
      const properties = { a: { x: value } }
      await of.olga.ok('update_chat_thread_properties', { chat_id, thread_id: `${chat_id}_1`, properties })
      await world.settled()
      await readAgain(of, chat_id)
    }
    const check = async () => {
      const filters = { properties: { 'a.x': { values: [1] } } }
      for (let round = 0; round < 2; round += 1) {
        await archives(of, 'olga', filters)
        await world.settled()
        await world.queue.flush()
      }
      // and now they are counted, and right
      expect(Object.keys(await counted(of, search))).toEqual(past(of))
      await archives(of, 'olga', filters)
    }

    beforeAll(async () => {
      of = await open('meanwhile')
      chat_id = of.chats.at(-1)!.id
    })

    test('never leaves a wrong count, whichever call of the counting is held meanwhile', async () => {
      const prepare = async () => {
        // so that there is something to count
        await change()
        return { held: keep, meanwhile: change, check }
      }
      await hold(world, prepare, 7)
    })

    test.runIf(full)('nor where others count as well before it goes on', async () => {
      const prepare = async () => {
        await change()
        const meanwhile = async () => {
          await keep()
          await change()
          await keep()
        }
        return { held: keep, meanwhile, check }
      }
      await hold(world, prepare, 7, ['alone'])
    })

    test('nor where months are counted while any call of the change, and of its indexing, is held', async () => {
      await hold(world, async () => ({ held: change, meanwhile: keep, check }), 11, ['alone'])
    })
  })
}
