import type { PropertyFilter, TagFilter } from '../../protocol/filters.ts'
import type { Properties } from '../../protocol/properties.ts'

const valueOf = (properties: Properties, { namespace, name }: PropertyFilter) => {
  const names = Object.hasOwn(properties, namespace) ? properties[namespace] : undefined
  return names !== undefined && Object.hasOwn(names, name) ? names[name]?.value : undefined
}

/**
 * Whether properties are as every filter asks (protocol §5): values by type and value, `notIn` also where
 * absent.
 */
export const fitsFilters = (properties: Properties, filters: readonly PropertyFilter[]): boolean =>
  filters.every((filter) => {
    const value = valueOf(properties, filter)
    if ('exists' in filter) return (value !== undefined) === filter.exists
    if ('in' in filter) return value !== undefined && filter.in.includes(value)
    return value === undefined || !filter.notIn.includes(value)
  })

/** Whether a thread's tags are as every filter asks. */
export const fitsTagFilters = (tags: readonly string[], filters: readonly TagFilter[]): boolean =>
  filters.every((filter) => {
    if ('exists' in filter) return tags.length > 0 === filter.exists
    if ('in' in filter) return filter.in.some((tag) => tags.includes(tag))
    return !filter.notIn.some((tag) => tags.includes(tag))
  })
