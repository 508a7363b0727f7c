/** A loader by ids: each is read once, however often it is asked for. */
export interface BatchLoader<T> {
  /** Begins to read those that are not read yet. */
  prepare: (ids: readonly string[]) => void
  /** The values that there are, in the order of the ids. */
  of: (ids: readonly string[]) => Promise<T[]>
}

export const createBatchLoader = <T>(
  readAll: (ids: string[]) => Promise<ReadonlyMap<string, T>>,
): BatchLoader<T> => {
  const known = new Map<string, Promise<T | undefined>>()
  const prepare = (ids: readonly string[]) => {
    const fresh = [...new Set(ids)].filter((id) => !known.has(id))
    if (fresh.length === 0) return
    const all = readAll(fresh)
    for (const id of fresh) {
      const one = all.then((found) => found.get(id))
      known.set(id, one)
      // a caller sees that it failed; there may be none
      one.catch(() => {})
    }
  }
  return {
    prepare,
    of: async (ids) => {
      prepare(ids)
      return (await Promise.all(ids.map(async (id) => known.get(id)))).filter((one) => one !== undefined)
    },
  }
}
