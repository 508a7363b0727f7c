import { customerActions } from '../../shared/protocol/customer/index.ts'

// The bulkhead: all functions share the account's concurrency, so the routes that strangers reach are
// throttled to half of it, and the delay queue's worker to a twentieth. Agents' other routes need a session,
// and keep the rest.

/** What a token bucket of the gateway lets through. */
export interface Throttle {
  readonly rateLimit: number
  readonly burstLimit: number
}

/**
 * Milliseconds that a request keeps a function busy, taken alike for all routes: docs/benchmark.md has 95 of
 * a hundred at up to 39 ms for the agents' `login` and 28 for the customers' `start_chat`, and 49 ms for
 * `send_event` where each call to the table takes 5 ms longer and each post 20. With these added, `login`
 * takes 89 ms, `start_chat` 68, `close_thread` 72.
 */
export const busyMs = 100

/** How many functions strangers may keep busy by each route, of 1,000 of the account: 500 in all. */
const atOnce = {
  agent: { $connect: 60, login: 80, start_chat: 20, $default: 10 },
  customer: { $connect: 40, login: 40, start_chat: 30, send_event: 60, $default: 6 },
  /** Each of the customers' other routes. */
  otherOfCustomers: 10,
  /** The HTTP API, which anybody can ask with a token that is none: a fifth more in all. */
  http: { 'POST /v1/agent/action/send_event': 40, $default: 4 },
  otherOfHttp: 6,
  /** The worker of the delay queue, beside them. */
  later: 50,
}

// one at once and one in 100 ms
const leastOfRoute = 2
// Lambda takes no less
const leastOfQueue = 2

const ofAccount = (share: number, accountConcurrency: number): number =>
  Math.floor((share * accountConcurrency) / 1000)

/**
 * What strangers reach of an endpoint: how many functions each of these routes may keep busy, and each other
 * one.
 */
export interface Bulkhead {
  readonly routes: Readonly<Record<string, number>>
  /** Undefined: the other routes are not for strangers. */
  readonly others: number | undefined
}

export const bulkheadOf = (audience: 'agent' | 'customer' | 'http', accountConcurrency: number): Bulkhead => {
  const scaled = (share: number) => Math.max(leastOfRoute, ofAccount(share, accountConcurrency))
  const others = { agent: undefined, customer: atOnce.otherOfCustomers, http: atOnce.otherOfHttp }[audience]
  return {
    routes: Object.fromEntries(
      Object.entries(atOnce[audience]).map(([route, share]) => [route, scaled(share)]),
    ),
    others: others === undefined ? undefined : scaled(others),
  }
}

/**
 * The throttle that keeps at most so many functions busy. In any time t a bucket lets through its burst and t
 * times its rate, so that burst + rate × `busyMs` run at once: each is half of it.
 */
export const throttleOf = (functions: number): Throttle => {
  const burstLimit = Math.floor(functions / 2)
  return { burstLimit, rateLimit: ((functions - burstLimit) * 1000) / busyMs }
}

/** How many batches of the delay queue are worked on at once. */
export const laterAtOnce = (accountConcurrency: number): number =>
  Math.max(leastOfQueue, ofAccount(atOnce.later, accountConcurrency))

/**
 * How many functions strangers may keep busy by all routes of both endpoints; the HTTP API's are beside them.
 */
export const strangersAtOnce = (accountConcurrency: number): number => {
  const { routes, others = 0 } = bulkheadOf('customer', accountConcurrency)
  const agents = Object.values(bulkheadOf('agent', accountConcurrency).routes)
  const otherRoutes = customerActions.length + 3 - Object.keys(routes).length
  return [...agents, ...Object.values(routes), otherRoutes * others].reduce((sum, of) => sum + of, 0)
}
