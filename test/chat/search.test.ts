import type { Family } from '../../shared/protocol/action.ts'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { search } from '../../shared/archive/search/search.ts'
import { monthsBetween, monthRange, pastMonths } from '../../shared/archive/search/months.ts'
import { isKept, nameOfSearch } from '../../shared/archive/search/kept-counts.ts'
import type { Query } from '../../shared/archive/search/query.ts'
import { withWord } from '../../shared/archive/index/lists.ts'
import { monthOf, postingSk, postingsPk } from '../../shared/table/keys.ts'
import type { Attributes, Reader } from '../../shared/table/ops.ts'
import type { Place } from '../../shared/table/archive/postings.ts'

const license = 'l'
const dayMs = 24 * 3_600_000
const now = Date.UTC(2026, 5, 15, 12)
const since = Date.UTC(2026, 1, 10)

type Lists = Record<string, readonly Place[]>

interface Memory {
  read: Reader<Family>
  /** The largest page that was asked for, the postings that were handed out, and the calls. */
  seen: { limit: number; postings: number; queries: number; gets: number }
}

/** Where in a sorted list the first is that is not below `from`. */
const firstFrom = (all: readonly string[], from: string): number => {
  let [low, high] = [0, all.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (all[middle]! < from) low = middle + 1
    else high = middle
  }
  return low
}

/** An index in memory, read as the table is. */
const memory = (lists: Lists): Memory => {
  const places = Object.entries(lists).flatMap(([list, all]) => all.map((place) => ({ list, place })))
  const byPartition = Map.groupBy(places, ({ list, place }) => postingsPk(license, list, monthOf(place.at)))
  const partitions = new Map<string, string[]>(
    [...byPartition].map(([pk, all]) => [pk, all.map(({ place }) => postingSk(place)).toSorted()]),
  )
  const seen = { limit: 0, postings: 0, queries: 0, gets: 0 }
  const read: Reader<Family> = {
    get: async () => undefined,
    query: async ({ pk, from = '', to = '~', limit = Infinity }) => {
      seen.queries += 1
      const all = partitions.get(pk) ?? []
      const start = firstFrom(all, from)
      const found: string[] = []
      for (let i = start; found.length < limit && i < all.length && all[i]! <= to; i += 1) found.push(all[i]!)
      if (pk.includes('#LIST#')) seen.limit = Math.max(seen.limit, limit)
      seen.postings += found.length
      return found.map((sk): Attributes => ({ sk }))
    },
    batchGet: async (keys) => {
      seen.gets += keys.length
      return keys.filter(({ pk, sk }) => partitions.get(pk)?.includes(sk)).map(({ pk, sk }) => ({ pk, sk }))
    },
  }
  return { read, seen }
}

const placesOf = (count: number, step: number, offset = 0): Place[] =>
  Array.from({ length: count }, (_, i) => ({ at: now - offset - i * step, id: `c${i}x${offset}_1` }))

const naive = (
  lists: Lists,
  { allOf: all, accessLists: seen, noneOf: none }: Query,
  from = -Infinity,
  to = Infinity,
): Place[] => {
  const ids = (list: string) => new Set((lists[list] ?? []).map(postingSk))
  const every = [...all, ...(seen === undefined ? [] : [seen])].map((some) => some.map(ids))
  const barred = none.map(ids)
  const universe = new Map(
    Object.values(lists)
      .flat()
      .map((place) => [postingSk(place), place]),
  )
  return [...universe]
    .filter(([sk]) => every.every((some) => some.some((list) => list.has(sk))))
    .filter(([sk]) => !barred.some((list) => list.has(sk)))
    .filter(([, { at }]) => at >= from && at <= to)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, place]) => place)
}

const ask = (
  read: Reader<Family>,
  wanted: Query,
  part: { page?: number; limit?: number; from?: number; to?: number } = {},
) => search(read, { license, search: wanted, since, now, page: 1, limit: 25, ...part })

const list = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
// short ones, some that a first look does not read to their end, and one that is long in each month
const sizes = fc.constantFrom(0, 1, 5, 60, 64, 65, 130, 700)
const made = fc
  .record({ sizes: fc.array(sizes, { minLength: 6, maxLength: 6 }), seed: fc.integer({ min: 1, max: 997 }) })
  .map(({ sizes: counts, seed }): Lists => {
    const all = placesOf(900, Math.floor((now - since) / 901))
    return Object.fromEntries(
      counts.map((count, index) => [
        'abcdef'.charAt(index),
        all.filter((_, i) => ((i + 1) * seed * (index + 3)) % 907 < count),
      ]),
    )
  })
const wantedOf = fc.record({
  allOf: fc.array(fc.array(list, { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
  accessLists: fc.option(fc.array(list, { minLength: 1, maxLength: 4 }), { nil: undefined }),
  noneOf: fc.array(list, { maxLength: 2 }),
})

describe('a search', () => {
  test('finds what a plain filter over all lists finds, page by page, in any part of the time', async () => {
    await fc.assert(
      fc.asyncProperty(
        made,
        wantedOf,
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(1, 7, 25, 100),
        fc.option(fc.tuple(fc.nat(130), fc.nat(130)), { nil: undefined }),
        async (lists, wanted, page, limit, days) => {
          const [from, to] = days === undefined ? [] : days.map((day) => since + day * dayMs)
          const { read } = memory(lists)
          const part = { page, limit, ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
          const found = await ask(read, wanted, part)
          const expected = naive(lists, wanted, from, to)
          expect(found.total).toBe(expected.length)
          expect(found.places).toEqual(expected.slice((page - 1) * limit, page * limit))
        },
      ),
      { numRuns: 400 },
    )
  })

  test('guesses early what is on the page, where one list decides', async () => {
    const lists = { a: placesOf(300, dayMs / 3), b: placesOf(10, 9 * dayMs) }
    for (const wanted of [
      { allOf: [['a']], noneOf: [] },
      { allOf: [['b']], noneOf: [] },
    ]) {
      const guesses: Place[][] = []
      const { read } = memory(lists)
      const asked = { license, search: wanted, since, now, page: 1, limit: 8 }
      const { places } = await search(read, asked, { onGuess: (guess) => guesses.push(guess) })
      expect(guesses).toEqual([places])
    }
  })

  test('streams two long lists in pages, and holds but what the page is of', async () => {
    const step = Math.floor((now - since) / 100_001)
    const long = placesOf(100_000, step)
    const other = long.filter((_, i) => i % 2 === 0)
    const { read, seen } = memory({ [withWord('the')]: long, [withWord('order')]: other })
    const wanted = { allOf: [[withWord('the')], [withWord('order')]], noneOf: [] }
    const found = await ask(read, wanted, { page: 3 })
    expect(found.total).toBe(50_000)
    expect(found.places).toEqual(other.slice(50, 75))
    expect(found.isUncounted).toBe(false)
    expect(seen.limit).toBeLessThanOrEqual(4000)
    // each posting is read once
    expect(seen.postings).toBeLessThanOrEqual(150_000)
  })

  test('of a short list and long ones reads no more of the long ones than it must', async () => {
    const step = Math.floor((now - since) / 50_001)
    const long = placesOf(50_000, step)
    const rare = long.filter((_, i) => i % 10_000 === 7)
    const { read, seen } = memory({ long, rare, group: long.filter((_, i) => i % 3 === 0) })
    const wanted = { allOf: [['long'], ['rare']], accessLists: ['group', 'nothing'], noneOf: [] }
    const expected = naive({ long, rare, group: long.filter((_, i) => i % 3 === 0) }, wanted)
    expect((await ask(read, wanted)).places).toEqual(expected)
    // the first looks, and what the few are asked for
    expect(seen.postings).toBeLessThanOrEqual(5 * 64 + 5)
    expect(seen.gets).toBe(3 * rare.length)
  })

  test('ends as its reads are aborted', async () => {
    const long = placesOf(50_000, Math.floor((now - since) / 50_001))
    const { read } = memory({ long })
    let left = 7
    const aborted: Reader<Family> = {
      ...read,
      query: async (range) => {
        left -= 1
        if (left < 0) throw new Error('aborted')
        return read.query(range)
      },
    }
    await expect(ask(aborted, { allOf: [['long']], noneOf: [] })).rejects.toThrow('aborted')
  })

  test('takes what is known better in place of what the index says of it', async () => {
    const all = placesOf(200, dayMs / 2)
    const lists = { a: all }
    const moved = { at: now - 5, id: 'c3x0_2' }
    const { read } = memory(lists)
    const apart = Promise.resolve({
      holds: (id: string) => id.startsWith('c3x0'),
      places: [moved],
      found: [moved],
    })
    const asked = { license, search: { allOf: [['a']], noneOf: [] }, since, now, page: 1, limit: 300 }
    const { total, places } = await search(read, asked, { apart })
    const others = all.filter(({ at, id }) => id !== 'c3x0_1' && at >= Date.UTC(2026, 1))
    expect(places).toEqual([others[0], moved, ...others.slice(1)])
    expect(total).toBe(places.length)
  })
})

describe('months', () => {
  test('are those from one moment to another, the newest first', () => {
    const [from, to] = [Date.UTC(2025, 10, 30, 23, 59), Date.UTC(2026, 2, 1)]
    expect(monthsBetween(from, to)).toEqual(['2026-03', '2026-02', '2026-01', '2025-12', '2025-11'])
    expect(monthsBetween(to, to)).toEqual(['2026-03'])
    expect(monthsBetween(to, from)).toEqual([])
  })

  test('are over an hour after their end, for clocks that run behind', () => {
    const first = Date.UTC(2026, 0, 31)
    const end = Date.UTC(2026, 2, 1)
    expect(pastMonths(first, end + 3_599_999)).toEqual(['2026-01'])
    expect(pastMonths(first, end + 3_600_000)).toEqual(['2026-02', '2026-01'])
  })

  test('hold what began in them and nothing else, to the millisecond', () => {
    const isIn = (at: number, { from, to }: { from: string; to: string }) => {
      const sk = postingSk({ at, id: 'c_1' })
      return sk >= from && sk <= to
    }
    const [start, end] = [Date.UTC(2026, 1, 1), Date.UTC(2026, 2, 1) - 1]
    const whole = monthRange('2026-02')
    expect([start - 1, start, end, end + 1].map((at) => isIn(at, whole))).toEqual([false, true, true, false])
    expect(whole.isWhole).toBe(true)
    const part = monthRange('2026-02', { from: start + 5, to: start + 9 })
    expect([4, 5, 9, 10].map((ms) => isIn(start + ms, part))).toEqual([false, true, true, false])
    expect(part.isWhole).toBe(false)
    expect(monthRange('2026-02', { from: start, to: end }).isWhole).toBe(true)
  })
})

describe('what is kept of searches', () => {
  test('goes by what is searched for, not by how it was asked', () => {
    const one: Query = { allOf: [['a', 'b'], ['c']], accessLists: ['d', 'e'], noneOf: ['f', 'g'] }
    const same: Query = { allOf: [['c'], ['e', 'd'], ['b', 'a']], noneOf: ['g', 'f'] }
    expect(nameOfSearch(one)).toBe(nameOfSearch(same))
    for (const other of [
      { ...one, noneOf: ['f'] },
      { ...one, allOf: [['a'], ['b'], ['c']] },
      { allOf: one.allOf, noneOf: one.noneOf },
      { ...one, allOf: [['a', 'b', 'c']] },
    ])
      expect(nameOfSearch(other)).not.toBe(nameOfSearch(one))
  })

  test('is nothing where words are searched for, or more lists than are marked', () => {
    expect(isKept({ allOf: [['T.all']], noneOf: [] })).toBe(true)
    expect(isKept({ allOf: [['T.all'], [withWord('a')]], noneOf: [] })).toBe(false)
    const many = Array.from({ length: 65 }, (_, i) => `T.user:${i}`)
    expect(isKept({ allOf: [many.slice(1)], noneOf: [] })).toBe(true)
    expect(isKept({ allOf: [many], noneOf: [] })).toBe(false)
  })
})
