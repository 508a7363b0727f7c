import { cpus, totalmem } from 'node:os'
import type { ActionCounts, ActionTimes } from './actions.ts'
import type { Searched } from './archives.ts'
import type { BundleFigures } from './bundles.ts'
import { costOf, type Habits, type MessageCounts, type Term } from './cost.ts'
import { habits } from './message-counts.ts'
import type { Figures } from './parts.ts'
import type { Throughput } from './throughput.ts'
import { cloudMs, type FanOut } from './versus-floor.ts'

export interface SendTimes {
  here: FanOut[]
  cloud: FanOut[]
}

/** What a million messages delivered cost in chats of so many people. */
export interface Cost {
  people: number
  counts: MessageCounts
  terms: Term[]
  /** The terms by what they are paid to. */
  groups: { name: string; dollars: number }[]
  dollars: number
}

type Action = { name: string } & ActionCounts & ActionTimes & BundleFigures

/** All that the benchmark prints. Milliseconds, bytes, dollars. */
export interface Report {
  machine: string
  engine: string
  command: string
  seconds: number
  actions: Action[]
  bundles: Record<string, BundleFigures>
  send: SendTimes
  /** What the benchmark is judged by: the answer with 20 sockets, the last receipt with 500. */
  ratios: Record<'sendEvent' | 'fanOut', { here: number; cloud: number }>
  throughput: Throughput[]
  archives: Searched[]
  costs: Cost[]
  habits: Habits
  cloudMs: typeof cloudMs
}

const groupNames: readonly (readonly [name: string, of: readonly Term['unit'][]])[] = [
  ['API Gateway: messages', ['gatewayMessages']],
  ['API Gateway: connection minutes', ['connectionMinutes']],
  ['Lambda', ['invocations', 'gbSeconds']],
  ['DynamoDB, the message', ['writeUnits', 'readUnits']],
  ['the archive’s index: DynamoDB and Lambda', []],
  ['SQS', ['queueRequests']],
]
const isIndex = ({ name }: Term) => name.startsWith('`index`')

const costsOf = ({ counts, pingMs }: Figures['messages']): Cost[] =>
  counts.map((each) => {
    const { terms, dollars } = costOf(each, { ...habits, pingMs })
    const groups = groupNames.map(([name, units]) => ({
      name,
      dollars: terms
        .filter((term) => (units.length === 0 ? isIndex(term) : !isIndex(term) && units.includes(term.unit)))
        .reduce((sum, term) => sum + term.dollars, 0),
    }))
    return { people: each.people, counts: each, terms, groups, dollars }
  })

/** With how many sockets: those that the budgets of design §4 are for. */
const judged = { sendEvent: 20, fanOut: 500 }

/** @param engine what the table was */
export const reportOf = (figures: Figures, rest: Pick<Report, 'engine' | 'command' | 'seconds'>): Report => {
  const counted = figures['actions-counted']
  const timed = figures['actions-timed']
  const { bundles } = figures
  const send = { here: figures['fan-out'], cloud: figures['fan-out-cloud'] }
  const ratios = (sockets: number, part: 'answer' | 'lastReceipt') => {
    const of = (all: readonly FanOut[]) =>
      all.find((one) => one.sockets === sockets)?.[part].ratio ?? Number.NaN
    return { here: of(send.here), cloud: of(send.cloud) }
  }
  const [cpu] = cpus()
  return {
    machine: `${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB, Node.js ${process.versions.node}`,
    ...rest,
    actions: Object.keys(counted).map((name) => ({
      name,
      ...counted[name]!,
      ...timed[name]!,
      ...bundles[name]!,
    })),
    bundles,
    send,
    ratios: { sendEvent: ratios(judged.sendEvent, 'answer'), fanOut: ratios(judged.fanOut, 'lastReceipt') },
    throughput: figures.throughput,
    archives: figures.archives,
    costs: costsOf(figures.messages),
    habits: { ...habits, pingMs: figures.messages.pingMs },
    cloudMs,
  }
}
