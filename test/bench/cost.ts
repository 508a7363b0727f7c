import { prices, type Unit } from '../../infra/stack/prices.ts'
import { rounded } from './statistics.ts'

/** What a message in a chat takes, measured: on the average, per message sent. */
export interface MessageCounts {
  /** Those in the chat, each on one connection; all but the author are delivered to. */
  people: number
  /** Posts to connections: the author's own sockets hear of it too. */
  pushes: number
  rru: number
  wru: number
  /** Of the function that sends it, milliseconds. */
  functionMs: number
  /** Of the index's worker. */
  indexRuns: number
  indexMs: number
  indexRru: number
  indexWru: number
  /** Of the other worker on the stream: nothing where mobile notifications are off. */
  notifyRuns: number
  notifyMs: number
  /** Messages to the delay queue. */
  jobs: number
}

/** What cannot be measured but must be taken for something. */
export interface Habits {
  /** Seconds from one message in a chat to the next, for which all its people are connected. */
  secondsPerMessage: number
  /** Seconds from one `ping` of a connection to the next. */
  secondsPerPing: number
  memoryGb: number
  /** Of the index's worker. */
  indexMemoryGb: number
  /** Of a function that answers a ping, milliseconds. */
  pingMs: number
}

export interface Term {
  name: string
  unit: Unit
  /** Of the unit, per message sent. */
  amount: number
  /** Per million messages delivered. */
  dollars: number
}

/** A message from the delay queue takes a request to send it, one to receive it, one to delete it. */
const requestsPerJob = 3

/** Dollars per million messages delivered, term by term. */
export const costOf = (counts: MessageCounts, habits: Habits): { terms: Term[]; dollars: number } => {
  const { people, pushes } = counts
  const { secondsPerMessage, secondsPerPing, memoryGb, indexMemoryGb, pingMs } = habits
  const pings = (people * secondsPerMessage) / secondsPerPing
  const gbSeconds = (ms: number, gb = memoryGb) => (ms / 1000) * gb
  const amounts: [name: string, unit: Unit, amount: number][] = [
    ['the request and its answer', 'gatewayMessages', 2],
    ['pushes', 'gatewayMessages', pushes],
    ['pings and their answers', 'gatewayMessages', 2 * pings],
    ['connections', 'connectionMinutes', (people * secondsPerMessage) / 60],
    ['`send_event`, requests', 'invocations', 1],
    ['`send_event`, time', 'gbSeconds', gbSeconds(counts.functionMs)],
    ['`ping`, requests', 'invocations', pings],
    ['`ping`, time', 'gbSeconds', pings * gbSeconds(pingMs)],
    ['`send_event`, writes', 'writeUnits', counts.wru],
    ['`send_event`, reads', 'readUnits', counts.rru],
    ['`index`, requests', 'invocations', counts.indexRuns],
    ['`index`, time', 'gbSeconds', gbSeconds(counts.indexMs, indexMemoryGb)],
    ['`index`, writes', 'writeUnits', counts.indexWru],
    ['`index`, reads', 'readUnits', counts.indexRru],
    ['`notify`, requests', 'invocations', counts.notifyRuns],
    ['`notify`, time', 'gbSeconds', gbSeconds(counts.notifyMs)],
    ['the delay queue', 'queueRequests', requestsPerJob * counts.jobs],
  ]
  const delivered = people - 1
  const terms = amounts.map(([name, unit, amount]): Term => {
    const { dollars, per } = prices[unit]
    return { name, unit, amount: rounded(amount), dollars: (amount * dollars * 1_000_000) / per / delivered }
  })
  return { terms, dollars: terms.reduce((sum, { dollars }) => sum + dollars, 0) }
}
