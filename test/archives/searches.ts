import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import pLimit from 'p-limit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keepCounts } from '../../shared/archive/search/kept-counts.ts'
import { search as searchIndex } from '../../shared/archive/search/search.ts'
import { type Query, planQuery } from '../../shared/archive/search/query.ts'
import { isIndexed, wordsIn } from '../../shared/archive/index/words.ts'
import type { PropertyValue } from '../../shared/protocol/properties.ts'
import { chatOfThread } from '../../shared/table/ids.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import type { Client } from '../support/client.ts'
import { beginAt } from '../support/clock.ts'
import { type AgentDraft, startWorld, type World } from '../support/world.ts'
import { filtersOf, viewerOf, wantedOf } from './asked.ts'
import {
  generateChats,
  generateStarts,
  makeOld,
  monthStart,
  searcher,
  someProperties,
  someTags,
} from './generated.ts'
import {
  type ArchiveFilters,
  archivesOf,
  type ChatFilters,
  type ChatModel,
  filteredChatsOf,
  indexOf,
  type PropertiesAsked,
  type Searcher,
  type ThreadModel,
  wordsOf,
} from './naive.ts'
import { firstPage, type Path, paths, pathsOf } from './paths.ts'
import { putAndIndex, putArchived } from './put.ts'
import { isUsualSeed, seed, seeded, today } from './seeded.ts'
import { clientOf, expectSame, storedIndex } from './stored.ts'
import { writing } from './texts.ts'

// Searches of an archive, held against what is found by looking at all of it.

/** How large the archive is, and how often it is searched. */
interface Extent {
  months: number
  threads: number
  /**
   * Of the threads; one by one they take the longest, so that the others' postings are put as they must be.
   */
  indexed: number
  /** Searches over the wire, of threads and of chats, and of the index itself. */
  searches: { archives: number; chats: number; index: number }
  /** Whether some threads have more words than are indexed, and months are counted as well. */
  full: boolean
  /** What the usual seed decides. */
  usual: {
    /**
     * How many of the wire's searches found something, and how many different numbers of threads and of
     * chats.
     */
    found: { some: number; totals: number; chatTotals: number }
    /** The ways to come to what is found that no search of the index goes. */
    unused: readonly Path[]
  }
}

const dayMs = 24 * 3_600_000
const license = 'archives'
const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)
const customersOf = ({ userIds }: ThreadModel): string[] => [...userIds].filter((id) => id.startsWith('cus-'))

const [olga, adam, nora, gina, gus, nils] = [
  'olga',
  'adam',
  'nora',
  'gina',
  'gus',
  'nils.o+x@mail-1_2',
] as const
const agents: Record<string, AgentDraft> = {
  [olga]: { permission: 'owner' },
  [adam]: { permission: 'administrator' },
  [nora]: {},
  [gina]: { groups: [1] },
  [gus]: { groups: [1, 2] },
  [nils]: {},
}

/** Everyone who searches, and what of them is said on the wire. */
const searchers: Searcher[] = [
  searcher(olga, { permission: 'owner' }),
  searcher(olga, { permission: 'owner', scopes: ['chats--my:read'] }),
  searcher(adam, { permission: 'administrator', scopes: ['chats--all:read'] }),
  searcher(nora),
  searcher(nora, { scopes: ['chats--all:read', 'chats--my:read'] }),
  searcher(gina, { groups: [1] }),
  searcher(gus, { groups: [1, 2] }),
  searcher(gus, { groups: [1, 2], scopes: ['chats--chat_scopes:read', 'broadcast:write'] }),
  searcher(gus, { groups: [1, 2], scopes: ['chats--my:read'] }),
  searcher(nils),
]

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `w${String(from + i).padStart(4, '0')}`)
/** Has more words in a message than are indexed of one. */
const wordy = numbered(0, 260)
/** Has more words than are indexed of a thread, and says some of them twice. */
const endless = Array.from({ length: 16 }, (_, i) => numbered(1000 + 150 * i, 1000 + 150 * (i + 1) + 10))

const capped = (id: string, texts: string[]): ChatModel => ({
  id,
  users: [{ id: nora, type: 'agent', present: true, met: true }],
  scopes: { groups: [], agents: [] },
  properties: {},
  active: false,
  threads: [
    {
      n: 1,
      at: today - 40 * dayMs,
      userIds: new Set([nora]),
      properties: {},
      events: texts.map((text) => ({ type: 'message', author_id: nora, text })),
    },
  ],
})

export const describeSearches = ({
  months,
  threads: threadCount,
  indexed: indexedThreads,
  searches,
  full: isFull,
  usual,
}: Extent): void =>
  void describe(`searches of ${months} months of archives (ARCHIVES_SEED=${seed})`, () => {
    beginAt(today)
    let random = seeded(seed)
    let write = writing(random, seeded(seed))
    /** By which tags and customers are asked for, so that the rest is asked for as without them. */
    let besides = seeded(seed)
    /** Each test goes by numbers of its own, whichever others run. */
    const draw = (test: number) => {
      random = seeded(seed + test)
      write = writing(random, seeded(seed))
      besides = seeded(seed - test)
    }
    const since = monthStart(today, 1 - months)

    let world: World
    let chats: ChatModel[]
    let threads: ThreadModel[]
    /** Those that the product has indexed, and what it came to. */
    const byProduct: ChatModel[] = []
    let indexed: string[]
    const clients = new Map<Searcher, Client>()
    /** By way of the proxy, which counts. */
    let table: Table
    let direct: DynamoDBClient

    beforeAll(async () => {
      world = await startWorld({ stream: false })
      const made = await world.license(agents, { id: license, groups: ['A', 'B', 'C'] })
      await makeOld(world, made, since)
      for (const one of searchers)
        clients.set(
          one,
          await made.login(one.id, {}, one.scopes === undefined ? {} : { scope: one.scopes.join(' ') }),
        )
      direct = clientOf(world)
      table = openTable({ client: direct, tableName: world.tableName })

      const endlessTexts = endless.map((words) => words.join(', '))
      chats = [
        ...(isFull ? [capped('wordy0', [wordy.join(' ')]), capped('endless0', endlessTexts)] : []),
        ...generateChats(random, write, {
          license,
          agents: Object.keys(agents),
          groups: [1, 2, 3],
          starts: generateStarts(random, { count: threadCount, since, until: today }),
        }),
      ]
      threads = chats.flatMap((chat) => chat.threads)
      const others: ChatModel[] = []
      for (let [i, count] = [0, 0]; i < chats.length; i += 1) {
        ;(count < indexedThreads ? byProduct : others).push(chats[i]!)
        count += chats[i]!.threads.length
      }
      await putAndIndex(world.table, license, byProduct)
      indexed = await storedIndex(direct, world, license)
      await putArchived(world.table, license, others)
    })
    afterAll(() => direct.destroy())

    /** Most are of a few months: of all of them each search reads every month. */
    const someDates = (): Pick<ArchiveFilters, 'date_from' | 'date_to'> => {
      const at = random.one(threads).at
      const [first, next] = [monthStart(at), monthStart(at, 1)]
      const border = () => dayOf(random.one([at, first, next - 1, next, first - 1]))
      switch (random.below(8)) {
        case 0:
          return {}
        case 1:
          return { date_from: dayOf(today - random.below(150) * dayMs) }
        case 2:
          return { date_to: dayOf(since + (at - since) * 0.2) }
        case 3:
          return { date_from: dayOf(at), date_to: dayOf(at) }
        case 4:
          return { date_from: border(), date_to: border() }
        case 5:
          return { date_from: dayOf(first), date_to: dayOf(at + random.below(100) * dayMs) }
        default:
          return { date_from: dayOf(at - random.below(60) * dayMs), date_to: border() }
      }
    }

    const someQuery = (): string => {
      const { events } = random.one(threads)
      const said = events.filter(({ type }) => type === 'message').map(({ text = '' }) => text)
      const words = said.length === 0 ? [write.word()] : wordsIn(random.one(said))
      const some = random.shuffled(words).slice(0, 1 + random.zipf([0, 1, 2]))
      const asked = [...some, ...(random.chance(0.3) ? [write.word()] : [])].map(write.disguised).join(' ')
      const query = random.chance(0.1) ? `x ${asked} 😀` : asked
      // not every word can be found
      return wordsIn(query).some(isIndexed) ? query : 'order'
    }

    const someValues = (): PropertyValue[] =>
      random.chance(0.06)
        ? Array.from({ length: 100 }, (_, i) => i)
        : random.chance(0.05)
          ? []
          : random.some(someProperties.values, 3).concat(random.zipf(someProperties.values))

    const somePropertiesAsked = (): PropertiesAsked => {
      const asked: PropertiesAsked = {}
      for (let n = 1 + random.zipf([0, 1, 2]); n > 0; n -= 1) {
        const named = `${random.zipf([...someProperties.namespaces, 'nosuch'])}.${random.zipf(someProperties.names)}`
        asked[named] = random.one([
          { exists: true },
          { exists: random.chance(0.5) },
          { values: someValues() },
          { exclude_values: someValues() },
        ])
      }
      return asked
    }

    const someUsers = (): string[] =>
      random.chance(0.1)
        ? [...Object.keys(agents), 'cus-1', 'cus-2', 'cus-3', 'nobody']
        : random
            .shuffled([...Object.keys(agents), `cus-${random.below(chats.length)}`, 'nobody'])
            .slice(0, 1 + random.zipf([0, 1, 2]))

    const someTagsAsked = (): NonNullable<ArchiveFilters['tags']> => {
      const some = () => besides.some([...someTags, 'nosuch'], 3)
      return besides.one([
        ...[{ exists: true }, { exists: false }, { values: some() }, { exclude_values: some() }],
        { values: some(), exclude_values: some() },
      ])
    }

    const someFilters = (): ArchiveFilters => ({
      ...someDates(),
      ...(random.chance(0.45) ? { query: someQuery() } : {}),
      ...(random.chance(0.25) ? { agent_ids: someUsers() } : {}),
      ...(random.chance(0.1) ? { agents: random.chance(0.2) ? [] : someUsers() } : {}),
      ...(random.chance(0.2) ? { team_ids: random.some([1, 2, 3, 4], 2) } : {}),
      ...(random.chance(0.35) ? { properties: somePropertiesAsked() } : {}),
      ...(besides.chance(0.15) ? { tags: someTagsAsked() } : {}),
      ...(besides.chance(0.08) ? { customer_ids: threads.flatMap(customersOf).slice(0, 30) } : {}),
    })

    const somePage = (total: number): { page: number; limit: number } => {
      const limit = random.chance(0.05) ? 100 : 1 + random.below(12)
      const pages = Math.ceil(total / limit)
      return { limit, page: random.chance(0.4) ? 1 : 1 + random.below(pages + 1) }
    }
    const pageOf = (ids: readonly string[], { page, limit }: { page: number; limit: number }) => ({
      total: ids.length,
      ids: ids.slice((page - 1) * limit, page * limit),
    })

    test('the index holds what it must, and nothing else', () => {
      expectSame(indexed, indexOf(license, byProduct))
    })

    test.runIf(isFull)(
      'at most 200 words of a message and 2,000 of a thread are found, the first ones',
      async () => {
        const client = clients.get(searchers[0]!)!
        const found = async (query: string) =>
          (await client.ok('get_archives', { filters: { query } })).chats.map(({ chat }: any) => chat.id)
        expect(await found(`${wordy[0]} ${wordy[199]}`)).toEqual(['wordy0'])
        expect(await found(wordy[200]!)).toEqual([])
        expect(await found(`${wordy[0]} ${wordy[259]}`)).toEqual([])
        const all = [...new Set(endless.flat())]
        expect(all.length).toBeGreaterThan(2000)
        expect(await found(`${all[0]} ${all[1999]}`)).toEqual(['endless0'])
        expect(await found(all[2000]!)).toEqual([])
        const model = chats.find(({ id }) => id === 'endless0')!
        expect(wordsOf(model.threads[0]!).size).toBe(2000)
      },
    )

    /** Asks for archives over the wire and compares; resolves to how many there were. */
    const askArchives = async (one: Searcher, filters: ArchiveFilters): Promise<number> => {
      const expected = archivesOf(chats, one, filters)
      const pagination = somePage(expected.length)
      const answer = await clients.get(one)!.ok('get_archives', { filters, pagination })
      const asked = { one, filters, pagination }
      const ids = answer.chats.map(({ chat }: any) => chat.thread.id)
      expect({ asked, total: answer.pagination.total, ids }).toEqual({
        asked,
        ...pageOf(expected, pagination),
      })
      return expected.length
    }
    const askChats = async (one: Searcher, filters: ChatFilters): Promise<number> => {
      const expected = filteredChatsOf(chats, one, filters)
      const pagination = somePage(expected.length)
      const answer = await clients.get(one)!.ok('get_filtered_chats', { filters, pagination })
      const asked = { one, filters, pagination }
      const ids = answer.chats_summary.map(({ id }: any) => id)
      expect({ asked, total: answer.pagination.total, ids }).toEqual({
        asked,
        ...pageOf(expected, pagination),
      })
      return expected.length
    }
    const someChatFilters = (): ChatFilters => ({
      ...(random.chance(0.5) ? { include_active: random.chance(0.4) } : {}),
      ...(random.chance(0.7) ? { properties: somePropertiesAsked() } : {}),
    })

    const sideBySide = 3
    beforeAll(() => {
      // what is counted for one search only, and often: a test below counts what it asks again
      world.queue.hold()
    })

    test(`${searches.archives} times get_archives answers what is found by looking at all threads`, async () => {
      const limit = pLimit(sideBySide)
      draw(1)
      const totals = await Promise.all(
        Array.from({ length: searches.archives }, (_, i) => {
          const one = searchers[i % searchers.length]!
          const filters = someFilters()
          return limit(() => askArchives(one, filters))
        }),
      )
      if (!isUsualSeed) return
      const { some, totals: different } = usual.found
      expect([totals.filter((total) => total > 0).length, new Set(totals).size]).toEqual([some, different])
    })

    test(`${searches.chats} times get_filtered_chats answers what is found by looking at all chats`, async () => {
      const limit = pLimit(sideBySide)
      draw(2)
      const totals = await Promise.all(
        Array.from({ length: searches.chats }, (_, i) => {
          const one = searchers[i % searchers.length]!
          const filters = someChatFilters()
          return limit(() => askChats(one, filters))
        }),
      )
      if (isUsualSeed) expect(new Set(totals).size).toBe(usual.found.chatTotals)
    })

    /** Searches the index itself and compares; resolves to how it came to what it found. */
    const askIndex = async (
      kind: 'thread' | 'chat',
      one: Searcher,
      filters: ArchiveFilters,
      pagination?: { page: number; limit: number },
    ): Promise<Path[]> => {
      const expected =
        kind === 'thread' ? archivesOf(chats, one, filters) : filteredChatsOf(chats, one, filters)
      const page = pagination ?? somePage(expected.length)
      const search = planQuery(kind, viewerOf(one), wantedOf(filters))
      const { date_from, date_to } = filters
      const asked = {
        ...{ license, search, since, now: today, ...page },
        from: date_from === undefined ? undefined : Date.parse(date_from),
        to: date_to === undefined ? undefined : Date.parse(date_to) + dayMs - 1,
      }
      const { result, calls } = await world.proxy.record(() => searchIndex(table.read, asked))
      const ids = result.places.map(({ id }) => (kind === 'thread' ? id : chatOfThread(id)))
      expect({ kind, one, filters, page, total: result.total, ids }).toEqual({
        ...{ kind, one, filters, page, ...pageOf(expected, page) },
      })
      return pathsOf(search, calls)
    }

    test(`${searches.index} searches of the index find the same, in every way that there is to find it`, async () => {
      draw(3)
      const ways = new Map<Path, number>(paths.map((path) => [path, 0]))
      const note = (taken: readonly Path[]) => {
        for (const path of new Set(taken)) ways.set(path, ways.get(path)! + 1)
      }
      for (let i = 0; i < searches.index; i += 1) {
        const one = searchers[i % searchers.length]!
        if (random.chance(0.2)) note(await askIndex('chat', one, { properties: somePropertiesAsked() }))
        else note(await askIndex('thread', one, someFilters()))
      }
      for (const asked of [tooMuchToAsk(), pageByPage()])
        if (asked !== undefined) note(await askIndex('thread', ...asked))
      const unused = [...ways].flatMap(([path, times]) => (times === 0 ? [path] : []))
      if (isUsualSeed) expect(unused).toEqual(usual.unused)
    })

    const [owner] = searchers as [Searcher]
    const datesOf = (at: number) => ({ date_from: dayOf(at), date_to: dayOf(monthStart(at, 1) - 1) })
    const byMonth = () => Map.groupBy(threads, ({ at }) => monthStart(at))

    /** A short list that is nearly a page long, and a hundred that exclude. */
    const tooMuchToAsk = (): [Searcher, ArchiveFilters] | undefined => {
      const properties = { 'order.score': { exclude_values: Array.from({ length: 100 }, (_, i) => i) } }
      for (const [month, begun] of byMonth())
        for (const agent of Object.keys(agents)) {
          const count = begun.filter(({ userIds }) => userIds.has(agent)).length
          if (count > 30 && count < firstPage)
            return [owner, { ...datesOf(month), agent_ids: [agent], properties }]
        }
      return undefined
    }

    const fullest = () => [...byMonth()].toSorted(([, one], [, other]) => other.length - one.length)[0]!

    /** With so many lists the pages of each are short. */
    const pageByPage = (): [Searcher, ArchiveFilters] => {
      const properties = { 'order.score': { exclude_values: Array.from({ length: 100 }, (_, i) => i) } }
      return [owner, { ...datesOf(fullest()[0]), team_ids: [1, 2, 3], properties }]
    }

    test.runIf(isFull)('months that are counted once and for all change no answer', async () => {
      draw(4)
      const asked: [Searcher, ArchiveFilters][] = [
        [owner, {}],
        [searchers[4]!, {}],
        [searchers[6]!, { team_ids: [1] }],
        [searchers[9]!, { properties: { 'order.score': { exclude_values: [0, 1] } } }],
        [owner, { properties: { 'order.score': { values: [0, 1] }, 'rating.score': { exists: true } } }],
        [owner, { agent_ids: [nora, gus] }],
        [searchers[3]!, { date_from: dayOf(since + 100 * dayMs), date_to: dayOf(today - 50 * dayMs) }],
      ]
      const keep = (search: Query) =>
        keepCounts({ ...world.table, now: () => Date.now() }, { license, since, search })
      for (const [one, filters] of asked) {
        await keep(planQuery('thread', viewerOf(one), wantedOf(filters)))
        for (let i = 0; i < 3; i += 1) await askArchives(one, filters)
      }
      for (const one of [owner, searchers[7]!])
        for (const properties of [{}, { 'order.score': { exists: true } }]) {
          await keep(planQuery('chat', viewerOf(one), { properties: filtersOf(properties) }))
          for (const include_active of [true, false]) await askChats(one, { properties, include_active })
        }
    })
  })
