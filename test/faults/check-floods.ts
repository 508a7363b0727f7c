import { answersOf } from './check-answers.ts'
import { type Check, checking, framesOf, grouped, type History, type Span } from './history.ts'

const mostTimes = 2
/** Medians of fewer answers than these are chance: faults make some answers a hundred times as slow. */
const enoughAnswers = 100
/** Pushes to a connection that asked for five times its limit. */
const closings: readonly unknown[] = [
  'customer_disconnected too_many_connections',
  'agent_disconnected agent_disconnected_by_server',
]

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Times (ms) of the answers to requests that were sent in these spans, by action. */
const timesOf = (history: History, spans: readonly Span[]): Map<string, number[]> => {
  const times = answersOf(history).flatMap(({ kind, at }, index) => {
    const { action = '', sentAt = 0 } = history.requests[index] ?? {}
    const isIn = spans.some(({ from, to }) => sentAt >= from && sentAt < to)
    return kind !== 'unknown' && isIn ? [{ action, ms: at - sentAt }] : []
  })
  const byAction = grouped(times, ({ action }) => action)
  return new Map([...byAction].map(([action, some]) => [action, some.map(({ ms }) => ms)]))
}

export interface Medians {
  action: string
  quietMs: number
  floodedMs: number
}

/** Medians of answer times without floods and under them, by action, of actions with enough answers. */
export const mediansOf = (history: History): Medians[] => {
  const quiet = timesOf(history, history.floods.quiet)
  return [...timesOf(history, history.floods.flooded)].flatMap(([action, flooded]) => {
    const before = quiet.get(action) ?? []
    if (Math.min(before.length, flooded.length) < enoughAnswers) return []
    return [{ action, quietMs: median(before), floodedMs: median(flooded) }]
  })
}

export const honestAreServed: Check = checking(
  'honest users’ answers stay within twice their quiet time, and none is refused',
  (history, on) => {
    for (const { as, user, refusedWith } of history.sockets) {
      on.count()
      if (refusedWith === 429) on.say(`${as} ${user ?? ''} could not connect`)
    }
    for (const { socket, frame, text } of framesOf(history)) {
      const { user, isLoggedIn } = history.sockets[socket] ?? {}
      const { payload } = frame
      if (frame.type === 'response') on.count()
      // the answer to a lost race has this type too, but no time when to try again
      if (payload?.error?.type === 'too_many_requests' && payload.error.details !== undefined)
        on.say(`${user} was refused: ${text.slice(0, 200)}`)
      // a connection without a login is closed for that
      if (isLoggedIn === true && closings.includes(`${frame.action} ${payload?.reason}`))
        on.say(`${user} was closed: ${text}`)
    }
    for (const { action, quietMs, floodedMs } of mediansOf(history))
      if (floodedMs > mostTimes * quietMs)
        on.say(`${action} took ${floodedMs.toFixed(1)} ms under floods, and ${quietMs.toFixed(1)} ms without`)
  },
)

export const floodsAreHeld: Check = checking('a flood is answered no more than its limit', (history, on) => {
  for (const { name, most, minutes, answered } of history.floods.records) {
    on.count()
    if (answered > most * minutes) on.say(`${name}: ${answered} answers in ${minutes} minutes of ${most}`)
  }
})
