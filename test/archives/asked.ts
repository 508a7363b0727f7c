import type { Viewer } from '../../shared/access/permissions.ts'
import { queryWords } from '../../shared/archive/index/words.ts'
import type { Wanted } from '../../shared/archive/search/query.ts'
import type { PropertyFilter } from '../../shared/protocol/filters.ts'
import type { ArchiveFilters, PropertiesAsked, Searcher } from './naive.ts'

/** The same filters as the search takes them from the contract. */
export const wantedOf = ({
  query,
  agent_ids = [],
  agents = [],
  customer_ids,
  team_ids,
  properties,
  tags = {},
}: ArchiveFilters): Wanted => ({
  words: queryWords(query),
  agents: [...agent_ids, ...agents],
  teams: team_ids,
  customers: customer_ids,
  properties: filtersOf(properties),
  tags: [
    ...(tags.exists === undefined ? [] : [{ exists: tags.exists }]),
    ...(tags.values === undefined ? [] : [{ in: tags.values }]),
    ...(tags.exclude_values === undefined ? [] : [{ notIn: tags.exclude_values }]),
  ],
})
export const filtersOf = (asked: PropertiesAsked = {}): PropertyFilter[] =>
  Object.entries(asked).map(([dotted, filter]) => {
    const [namespace = '', ...rest] = dotted.split('.')
    const named = { namespace, name: rest.join('.') }
    if ('exists' in filter) return { ...named, exists: filter.exists }
    return 'values' in filter ? { ...named, in: filter.values } : { ...named, notIn: filter.exclude_values }
  })
/** An agent as its session has it. */
export const viewerOf = ({ id, permission, groups, scopes }: Searcher): Viewer => ({
  agent_id: id,
  permission,
  groups: [...groups],
  ...(scopes === undefined ? {} : { token_scopes: [...scopes] }),
})
