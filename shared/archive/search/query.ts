import { createHash } from 'node:crypto'
import type { Viewer } from '../../access/permissions.ts'
import type { PropertyFilter, TagFilter } from '../../protocol/filters.ts'
import {
  everything,
  type Kind,
  ofGroup,
  seenBy,
  tagged,
  withProperty,
  withTag,
  withUser,
  withValue,
  withWord,
} from '../index/lists.ts'

/**
 * A search by lists of the index: of each of `all` one list at least holds it, of `seen` too,
 * and of `none` none. `seen` is apart since its lists are long: they are asked last. Absent: it excludes
 * nothing.
 */
export interface Query {
  allOf: string[][]
  accessLists?: string[] | undefined
  noneOf: string[]
}

export interface Wanted {
  words?: readonly string[]
  agents?: readonly string[] | undefined
  customers?: readonly string[] | undefined
  teams?: readonly number[] | undefined
  properties?: readonly PropertyFilter[] | undefined
  tags?: readonly TagFilter[] | undefined
}

const some = <T>(items: readonly T[] | undefined): items is readonly T[] =>
  items !== undefined && items.length > 0

/** The search for what is wanted among what the viewer may see. */
export const planQuery = (
  kind: Kind,
  viewer: Viewer,
  { words = [], agents, customers, teams, properties = [], tags = [] }: Wanted,
): Query => {
  const all = [
    ...words.map((word) => [withWord(word)]),
    ...properties.flatMap((filter) => {
      if ('in' in filter) return [filter.in.map((value) => withValue(kind, filter, value))]
      return 'exists' in filter && filter.exists ? [[withProperty(kind, filter)]] : []
    }),
    ...tags.flatMap((filter) => {
      if ('in' in filter) return [filter.in.map(withTag)]
      return 'exists' in filter && filter.exists ? [[tagged]] : []
    }),
    ...(some(agents) ? [agents.map(withUser)] : []),
    ...(some(customers) ? [customers.map(withUser)] : []),
    ...(some(teams) ? [teams.map((team) => ofGroup(kind, team))] : []),
  ]
  const none = [
    ...properties.flatMap((filter) => {
      if ('notIn' in filter) return filter.notIn.map((value) => withValue(kind, filter, value))
      return 'exists' in filter && !filter.exists ? [withProperty(kind, filter)] : []
    }),
    ...tags.flatMap((filter) => {
      if ('notIn' in filter) return filter.notIn.map(withTag)
      return 'exists' in filter && !filter.exists ? [tagged] : []
    }),
  ]
  const seen = seenBy(kind, viewer)
  const isAll = seen.length === 1 && seen[0] === everything(kind)
  if (all.length === 0) return { allOf: [seen], noneOf: none }
  return isAll ? { allOf: all, noneOf: none } : { allOf: all, accessLists: seen, noneOf: none }
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

export const listsOf = ({ allOf: all, accessLists: seen = [], noneOf: none }: Query): string[] =>
  [...new Set([...all.flat(), ...seen, ...none])].toSorted()

/** The same for the same search, however it was asked. */
export const nameOfSearch = ({ allOf: all, accessLists: seen, noneOf: none }: Query): string => {
  const canonical = [
    [...all, ...(seen === undefined ? [] : [seen])].map((lists) => lists.toSorted().join('\n')).toSorted(),
    none.toSorted(),
  ]
  return createHash('sha256').update(JSON.stringify(canonical)).digest('base64url').slice(0, 22)
}
