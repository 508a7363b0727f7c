import pLimit from 'p-limit'
import type { Place } from '../../table/archive/postings.ts'
import { monthOf, placeOfPosting, postingSk } from '../../table/keys.ts'
import type { Reader } from '../../table/ops.ts'
import { isKept, readCounts } from './kept-counts.ts'
import { monthRange, monthsBetween, pastMonths } from './months.ts'
import type { Query } from './query.ts'
import { firstReads, type MonthSearch, searchMonth } from './search-month.ts'

/** A search: what for, in which time, and which part of the finds is asked for. */
export interface Asked {
  license: string
  search: Query
  /** Since when (ms) there is anything to be found. */
  since: number
  now: number
  /** Only what began between these moments (ms), both included. */
  from?: number | undefined
  to?: number | undefined
  page: number
  limit: number
}

/**
 * Facts that are known better than by the index: of which chats that is, where these stand, and which of them
 * are found.
 */
export interface ActiveOverlay {
  holds: (thread: string) => boolean
  places: readonly Place[]
  found: readonly Place[]
}

export interface Found {
  /** How many there are, as the index knows it. */
  total: number
  /** The threads on the page, the newest first. */
  places: Place[]
  /** Long lists of months that are over were read: they can be counted once and for all. */
  isUncounted: boolean
}

// a clock that runs ahead
const skewMs = 3_600_000
// where counts may be known, so many lists are looked into before they are
const mostLooks = 96
// each holds a page of some thousand postings
const longAtOnce = 64
// of what a month finds so many are held; a page beyond them is read once more
const mostHeld = 1000

/** The families that the index is made of. */
type SearchFamily = 'postings' | 'marks' | 'keptCounts'

/**
 * Searches the index: one page of what is found, and how many there are. `onGuess` is told early what may be
 * on the page. Long lists are streamed, however long that takes: the request's deadline ends it.
 */
export const search = async (
  read: Reader<SearchFamily>,
  asked: Asked,
  { apart, onGuess }: { apart?: Promise<ActiveOverlay>; onGuess?: (places: Place[]) => void } = {},
): Promise<Found> => {
  const { license, page, limit, now, since, from = -Infinity, to = Infinity } = asked
  const months = monthsBetween(Math.max(from, since), Math.min(to, now + skewMs))
  const opened = new Map(
    months.map((month) => {
      const range = { license, month, ...monthRange(month, { from, to }) }
      return [month, searchMonth(read, range, asked.search)]
    }),
  )
  const past = new Set(isKept(asked.search) ? pastMonths(since, now) : [])
  const countable = months.filter((month) => past.has(month) && monthRange(month, { from, to }).isWhole)
  const looked = new Map<string, MonthSearch>()
  const lookInto = async (some: readonly string[]) => {
    const fresh = some.flatMap((month) => {
      const one = looked.has(month) ? undefined : opened.get(month)
      return one === undefined ? [] : [[month, one] as const]
    })
    for (const [month, one] of fresh) looked.set(month, one)
    await Promise.all(fresh.map(([, one]) => one.look()))
  }

  const early = countable.length === 0 ? months.length : Math.ceil(mostLooks / firstReads(asked.search))
  const [counts, overlay] = await Promise.all([
    countable.length === 0 ? new Map<string, number>() : readCounts(read, asked),
    apart,
    lookInto(months.slice(0, early)),
  ])
  const offset = (page - 1) * limit
  onGuess?.(guessOf(months, looked, offset, limit))

  const addedByMonth = Map.groupBy(overlay?.found ?? [], ({ at }) => monthOf(at))
  const found = (month: string) =>
    withApart(opened.get(month)?.found(), addedByMonth.get(month) ?? [], overlay)
  // threads of the overlay may have been counted there
  const uncountable = new Set(overlay?.places.map(({ at }) => monthOf(at)))
  const counted = new Map(
    countable.flatMap((month) => {
      const count = uncountable.has(month) ? undefined : counts.get(month)
      return count === undefined ? [] : [[month, count] as const]
    }),
  )
  await lookInto(months.filter((month) => !counted.has(month)))
  const isShort = (month: string) => looked.get(month)?.guess().isAll === true
  const atOnce = pLimit(longAtOnce)
  const searched = await Promise.all(
    months.map(async (month) => {
      const count = counted.get(month)
      if (count !== undefined) return { month, count, held: [] }
      const run = () => holdFirst(found(month), Math.min(offset + limit, mostHeld))
      return { month, ...(await (isShort(month) ? run() : atOnce(run))) }
    }),
  )
  return {
    total: searched.reduce((sum, { count }) => sum + count, 0),
    places: (await onPage(searched, { offset, limit }, found)).map(placeOfPosting),
    isUncounted: countable.some((month) => !counts.has(month) && !isShort(month)),
  }
}

/** What may be on the page, by the first looks. */
const guessOf = (
  months: readonly string[],
  looked: ReadonlyMap<string, MonthSearch>,
  offset: number,
  limit: number,
): Place[] => {
  const likely: string[] = []
  for (const month of months) {
    const guess = looked.get(month)?.guess() ?? { postings: [], isAll: false }
    likely.push(...guess.postings)
    if (!guess.isAll || likely.length >= offset + limit) break
  }
  return likely.slice(offset, offset + limit).map(placeOfPosting)
}

/** What the index finds in a month, but what is apart as that knows it. */
async function* withApart(
  found: AsyncGenerator<string> | undefined,
  added: readonly Place[],
  apart: ActiveOverlay | undefined,
): AsyncGenerator<string> {
  const left = added.map(postingSk).toSorted()
  for await (const posting of found ?? []) {
    while (left[0] !== undefined && left[0] < posting) yield left.shift() ?? posting
    if (apart === undefined || !apart.holds(placeOfPosting(posting).id)) yield posting
  }
  yield* left
}

const holdFirst = async (
  found: AsyncGenerator<string>,
  most: number,
): Promise<{ count: number; held: string[] }> => {
  const held: string[] = []
  let count = 0
  for await (const posting of found) {
    if (count < most) held.push(posting)
    count += 1
  }
  return { count, held }
}

/** The part of it all that is asked for; what is not held of a month is found once more. */
const onPage = async (
  searched: readonly { month: string; count: number; held: readonly string[] }[],
  { offset, limit }: { offset: number; limit: number },
  found: (month: string) => AsyncGenerator<string>,
): Promise<string[]> => {
  const postings: string[] = []
  let before = 0
  for (const { month, count, held } of searched) {
    const first = Math.max(0, offset - before)
    const end = Math.min(count, first + limit - postings.length)
    before += count
    if (first >= end) continue
    if (held.length >= end) {
      postings.push(...held.slice(first, end))
      continue
    }
    let index = 0
    for await (const posting of found(month)) {
      if (index >= first) postings.push(posting)
      index += 1
      if (index === end) break
    }
  }
  return postings
}
