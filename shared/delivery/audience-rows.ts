import { log } from '../platform/log.ts'
import type { PushName } from '../protocol/pushes.ts'
import type { Reader } from '../table/ops.ts'
import { readSocketList, type SocketList } from '../table/socket-lists.ts'
import type { SocketRow } from '../table/sockets.ts'
import type { Audience } from './outbox.ts'

/**
 * How long an audience read beside a write is good for: a login within this time that saw neither the write
 * nor its push is told by `later`, a longer write is told to an audience read after it.
 */
export const audienceFreshMs = 1000

/** How long the long lists of licenses were when a function last read them, in connections. */
const lengths = new Map<string, number>()
const mostLengths = 1000
/** So many rows of the long list cost no more to read than one list of a single row: some 4 KB. */
const rowsPerList = 12

/**
 * The lists to read for a push: short ones, unless the license has so few connections that the long one costs
 * no more.
 */
export const listsOf = ({ license, agents, customers }: Audience, name: PushName): SocketList[] => {
  const lists = agents?.lists(name)
  const length = lengths.get(license) ?? (lists?.areMost === true ? 0 : Infinity)
  const readsAll = lists === undefined || length <= lists.short.length * rowsPerList
  const ofAgents = agents === undefined ? [] : readsAll ? [{}] : lists.short
  return [
    ...ofAgents.map((list) => ({ license, ...list })),
    ...(customers?.ids ?? []).map((customer) => ({ license, customer })),
  ]
}

/**
 * Each connection once. Where its rows differ, since it is ending between two reads, the one that says so.
 */
const eachOnce = (rows: readonly SocketRow[]): SocketRow[] => {
  const each = new Map<string, SocketRow>()
  for (const row of rows) if (each.get(row.connection)?.ended === undefined) each.set(row.connection, row)
  return [...each.values()]
}

/** Who listens, as lists of sockets: read when a push is sent, or beforehand. */
export const openLists = (read: Reader) => {
  const prefetched = new Map<string, { at: number; rows: Promise<SocketRow[]> }>()

  const readRows = async (list: SocketList): Promise<SocketRow[]> => {
    const rows = await readSocketList(read, list)
    if (isLong(list)) {
      if (lengths.size >= mostLengths) lengths.clear()
      lengths.set(list.license, rows.length)
    }
    return rows
  }

  const freshOf = (list: SocketList): Promise<SocketRow[]> | undefined => {
    const known = prefetched.get(JSON.stringify(list))
    return known !== undefined && performance.now() - known.at < audienceFreshMs ? known.rows : undefined
  }

  // what the pushes tell of is written: they are worth a second read
  const rowsOf = async (list: SocketList): Promise<SocketRow[]> => {
    const [fresh] = [list, ...widerThan(list)].flatMap((one) => freshOf(one) ?? [])
    return (fresh ?? readRows(list)).catch(() => readRows(list))
  }

  return {
    /** The rows of each list once; `isComplete`: all could be read. */
    rowsOfAll: async (lists: readonly SocketList[]): Promise<{ rows: SocketRow[]; isComplete: boolean }> => {
      const each = new Map(lists.map((list) => [JSON.stringify(list), list]))
      for (const [key, list] of each)
        if (widerThan(list).some((wider) => each.has(JSON.stringify(wider)))) each.delete(key)
      const results = await Promise.allSettled([...each.values()].map(rowsOf))
      for (const result of results)
        if (result.status === 'rejected')
          log.error('The audience of a push could not be read', { cause: result.reason })
      return {
        rows: eachOnce(results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))),
        isComplete: results.every(({ status }) => status === 'fulfilled'),
      }
    },
    prefetch: (lists: readonly SocketList[]): void => {
      for (const list of lists) {
        const rows = readRows(list)
        rows.catch(() => undefined) // whoever awaits it sees the failure
        prefetched.set(JSON.stringify(list), { at: performance.now(), rows })
      }
    },
    settled: () => Promise.allSettled([...prefetched.values()].map(({ rows }) => rows)),
    forget: () => prefetched.clear(),
  }
}

const isLong = (list: SocketList): boolean => Object.keys(list).length === 1

/** The lists that have all rows of this one, and more. */
const widerThan = (list: SocketList): SocketList[] => {
  if ('customer' in list || isLong(list)) return []
  const { license } = list
  const isPart = 'list' in list && list.hears === 'content'
  return [{ license }, ...(isPart ? [{ license, list: list.list, hears: 'lifecycle' } as const] : [])]
}
