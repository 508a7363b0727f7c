import { randomBytes } from 'node:crypto'
import pLimit from 'p-limit'
import {
  markMonth,
  putKeptCount,
  readKeptCount,
  readKeptCounts,
  readMarks,
} from '../../table/archive/postings.ts'
import type { Reader, Writer } from '../../table/ops.ts'
import { monthRange, pastMonths } from './months.ts'
import { listsOf, nameOfSearch, type Query } from './query.ts'
import { searchMonth } from './search-month.ts'

// How many a search finds in months that are over. A count is made under marks that stand on that month of
// each list of the search: set before it is read, and deleted by whoever changes it, after the change. So a
// count whose marks still stand holds.

/** Of what, and since when there is anything (ms). */
export interface Counted {
  license: string
  since: number
  search: Query
}

const joinMarks = (
  lists: readonly string[],
  markOf: (list: string) => string | undefined,
): string | undefined => {
  const marks = lists.map(markOf)
  return marks.includes(undefined) ? undefined : marks.join(' ')
}

/** The counts that hold, by month. */
export const readCounts = async (
  read: Reader<'marks' | 'keptCounts'>,
  { license, search }: Pick<Counted, 'license' | 'search'>,
): Promise<ReadonlyMap<string, number>> => {
  const lists = listsOf(search)
  const [kept, ...marks] = await Promise.all([
    readKeptCounts(read, license, nameOfSearch(search)),
    ...lists.map((list) => readMarks(read, license, list)),
  ])
  const holding = [...kept].filter(([month, count]) => {
    const joined = joinMarks(lists, (list) => marks[lists.indexOf(list)]?.get(month))
    return joined === count.marks
  })
  return new Map(holding.map(([month, { count }]) => [month, count]))
}

const monthsAtOnce = 4

/**
 * Counts the months that are over and of which no count holds. May run twice, beside itself, and be cut
 * short: what it has counted stays.
 */
export const keepCounts = async (
  {
    read,
    write,
    now,
  }: {
    read: Reader<'postings' | 'marks' | 'keptCounts'>
    write: Writer<'marks' | 'keptCounts'>
    now: () => number
  },
  { license, since, search }: Counted,
): Promise<void> => {
  const known = await readCounts(read, { license, search })
  const lists = listsOf(search)
  const limit = pLimit(monthsAtOnce)
  const name = nameOfSearch(search)
  const missing = pastMonths(since, now()).filter((month) => !known.has(month))
  await Promise.all(
    // several who count the same begin with different months
    shuffled(missing).map((month) =>
      limit(async () => {
        const nowMs = now()
        const marked = await Promise.all(
          lists.map((list) => markMonth(write, license, list, month, { nonce: newMark(), nowMs })),
        )
        const marks = marked.join(' ')
        if ((await readKeptCount(read, license, name, month))?.marks === marks) return
        const found = searchMonth(read, { license, month, ...monthRange(month), strong: true }, search)
        await found.look()
        let count = 0
        for await (const _ of found.found()) count += 1
        await write.write(putKeptCount(license, name, month, { count, marks, nowMs }))
      }),
    ),
  )
}

const newMark = (): string => randomBytes(9).toString('base64url')

const shuffled = <T>(list: readonly T[]): T[] =>
  list
    .map((item) => [Math.random(), item] as const)
    .toSorted(([one], [other]) => one - other)
    .map(([, item]) => item)
