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
 * A search by lists of the index: of each of `allOf` one list at least holds it, of `accessLists` too, and of
 * `noneOf` none. `accessLists` are apart since they are long: they are asked last. Absent: they exclude
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
