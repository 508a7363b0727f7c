import type { Deadline } from '../platform/deadline.ts'
import { pushed, pushedToCustomers } from '../protocol/envelope.ts'
import type { ShownToCustomers } from '../protocol/push-kinds.ts'
import type { PushName, PushPayload } from '../protocol/pushes.ts'
import type { Reader, Writer } from '../table/ops.ts'
import type { AgentList, SocketList } from '../table/socket-lists.ts'
import {
  type AgentSocketItem,
  type CustomerSocketItem,
  isCustomers,
  isLive,
  type SocketFamily,
  type SocketRow,
} from '../table/sockets.ts'
import { listsOf, openLists } from './audience-rows.ts'
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

/** Lists of few connections each. `areMost`: those in them may well be most who are connected. */
export interface AudienceLists {
  short: readonly AgentList[]
  areMost: boolean
}

export interface AgentAudience {
  includes: (row: AgentSocketItem, name: PushName) => boolean
  /** The lists in which all of them stand; undefined: the license's long list alone has them all. */
  lists: (name: PushName) => AudienceLists | undefined
}

export interface CustomerAudience {
  /** Whose connections. */
  ids: readonly string[]
  includes: (row: CustomerSocketItem) => boolean
  /** The payload of a push to agents as these customers get it; undefined: nothing of it is theirs to see. */
  redact: <Name extends PushName>(
    name: Name,
    payload: PushPayload<Name>,
  ) => ShownToCustomers<Name> | undefined
}

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
   * Begins to read who is told of such a push now: after a write, side by side with other reads; or beside
   * the write itself.
   */
  prefetchAudience: (of: Audience, name: Name) => void
  /** The same, and waits for it: those whose sessions end next are still told. */
  awaitAudience: (of: Audience, name: Name) => Promise<void>
  /**
   * Whether one of these agents of a license is a person with a live connection; where it cannot be read,
   * yes.
   */
  hasConnected: (license: string, agents: readonly string[]) => Promise<boolean>
}

export interface Outbox extends Pushing {
  /**
   * Sends what was pushed since. Never throws; resolves to false where those who are to hear it could not be
   * read.
   */
  flush: () => Promise<boolean>
}

/** A client waits for its answer until the posts are over. */
const postingMs = 1000
const puttingOffMs = 1000

/** A push and the lists in which everyone stands who gets it. */
type ListedPush = Push & { lists: SocketList[] }

/** A push as its agents get it, and as its customers do, where it is for any. */
const pushesTo = <Name extends PushName>(
  audience: Audience,
  name: Name,
  payload: PushPayload<Name>,
): ListedPush[] => {
  const { license, agents, customers } = audience
  const lists = listsOf(audience, name)
  const toAgents: ListedPush = {
    lists: lists.filter((list) => !('customer' in list)),
    to: (row) =>
      !isCustomers(row) &&
      row.license_id === license &&
      row.pushes?.includes(name) !== false &&
      agents?.includes(row, name) === true,
    frame: pushed(name, payload),
  }
  const shown = customers?.redact(name, payload)
  return [
    ...(agents === undefined ? [] : [toAgents]),
    ...(customers === undefined || customers.ids.length === 0 || shown === undefined
      ? []
      : [
          {
            lists: lists.filter((list) => 'customer' in list),
            to: (row: SocketRow) =>
              isCustomers(row) &&
              row.license_id === license &&
              customers.ids.includes(row.customer_id) &&
              customers.includes(row),
            frame: pushedToCustomers(name, shown),
          },
        ]),
  ]
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
  let pushes: ListedPush[] = []
  const { rowsOfAll, prefetch, settled, forget } = openLists(options.read)

  return {
    push: (audience, name, payload) => void pushes.push(...pushesTo(audience, name, payload)),
    prefetchAudience: (of, name) => prefetch(listsOf(of, name)),
    hasConnected: async (license, agents) => {
      const lists = agents.map((agent) => ({ license, agent }))
      const { rows, isComplete } = await rowsOfAll(lists)
      const isOne = (row: SocketRow) => !isCustomers(row) && !row.bot && agents.includes(row.agent_id)
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
        // pushes that are not through by then can still be put off
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
