import { customerActions } from '../../shared/protocol/customer/index.ts'
import { prices, type Unit } from './prices.ts'
import { bulkheadOf, busyMs, throttleOf } from './throttles.ts'

// What strangers can make a deployment pay for in a minute: each route at its throttle, each request as the
// benchmark's.

/** What a request takes beside a message in, an answer, and a function of 1 GB that is busy for `busyMs`. */
export interface Taken {
  readonly rru: number
  readonly wru: number
  readonly pushes: number
}

interface Row {
  readonly routes: string
  readonly requests: number
  readonly dollarsPerMillion: number
  readonly dollars: number
}

/** Their functions are no actions, and so in no table: counted from what they write and read. */
const gatewayRoutes: Readonly<Record<string, Taken>> = {
  'agent/$connect': { rru: 0, wru: 1, pushes: 0 },
  // the license; the address and the socket
  'customer/$connect': { rru: 1, wru: 2, pushes: 0 },
  'customer/$disconnect': { rru: 0, wru: 1, pushes: 0 },
  'agent/$default': { rru: 0, wru: 0, pushes: 0 },
  'customer/$default': { rru: 0, wru: 0, pushes: 0 },
}

// a line with pushes, at $0.50 per GB
const dollarsOfLogPerMillion = 0.28
const dollarsOf = (unit: Unit, amount: number): number => (amount * prices[unit].dollars) / prices[unit].per

/** Of one request. `index`: what the archive's index takes for a message, in dollars per million. */
const dollarsPerRequest = (path: string, taken: Taken, index: number): number => {
  const writesMessage = /\/(send_event|start_chat)$/.test(path)
  const isConnect = path.endsWith('$connect')
  return (
    dollarsOf('gatewayMessages', 2 + taken.pushes) +
    dollarsOf('invocations', 1) +
    dollarsOf('gbSeconds', busyMs / 1000) +
    dollarsOf('readUnits', taken.rru) +
    dollarsOf('writeUnits', taken.wru) +
    dollarsOfLogPerMillion / 1e6 +
    (writesMessage ? index / 1e6 : 0) +
    // a minute until it is closed, and the job that closes it: sent, received and deleted, by a run of
    // `later`
    (isConnect
      ? dollarsOf('connectionMinutes', 1) +
        dollarsOf('queueRequests', 3) +
        dollarsOf('invocations', 1) +
        dollarsOf('gbSeconds', busyMs / 1000)
      : 0)
  )
}

/**
 * The worst minute of a flood, by groups of routes: for 60 s each route lets through its rate, and once its
 * burst. `measured` by action, as `customer/login`.
 */
export const worstMinute = (
  accountConcurrency: number,
  measured: Readonly<Record<string, Taken>>,
  index: number,
): Row[] => {
  const takenBy = { ...gatewayRoutes, ...measured }
  const row = (audience: string, routes: readonly string[], functions: number, name: string): Row => {
    const { rateLimit, burstLimit } = throttleOf(functions)
    const each = 60 * rateLimit + burstLimit
    const dollarsEach = routes.map((route) => {
      const taken = takenBy[`${audience}/${route}`]
      if (taken === undefined) throw new Error(`docs/benchmark.md has no ${audience}/${route}`)
      return dollarsPerRequest(`${audience}/${route}`, taken, index)
    })
    const dollars = each * dollarsEach.reduce((sum, one) => sum + one, 0)
    const requests = each * routes.length
    return { routes: name, requests, dollarsPerMillion: (dollars / requests) * 1e6, dollars }
  }
  const named = (['agent', 'customer'] as const).flatMap((audience) =>
    Object.entries(bulkheadOf(audience, accountConcurrency).routes).map(([route, functions]) =>
      row(audience, [route], functions, `\`${audience}/${route}\``),
    ),
  )
  const { routes, others = 0 } = bulkheadOf('customer', accountConcurrency)
  const rest = [...customerActions.map(({ name }) => name), '$disconnect'].filter(
    (name) => routes[name] === undefined,
  )
  return [...named, row('customer', rest, others, `each other route of customers, ${rest.length} in all`)]
}
