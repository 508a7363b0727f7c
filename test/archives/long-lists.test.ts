import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Engine, startEngine } from '../../infra/local/dynamodb.ts'
import { search as searchIndex } from '../../shared/chat/search.ts'
import { searchFor } from '../../shared/chat/search-plan.ts'
import type { PropertyValue } from '../../shared/protocol/properties.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import { freshTable } from '../support/engines.ts'
import { viewerOf, wantedOf } from './asked.ts'
import { monthStart, putAll, searcher } from './generated.ts'
import {
  type ArchiveFilters,
  archivesOf,
  type ChatModel,
  indexOf,
  type PropertyAsked,
  type Searcher,
} from './naive.ts'
import { seed, seeded } from './seeded.ts'
import { endStream } from './stored.ts'

let engine: Engine
let client: DynamoDBClient
let table: Table
beforeAll(async () => {
  engine = await startEngine()
  const fresh = await freshTable(engine.endpoint)
  client = fresh.client
  table = openTable(fresh)
  await endStream(client, fresh)
})
afterAll(async () => {
  client.destroy()
  await engine.stop()
})

const now = Date.now()
const begins = monthStart(now, -2)
const ends = monthStart(begins, 1) - 1

/** The `i`th thread of a month, from the newest on, in a chat of its own. */
const thread = (
  i: number,
  score: PropertyValue,
  {
    users = ['ann'],
    groups = [],
    stars,
  }: { users?: string[]; groups?: number[]; stars?: PropertyValue } = {},
): ChatModel => ({
  id: `long${String(i).padStart(4, '0')}`,
  users: [],
  scopes: { groups, agents: [] },
  properties: {},
  active: false,
  threads: [
    {
      n: 1,
      at: ends - (i + 1) * 60_000,
      userIds: new Set(users),
      properties: {
        order: { score: { value: score } },
        ...(stars === undefined ? {} : { rating: { stars: { value: stars } } }),
      },
      events: [],
    },
  ],
})

const put = (license: string, chats: readonly ChatModel[]) =>
  putAll(
    table,
    indexOf(license, chats).map((posting) => {
      const [pk = '', sk = ''] = posting.split(' ')
      return { Put: { Item: { pk, sk } } }
    }),
  )

const expectFound = async (
  license: string,
  chats: readonly ChatModel[],
  one: Searcher,
  filters: ArchiveFilters,
): Promise<number> => {
  const expected = archivesOf(chats, one, filters)
  const search = searchFor('thread', viewerOf(one), wantedOf(filters))
  const found = await searchIndex(table.read, {
    ...{ license, search, since: begins, now: ends, page: 1, limit: 100 },
  })
  expect({ one, filters, total: found.total, ids: found.places.map(({ id }) => id) }).toEqual({
    ...{ one, filters, total: expected.length, ids: expected.slice(0, 100) },
  })
  return expected.length
}

const owner = searcher('olga', { permission: 'owner' })
/** Values that nothing has. */
const others = (count: number): number[] => Array.from({ length: count }, (_, i) => 100 + i)

describe('a search that reads long lists side by side', () => {
  test('leaves out what any of them excludes, also far behind what it found before', async () => {
    // two lists of more than is read of them at first
    const chats = [
      thread(0, 'neither', { users: ['rare'] }),
      ...Array.from({ length: 620 }, (_, i) => thread(i + 1, i % 2)),
      thread(621, 1, { users: ['rare'] }),
      thread(622, 'neither', { users: ['rare'] }),
    ]
    await put('two', chats)
    for (const count of [0, 5, 20, 98]) {
      const exclude_values = [0, 1, ...others(count)]
      const filters = { agent_ids: ['rare'], properties: { 'order.score': { exclude_values } } }
      expect(await expectFound('two', chats, owner, filters)).toBe(2)
    }
  })

  test(`finds what is found by looking at all threads (ARCHIVES_SEED=${seed})`, async () => {
    const random = seeded(seed)
    const rare = ['rare-1', 'rare-2', 'rare-3', 'rare-4']
    const chats = Array.from({ length: 1500 }, (_, i) =>
      thread(i, random.below(2), {
        users: [random.one(['ann', 'ben']), ...rare.filter((_, k) => random.chance(0.002 * 3 ** k))],
        groups: random.one([[], [1], [2]]),
        stars: random.below(2),
      }),
    )
    await put('many', chats)
    const searchers = [owner, owner, searcher('ben'), searcher('cara', { groups: [1] })]
    const filter = (): PropertyAsked => {
      const values = random.shuffled([
        ...[0, 1].filter(() => random.chance(0.7)),
        ...others(random.below(60)),
      ])
      return random.chance(0.7) ? { exclude_values: values } : { values }
    }
    const totals = new Set<number>()
    for (let i = 0; i < 120; i += 1)
      totals.add(
        await expectFound('many', chats, random.one(searchers), {
          ...(random.chance(0.8) ? { agent_ids: random.shuffled(rare).slice(0, 1 + random.below(2)) } : {}),
          ...(random.chance(0.2) ? { team_ids: [1] } : {}),
          properties: {
            'order.score': filter(),
            ...(random.chance(0.6) ? { 'rating.stars': filter() } : {}),
          },
        }),
      )
    expect(totals.size).toBeGreaterThan(20)
  })
})
