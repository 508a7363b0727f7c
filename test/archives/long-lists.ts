import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, expect } from 'vitest'
import { createTable } from '../../infra/local/engine/create-table.ts'
import { type Engine, localClientConfig, startEngine } from '../../infra/local/engine/engine.ts'
import { search as searchIndex } from '../../shared/archive/search/search.ts'
import { planQuery } from '../../shared/archive/search/query.ts'
import type { PropertyValue } from '../../shared/protocol/properties.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import { type EngineProxy, startEngineProxy } from '../support/engine-proxy.ts'
import { viewerOf, wantedOf } from './asked.ts'
import { monthStart, searcher } from './generated.ts'
import { type ArchiveFilters, archivesOf, type ChatModel, type Searcher } from './naive.ts'
import { type Path, pathsOf } from './paths.ts'
import { postingOps, putAll } from './put.ts'
import { today } from './seeded.ts'

// Threads of one month that stand in few lists, so that there can be many of them.

const begins = monthStart(today, -2)
const ends = monthStart(begins, 1) - 1

/** The `i`th thread of a month, from the newest on, in a chat of its own. */
export const thread = (
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

/** An engine of the file's own, with what is put there and searched for. */
export const openLists = () => {
  let engine: Engine
  let proxy: EngineProxy
  let client: DynamoDBClient
  let table: Table
  beforeAll(async () => {
    engine = await startEngine()
    proxy = await startEngineProxy(engine.endpoint)
    client = new DynamoDBClient(localClientConfig(proxy.endpoint))
    await createTable(client, 'lists', { stream: false })
    table = openTable({ client, tableName: 'lists' })
  })
  afterAll(async () => {
    client.destroy()
    await proxy.stop()
    await engine.stop()
  })

  return {
    put: (license: string, chats: readonly ChatModel[]) =>
      // only threads are searched for here, and none by whether it has a property
      putAll(
        table,
        postingOps(license, chats, (pk) => !/#(C\.|T\.has:)/.test(pk)),
      ),
    /** Searches the index and compares; resolves to how many there were, and to how it came to them. */
    expectFound: async (
      license: string,
      chats: readonly ChatModel[],
      one: Searcher,
      filters: ArchiveFilters,
      { page, limit } = { page: 1, limit: 100 },
    ): Promise<{ total: number; ways: Path[] }> => {
      const expected = archivesOf(chats, one, filters)
      const search = planQuery('thread', viewerOf(one), wantedOf(filters))
      const asked = { license, search, since: begins, now: ends, page, limit }
      const { result, calls } = await proxy.record(() => searchIndex(table.read, asked))
      const ids = result.places.map(({ id }) => id)
      expect({ one, filters, page, total: result.total, ids }).toEqual({
        ...{ one, filters, page, total: expected.length },
        ids: expected.slice((page - 1) * limit, page * limit),
      })
      return { total: expected.length, ways: pathsOf(search, calls) }
    },
  }
}

export const owner = searcher('olga', { permission: 'owner' })
/** Values that nothing has. */
export const others = (count: number): number[] => Array.from({ length: count }, (_, i) => 100 + i)
