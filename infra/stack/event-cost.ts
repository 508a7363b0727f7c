import { prices, type Unit } from './prices.ts'

/** What an event takes beside what it tells of. */
interface Term {
  readonly name: string
  readonly unit: Unit
  readonly amount: number
}

// a run of `notify` per event, as where little happens: of a busy second one run has up to a hundred
const runMs = 20
// the chat, the license (half a unit), the thread that the event may begin, its author (half)
const readUnits = 3

export const eventTerms: readonly Term[] = [
  { name: 'the event, up to 64 KB, which all are but the longest threads', unit: 'busEvents', amount: 1 },
  { name: '`notify`, requests', unit: 'invocations', amount: 1 },
  { name: `\`notify\`, ${runMs} ms of a function of 1 GB`, unit: 'gbSeconds', amount: runMs / 1000 },
  { name: '`notify`, reads', unit: 'readUnits', amount: readUnits },
  { name: 'per webhook that gets it', unit: 'webhookPosts', amount: 1 },
]

/** Dollars per million events, of one of their terms. */
export const dollarsOfEvents = ({ unit, amount }: Term): number =>
  (amount * prices[unit].dollars * 1_000_000) / prices[unit].per

/** Dollars per million events, of all that one takes before anything receives it. */
export const dollarsPerMillionEvents = (): number =>
  eventTerms
    .filter(({ unit }) => unit !== 'webhookPosts')
    .reduce((sum, term) => sum + dollarsOfEvents(term), 0)
