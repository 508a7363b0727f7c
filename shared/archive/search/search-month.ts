import { type MonthRange, readHeld, readPostings } from '../../table/archive/postings.ts'
import { behind } from '../../table/keys.ts'
import type { Reader } from '../../table/ops.ts'
import type { Query } from './query.ts'

// One month of a search. Short lists are read, and long ones asked about what they hold; where all are long
// they are read side by side, a page at a time, each from where the others stand.

export interface Month extends Omit<MonthRange, 'list'> {
  strong?: boolean
}

/** What a first look at a list reads: 8 KB of postings, one read unit. */
const firstPage = 64
/** The part of a list that is read first, to be intersected with a few that are known. */
const firstMeeting = 256
/** Of all lists of a month together so much is read at once, and of one as much as a query answers well. */
const laterPages = 16_000
const laterPage = 4000
/**
 * Up to so many keys in a month are asked for; for more it is cheaper to read the lists, as far as they are
 * needed.
 */
const mostAsked = 16

/** Some lists, as one: postings in order, from a target on that only moves forwards. */
interface Sequence {
  /** The first posting from `target` on; null: there is none; undefined: it is not loaded. */
  head: (target: string) => string | null | undefined
  /** Loads what comes from `target` on. Where much of it is there, nothing. */
  load: (target: string) => Promise<void>
  /** What the first load has brought, and whether that is all. */
  beginning: () => { postings: readonly string[]; isAll: boolean }
}

/** `pages`: how many postings the first page has, and each later one. */
const openList = (
  read: Reader<'postings'>,
  { strong = false, ...month }: Month,
  list: string,
  pages: { first: number; later: number },
): Sequence => {
  let page: readonly string[] = []
  let position = 0
  let loads = 0
  let isComplete = false
  let first: readonly string[] = []
  let isAll = false
  const range = { ...month, list }
  const moveTo = (target: string) => {
    const last = page.at(-1)
    if (last === undefined || last < target) position = page.length
    else while ((page[position] ?? last) < target) position += 1
  }
  return {
    head: (target) => {
      moveTo(target)
      return page[position] ?? (isComplete ? null : undefined)
    },
    load: async (target) => {
      moveTo(target)
      const kept = page.slice(position)
      if (isComplete || kept.length > pages.later / 2) return
      const limit = loads === 0 ? pages.first : pages.later
      const last = page.at(-1)
      const next = last === undefined ? month.from : behind(last)
      const from = next > target ? next : target
      const loaded = from > month.to ? [] : await readPostings(read, { ...range, from }, { limit, strong })
      page = [...kept, ...loaded]
      position = 0
      loads += 1
      isComplete = loaded.length < limit
      if (loads === 1) [first, isAll] = [page, isComplete]
    },
    beginning: () => ({ postings: first, isAll }),
  }
}

/** Postings that are in any of the lists. */
const union = (lists: readonly Sequence[]): Sequence => {
  const [only] = lists
  if (only !== undefined && lists.length === 1) return only
  return {
    head: (target) => {
      let first: string | null = null
      for (const list of lists) {
        const head = list.head(target)
        if (head === undefined) return undefined
        if (head !== null && (first === null || head < first)) first = head
      }
      return first
    },
    load: async (target) => {
      await Promise.all(lists.map((list) => list.load(target)))
    },
    beginning: () => {
      const beginnings = lists.map((list) => list.beginning())
      const long = beginnings.filter(({ isAll }) => !isAll).map(({ postings }) => postings.at(-1) ?? '')
      const upTo = long.length === 0 ? undefined : long.reduce((one, other) => (one < other ? one : other))
      const postings = [...new Set(beginnings.flatMap((one) => one.postings))].toSorted()
      return {
        postings: upTo === undefined ? postings : postings.filter((posting) => posting <= upTo),
        isAll: upTo === undefined,
      }
    },
  }
}

export interface MonthSearch {
  /** Reads the beginnings of the lists that the search begins with, in one round. */
  look: () => Promise<void>
  /** What may be found first, as far as that tells, and whether there can be no more than that. */
  guess: () => { postings: readonly string[]; isAll: boolean }
  /** The postings of whatever is found, the newest first. May be called again: it then begins anew. */
  found: () => AsyncGenerator<string>
}

// beside others, unions of more lists are not looked into
const mostLooked = 8

/** The conditions that a search begins with: those of few lists, or the one of the fewest. */
const nearOf = (all: Query['allOf']): Query['allOf'] => {
  const [fewest, ...others] = all.toSorted((one, other) => one.length - other.length)
  return fewest === undefined ? [] : [fewest, ...others.filter((lists) => lists.length <= mostLooked)]
}

/** How many reads a first look takes in each month. */
export const firstReads = ({ allOf: all }: Query): number => nearOf(all).flat().length

/** A search in one month. Each call of `found` begins anew. */
export const searchMonth = (
  read: Reader<'postings'>,
  month: Month,
  { allOf: all, accessLists: seen, noneOf: none }: Query,
): MonthSearch => {
  const listCount = [...all, seen ?? [], none].flat().length
  const later = Math.max(firstPage, Math.min(laterPage, Math.floor(laterPages / listCount)))
  const open = (lists: readonly string[], first: number) =>
    union(lists.map((list) => openList(read, month, list, { first, later })))
  const near = nearOf(all)
  const far = [...all.filter((lists) => !near.includes(lists)), ...(seen === undefined ? [] : [seen])]
  const looked = near.map((lists) => ({ lists, sequence: open(lists, firstPage) }))

  let isFresh = true

  /** Threads that the lists known as a whole let pass; undefined: no list is. */
  const candidates = (): readonly string[] | undefined => {
    const [shortest, ...others] = looked
      .map(({ sequence }) => sequence.beginning())
      .filter(({ isAll }) => isAll)
      .map(({ postings }) => postings)
      .toSorted((one, other) => one.length - other.length)
    const sets = others.map((whole) => new Set(whole))
    return shortest?.filter((posting) => sets.every((set) => set.has(posting)))
  }
  /** What candidates are still to be asked for. */
  const unasked = () => [
    ...looked.filter(({ sequence }) => !sequence.beginning().isAll).map(({ lists }) => lists),
    ...far,
  ]

  return {
    look: async () => {
      await Promise.all(looked.map(({ sequence }) => sequence.load(month.from)))
    },
    guess: () => {
      const known = candidates()
      if (known !== undefined) return { postings: known, isAll: true }
      const [only, ...others] = looked
      return only !== undefined && others.length === 0
        ? only.sequence.beginning()
        : { postings: [], isAll: false }
    },
    async *found() {
      const known = candidates()
      const conditions = unasked()
      const lists = [...new Set([...conditions.flat(), ...none])]
      if (known !== undefined && known.length * lists.length <= mostAsked) {
        yield* probe(read, month, known, { conditions, lists, none })
        return
      }
      // what was looked into goes on from there, once
      const begun = isFresh
        ? looked.map(({ sequence }) => sequence)
        : looked.map((one) => open(one.lists, later))
      isFresh = false
      // where all of them are long there is no way around what they hold
      const first = known === undefined ? later : firstMeeting
      const others = far.map((some) => open(some, first))
      const barred = none.map((list) => open([list], first))
      yield* intersect(month.from, [...begun, ...others], barred)
    },
  }
}

/** Of the candidates those that one list of each condition holds, and none of `none`. */
async function* probe(
  read: Reader<'postings'>,
  { license, month, strong = false }: Month,
  candidates: readonly string[],
  {
    conditions,
    lists,
    none,
  }: { conditions: readonly (readonly string[])[]; lists: readonly string[]; none: readonly string[] },
): AsyncGenerator<string> {
  const held = await readHeld(read, { license, lists, month }, candidates, { strong })
  const holds = (posting: string) => (list: string) => held.get(list)?.has(posting) === true
  for (const posting of candidates)
    if (conditions.every((any) => any.some(holds(posting))) && !none.some(holds(posting))) yield posting
}

/** Reads all of them on side by side: each from the furthest place that another has come to. */
async function* intersect(
  from: string,
  all: readonly Sequence[],
  none: readonly Sequence[],
): AsyncGenerator<string> {
  const heads = async (sequences: readonly Sequence[], target: string) => {
    // where one has to be waited for, the others read on meanwhile
    if (sequences.some((sequence) => sequence.head(target) === undefined))
      await Promise.all(sequences.map((sequence) => sequence.load(target)))
    return sequences.map((sequence) => sequence.head(target))
  }
  for (let target = from; ;) {
    const reached = await heads(all, target)
    let furthest = target
    let isEqual = true
    for (const head of reached) {
      if (head === null || head === undefined) {
        if (head === null) return
        isEqual = false
        continue
      }
      if (head !== reached[0]) isEqual = false
      if (head > furthest) furthest = head
    }
    if (!isEqual) {
      target = furthest
      continue
    }
    if (none.length === 0 || !(await heads(none, furthest)).includes(furthest)) yield furthest
    target = behind(furthest)
  }
}
