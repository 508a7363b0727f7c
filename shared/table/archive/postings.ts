import * as z from 'zod/mini'
import { keptCountsPk, type Key, keys, marksPk, postingsPk } from '../keys.ts'
import type { Op, Reader, Writer } from '../ops.ts'
import { ifNotExists, put, remove, update } from '../update.ts'

// The index's lists: `INDEX#<l>#LIST#<list>#<month>` / `<time, counting down>#<thread>`, an item without
// anything else for each thread in the list; of the chats' own lists, for each chat by its last thread.

/** Where in the index's lists something stands: a time in ms, and the id of a thread. */
export interface Place {
  at: number
  id: string
}

export const putPosting = (license: string, list: string, place: Place): Op<'postings'> =>
  put(keys.posting(license, list, place))

export const removePosting = (license: string, list: string, place: Place): Op<'postings'> =>
  remove(keys.posting(license, list, place))

const Posting = z.object({ sk: z.string() })

/** A part of one month of a list: sort keys from `from` on up to `to`, both included. */
export interface MonthRange {
  license: string
  list: string
  month: string
  from: string
  to: string
}

/** The sort keys of at most `limit` postings, the newest first. */
export const readPostings = async (
  read: Reader<'postings'>,
  { license, list, month, from, to }: MonthRange,
  { limit, strong = false }: { limit: number; strong?: boolean },
): Promise<string[]> => {
  const items = await read.query({
    pk: postingsPk(license, list, month),
    from,
    to,
    limit,
    strong,
    only: 'sk',
  })
  return items.map((item) => Posting.parse(item).sk)
}

/** Which of the postings, by their sort keys, each of the lists has in a month. */
export const readHeld = async (
  read: Reader<'postings'>,
  { license, lists, month }: { license: string; lists: readonly string[]; month: string },
  postings: readonly string[],
  { strong = false }: { strong?: boolean } = {},
): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
  const wanted = lists.flatMap((list) =>
    postings.map((sk): Key<'postings'> => ({ pk: postingsPk(license, list, month), sk })),
  )
  const found = wanted.length === 0 ? [] : await read.batchGet(wanted, { strong })
  return new Map(
    lists.map((list) => {
      const pk = postingsPk(license, list, month)
      return [list, new Set(found.filter((item) => item['pk'] === pk).map((item) => String(item['sk'])))]
    }),
  )
}

// Counts of whole past months. A mark says of a month of a list that counts were made of it; whoever changes
// the month deletes the mark, after its change, and the counts that were made under it are none any more.

const Mark = z.object({ sk: z.string(), nonce: z.string() })
const KeptCount = z.object({ sk: z.string(), count: z.int(), marks: z.string() })

// a search that nobody repeats is forgotten
const keptForS = 40 * 24 * 3600

/** Marks a month of a list, unless it is marked; resolves to the mark. */
export const markMonth = async (
  write: Writer<'marks'>,
  license: string,
  list: string,
  month: string,
  { nonce, nowMs }: { nonce: string; nowMs: number },
): Promise<string> => {
  const outcome = await write.write(
    update(keys.mark(license, list, month), {
      set: { nonce: ifNotExists('nonce', nonce), ttl: Math.floor(nowMs / 1000) + keptForS },
    }),
    { returns: 'new' },
  )
  return outcome.done ? String(outcome.attributes?.['nonce']) : nonce
}

/** The marks of a list, by month. */
export const readIndexMarks = async (
  read: Reader<'marks'>,
  license: string,
  list: string,
): Promise<ReadonlyMap<string, string>> => {
  const items = await read.query({ pk: marksPk(license, list) })
  return new Map(items.map((item) => Mark.parse(item)).map(({ sk, nonce }) => [sk, nonce]))
}

/** Drops the marks of these months of lists, where there are any. */
export const dropMarks = async (
  { read, write }: { read: Reader<'marks'>; write: Writer<'marks'> },
  license: string,
  months: readonly { list: string; month: string }[],
): Promise<void> => {
  const marks = months.map(({ list, month }) => keys.mark(license, list, month))
  const found = marks.length === 0 ? [] : await read.batchGet(marks, { strong: true })
  const there = new Set(found.map(({ pk, sk }) => `${String(pk)} ${String(sk)}`))
  const held = marks.filter(({ pk, sk }) => there.has(`${pk} ${sk}`))
  await write.batch(held.map((key) => remove(key)))
}

/** Keeps how many a search finds in a month; `marks` are those that it was counted under. */
export const putKeptCount = (
  license: string,
  search: string,
  month: string,
  { count, marks, nowMs }: { count: number; marks: string; nowMs: number },
): Op<'keptCounts'> =>
  put(keys.keptCount(license, search, month), {
    count,
    marks,
    ttl: Math.floor(nowMs / 1000) + keptForS,
  })

/** What was kept of a search, by month. */
export const readKeptCounts = async (
  read: Reader<'keptCounts'>,
  license: string,
  search: string,
): Promise<ReadonlyMap<string, { count: number; marks: string }>> => {
  const items = await read.query({ pk: keptCountsPk(license, search) })
  return new Map(items.map((item) => KeptCount.parse(item)).map(({ sk, ...kept }) => [sk, kept]))
}

/** The same of one month. */
export const readKeptCount = async (
  read: Reader<'keptCounts'>,
  license: string,
  search: string,
  month: string,
): Promise<{ count: number; marks: string } | undefined> => {
  const item = await read.get(keys.keptCount(license, search, month))
  return item === undefined ? undefined : KeptCount.parse(item)
}
