import { createHash, randomBytes } from 'node:crypto'
import pLimit from 'p-limit'
import type { Enqueues, Job } from '../../jobs/job-queue.ts'
import { log } from '../../platform/log.ts'
import {
  markMonth,
  putKeptCount,
  readKeptCount,
  readKeptCounts,
  readIndexMarks,
} from '../../table/archive/postings.ts'
import type { Reader, Writer } from '../../table/ops.ts'
import { withWord } from '../index/lists.ts'
import { monthRange, pastMonths } from './months.ts'
import type { Query } from './query.ts'
import { searchMonth } from './search-month.ts'

// How many a search finds in months that are over. A count is made under marks that stand on that month of
// each list of the search: set before it is read, and deleted by whoever changes it, after the change. So a
// count whose marks still stand holds.

/** Of what, and since when there is anything (ms). */
export interface CountedThreads {
  license: string
  since: number
  search: Query
}

// counts are kept under the marks of all of them
const mostMarked = 64

/**
 * Whether counts of a search are kept. Those by words are not: their lists change with every message, and an
 * index that had to look for marks of each word would cost more than it saves.
 */
export const isKept = (search: Query): boolean => {
  const lists = listsOf(search)
  return lists.length <= mostMarked && !lists.some((list) => list.startsWith(withWord('')))
}

const listsOf = ({ allOf: all, accessLists: seen = [], noneOf: none }: Query): string[] =>
  [...new Set([...all.flat(), ...seen, ...none])].toSorted()

/** The same for the same search, however it was asked. */
export const nameOfSearch = ({ allOf: all, accessLists: seen, noneOf: none }: Query): string => {
  const canonical = [
    [...all, ...(seen === undefined ? [] : [seen])].map((lists) => lists.toSorted().join('\n')).toSorted(),
    none.toSorted(),
  ]
  return createHash('sha256').update(JSON.stringify(canonical)).digest('base64url').slice(0, 22)
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
  { license, search }: Pick<CountedThreads, 'license' | 'search'>,
): Promise<ReadonlyMap<string, number>> => {
  const lists = listsOf(search)
  const [kept, ...marks] = await Promise.all([
    readKeptCounts(read, license, nameOfSearch(search)),
    ...lists.map((list) => readIndexMarks(read, license, list)),
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
  { license, since, search }: CountedThreads,
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

type QueryOfJob = Extract<Job, { job: 'keep_counts' }>['search']

const jobOf = ({ allOf: all, accessLists: seen, noneOf: none }: Query): QueryOfJob => ({ all, seen, none })

/** The query as a job names it: those under way when a stack is upgraded are still read. */
export const queryOfJob = ({ all, seen, none }: QueryOfJob): Query => ({
  allOf: all,
  ...(seen === undefined ? {} : { accessLists: seen }),
  noneOf: none,
})

/** Has months counted that a search has read to count them, so that the next one need not. */
export const enqueueCounting = async (
  ctx: Enqueues,
  { license, since, search }: CountedThreads,
): Promise<void> => {
  await ctx
    .enqueue({ job: 'keep_counts', license_id: license, since, search: jobOf(search) }, 0)
    // a queue that fails makes the next search read them once more
    .catch((error: unknown) => log.error('Months are not counted', { cause: error }))
}
