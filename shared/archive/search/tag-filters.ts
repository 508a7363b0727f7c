import type { TagFilter } from '../../protocol/filters.ts'

/** Whether a thread's tags are as every filter asks. */
export const fitsTagFilters = (tags: readonly string[], filters: readonly TagFilter[]): boolean =>
  filters.every((filter) => {
    if ('exists' in filter) return tags.length > 0 === filter.exists
    if ('in' in filter) return filter.in.some((tag) => tags.includes(tag))
    return !filter.notIn.some((tag) => tags.includes(tag))
  })
