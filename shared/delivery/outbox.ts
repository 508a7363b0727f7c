import type { Deadline } from '../platform/deadline.ts'
import { log } from '../platform/log.ts'
import { pushed } from '../protocol/envelope.ts'
import type { CustomerPushName, CustomerPushPayload, PushName, PushPayload } from '../protocol/pushes.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { type AgentList, readSocketList, type SocketList } from '../table/socket-lists.ts'
import {
  type AgentSocketItem,
  type CustomerSocketItem,
  isCustomers,
  isLive,
  type SocketFamily,
  type SocketRow,
} from '../table/sockets.ts'
import { deliver, type Push } from './deliver.ts'
import type { HandOver } from './fan-out.ts'

/** Who gets a push: of a license's connections those that it includes, decided when it is sent. */
export interface Audience {
  license: string
  /** Absent: no agent. */
  agents?: AgentAudience
  /** The chat's customers, who get what of it is theirs to see. */
  customers?: CustomerAudience
}

export interface AgentAudience {
  includes: (row: AgentSocketItem, name: PushName) => boolean
  /** The lists in which all of them stand; undefined: the license's long list alone has them all. */
  lists: (name: PushName) => readonly AgentList[] | undefined
}

export interface CustomerAudience {
  /** Whose connections. */
  ids: readonly string[]
  includes: (row: CustomerSocketItem) => boolean
  /** The payload of a push to agents as these customers get it; undefined: nothing of it is theirs to see. */
  redact: <Name extends PushName>(name: Name, payload: PushPayload<Name>) => Redacted<Name> | undefined
}

/** What customers get of a push to agents. */
export type Redacted<Name extends PushName> = Name extends CustomerPushName
  ? CustomerPushPayload<Name>
  : never

/**
 * The name and the payload of one push, as a union over names. `push` has no type parameter for the name: the
 * compiler compares two generic functions without the constraints of their parameters, so that shared code
 * could push more than the contract of its caller declares.
 */
type NamedPush<Name extends PushName> = { [One in Name]: [name: One, payload: PushPayload<One>] }[Name]

export interface Pushing<Name extends PushName = PushName> {
  /**
   * Tells everyone of the audience once the work is done: of several pushes each connection gets its own in
   * this order. Who that is is read after the work too, so that whoever came meanwhile is told.
   */
  push: (to: Audience, ...push: NamedPush<Name>) => void
  /**
   * Begins to read who is told of such a push now: after a write, side by side with other reads; or beside the
   * write itself.
   */
  prefetchAudience: (of: Audience, name: Name) => void
  /** The same, and waits for it: those whose sessions end next are still told. */
  awaitAudience: (of: Audience, name: Name) => Promise<void>
  /** Whether one of these agents of a license has a live connection; where it cannot be read, yes. */
  hasConnected: (license: string, agents: readonly string[]) => Promise<boolean>
}

export interface Outbox extends Pushing {
  /**
   * Sends what was pushed since. Never throws; resolves to false where those who are to hear it could not be
   * read.
   */
  flush: () => Promise<boolean>
}

/**
 * How long an audience read beside a write is good for: a login within this time that saw neither the write
 * nor its push is told by `later`, a longer write is told to an audience read after it.
 */
export const audienceFreshMs = 1000

/** A client waits for its answer until the posts are over. */
const postingMs = 1000
const puttingOffMs = 1000

/** How long the long lists of licenses were when a function last read them, in connections. */
const lengths = new Map<string, number>()
const mostLengths = 1000
/** So many rows of the long list cost no more to read than one list of a single row: some 4 KB. */
const rowsPerList = 12

/**
 * The lists to read for a push: short ones, unless the license has so few connections that the long one costs
 * no more.
 */
const listsOf = ({ license, agents, customers }: Audience, name: PushName): SocketList[] => {
  const short = agents?.lists(name)
  const long = (lengths.get(license) ?? Infinity) / rowsPerList
  const ofAgents = agents === undefined ? [] : short === undefined || long <= short.length ? [{}] : short
  return [
    ...ofAgents.map((list) => ({ license, ...list })),
    ...(customers?.ids ?? []).map((customer) => ({ license, customer })),
  ]
}

/** Each connection once. Where its rows differ, since it is ending between two reads, the one that says so. */
const eachOnce = (rows: readonly SocketRow[]): SocketRow[] => {
  const each = new Map<string, SocketRow>()
  for (const row of rows) if (each.get(row.connection)?.ended === undefined) each.set(row.connection, row)
  return [...each.values()]
}

/** Who listens, as lists of sockets: read when a push is sent, or beforehand. */
const openLists = (read: Reader) => {
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

/** Collects the pushes of one request or job until what they tell of is written. */
export const openOutbox = (options: {
  read: Reader
  write: Writer<SocketFamily>
  deadline: Pick<Deadline, 'signal' | 'endsAt'>
  /** How long the posts may take in all; without it a second. */
  postingMs?: number
  /** Takes posts to many connections; without it, all are made here. */
  handOver?: HandOver | undefined
}): Outbox => {
  const { write, deadline } = options
  let pushes: (Push & { lists: SocketList[] })[] = []
  const { rowsOfAll, prefetch, settled, forget } = openLists(options.read)

  return {
    push: (audience, name, payload) => {
      const { license, agents, customers } = audience
      const lists = listsOf(audience, name)
      if (agents !== undefined)
        pushes.push({
          lists: lists.filter((list) => !('customer' in list)),
          to: (row) =>
            !isCustomers(row) &&
            row.license_id === license &&
            row.pushes?.includes(name) !== false &&
            agents.includes(row, name),
          frame: pushed(name, payload),
        })
      if (customers === undefined || customers.ids.length === 0) return
      const { ids, includes: includesTab, redact } = customers
      const shown = redact(name, payload)
      if (shown === undefined) return
      pushes.push({
        lists: lists.filter((list) => 'customer' in list),
        to: (row) =>
          isCustomers(row) && row.license_id === license && ids.includes(row.customer_id) && includesTab(row),
        frame: pushed(name, shown),
      })
    },
    prefetchAudience: (of, name) => prefetch(listsOf(of, name)),
    hasConnected: async (license, agents) => {
      const lists = agents.map((agent) => ({ license, agent }))
      const { rows, isComplete } = await rowsOfAll(lists)
      const isOne = (row: SocketRow) => !isCustomers(row) && agents.includes(row.agent_id)
      return !isComplete || rows.some((row) => isOne(row) && isLive(row, Date.now()))
    },
    awaitAudience: async (of, name) => {
      prefetch(listsOf(of, name))
      await settled()
    },
    flush: async () => {
      const sending = pushes
      pushes = []
      const { rows, isComplete } = await rowsOfAll(sending.flatMap((push) => push.lists))
      await deliver({
        rows,
        pushes: sending,
        handOver: options.handOver,
        write,
        signal: deadline.signal,
        // what is not through by then can still be put off
        postingMs: Math.min(
          options.postingMs ?? postingMs,
          deadline.endsAt - performance.now() - puttingOffMs,
        ),
        nowMs: Date.now(),
      })
      forget()
      return isComplete
    },
  }
}
