import type { Deadline } from '../platform/deadline.ts'
import { log } from '../platform/log.ts'
import { pushed } from '../protocol/envelope.ts'
import type { CustomerPushName, CustomerPushPayload, PushName, PushPayload } from '../protocol/pushes.ts'
import type { Chat } from '../table/chat/chats.ts'
import type { Reader, Writer } from '../table/ops.ts'
import {
  type AgentSocketItem,
  type CustomerSocketItem,
  isCustomers,
  isLive,
  readAgentSockets,
  readCustomerSockets,
  type SocketFamily,
  type SocketRow,
} from '../table/sockets.ts'
import { deliver, type Push } from './deliver.ts'
import type { HandOver } from './fan-out.ts'

/** Who gets a push: those of a license's live agent sockets that it includes, decided when it is sent. */
export interface Audience {
  license: string
  /** Absent: no agent. */
  includes?: (row: AgentSocketItem) => boolean
  /** The chat's customers, who get what of it is theirs to see. */
  customers?: CustomerAudience
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

/** Whose sockets are read: a license's agents, and the customers of a chat. */
type Listeners = Pick<Chat, 'license_id'> & Partial<Pick<Chat, 'users'>>

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
   * Begins to read who is told now: after a write, side by side with other reads; or beside the write itself.
   */
  prefetchAudience: (of: Listeners) => void
  /** The same, and waits for it: those whose sessions end next are still told. */
  awaitAudience: (of: Listeners) => Promise<void>
  /**
   * Whether one of these agents has a live connection, by the audience that is read; where it is not, yes.
   */
  hasConnected: (of: Listeners, agents: readonly string[]) => Promise<boolean>
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

/** A list of sockets: of a license's agents, or of one of its customers. */
interface List {
  license: string
  customer?: string
}

/** Who listens, as lists of sockets: read when a push is sent, or beforehand. */
const openLists = (read: Reader) => {
  const prefetched = new Map<string, { at: number; rows: Promise<SocketRow[]> }>()

  const readRows = ({ license, customer }: List): Promise<SocketRow[]> =>
    customer === undefined ? readAgentSockets(read, license) : readCustomerSockets(read, license, customer)

  const rowsOf = async (list: List): Promise<SocketRow[]> => {
    const known = prefetched.get(JSON.stringify(list))
    const fresh = known !== undefined && performance.now() - known.at < audienceFreshMs
    // what the pushes tell of is written: they are worth a second read
    return (fresh ? known.rows : readRows(list)).catch(() => readRows(list))
  }

  return {
    rowsOf,
    /** The rows of each list once; `isComplete`: all could be read. */
    rowsOfAll: async (lists: readonly List[]): Promise<{ rows: SocketRow[]; isComplete: boolean }> => {
      const each = new Map(lists.map((list) => [JSON.stringify(list), list]))
      const results = await Promise.allSettled([...each.values()].map(rowsOf))
      for (const result of results)
        if (result.status === 'rejected')
          log.error('The audience of a push could not be read', { cause: result.reason })
      return {
        rows: results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])),
        isComplete: results.every(({ status }) => status === 'fulfilled'),
      }
    },
    prefetch: ({ license_id: license, users = [] }: Listeners): void => {
      const customers = users.filter(({ type, present }) => type === 'customer' && present)
      for (const list of [{ license }, ...customers.map(({ id }) => ({ license, customer: id }))]) {
        const rows = readRows(list)
        rows.catch(() => undefined) // whoever awaits it sees the failure
        prefetched.set(JSON.stringify(list), { at: performance.now(), rows })
      }
    },
    settled: () => Promise.allSettled([...prefetched.values()].map(({ rows }) => rows)),
    forget: () => prefetched.clear(),
  }
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
  let pushes: (Push & { lists: List[] })[] = []
  const { rowsOf, rowsOfAll, prefetch, settled, forget } = openLists(options.read)

  return {
    push: ({ license, includes, customers }, name, payload) => {
      if (includes !== undefined)
        pushes.push({
          lists: [{ license }],
          to: (row) => !isCustomers(row) && row.license_id === license && includes(row),
          frame: pushed(name, payload),
        })
      if (customers === undefined || customers.ids.length === 0) return
      const { ids, includes: includesTab, redact } = customers
      const shown = redact(name, payload)
      if (shown === undefined) return
      pushes.push({
        lists: ids.map((customer) => ({ license, customer })),
        to: (row) =>
          isCustomers(row) && row.license_id === license && ids.includes(row.customer_id) && includesTab(row),
        frame: pushed(name, shown),
      })
    },
    prefetchAudience: prefetch,
    hasConnected: async ({ license_id: license }, agents) => {
      const rows = await rowsOf({ license }).catch(() => undefined)
      const isOne = (row: SocketRow) => !isCustomers(row) && agents.includes(row.agent_id)
      return rows === undefined || rows.some((row) => isOne(row) && isLive(row, Date.now()))
    },
    awaitAudience: async (of) => {
      prefetch(of)
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
