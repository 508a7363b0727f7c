import { expect, test } from 'vitest'
import { worstMinute } from '../../infra/stack/flood-cost.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'

const nothing = { rru: 0, wru: 0, pushes: 0 }
const actions = [
  ...agentActions.map(({ name }) => `agent/${name}`),
  ...customerActions.map(({ name }) => `customer/${name}`),
]
const measured = Object.fromEntries(actions.map((path) => [path, nothing]))
const rowOf = (routes: string, ...given: Parameters<typeof worstMinute>) =>
  worstMinute(...given).find((row) => row.routes === routes)!

// in and out, a run, 0.1 GB-s, its line in the log
const least = 2 + 0.2 + 1.33334 + 0.28

test('a request costs two messages, a run of 100 ms and a line in the log at least; its route has 60 s and its burst', () => {
  const row = rowOf('`customer/$default`', 1000, measured, 0)
  expect(row.requests).toBe(60 * 30 + 3)
  expect(row.dollarsPerMillion).toBeCloseTo(least, 6)
  expect(row.dollars).toBeCloseTo((1803 * least) / 1e6, 9)
})

test('what it reads, writes and pushes is added, and the index for messages', () => {
  const taken = { ...measured, 'customer/send_event': { rru: 5, wru: 1, pushes: 20 } }
  const row = rowOf('`customer/send_event`', 1000, taken, 6)
  expect(row.dollarsPerMillion).toBeCloseTo(least + 5 * 0.125 + 0.625 + 20 + 6, 6)
})

test('a connection is open for a minute, and closed by a job', () => {
  const row = rowOf('`agent/$connect`', 1000, measured, 0)
  expect(row.dollarsPerMillion).toBeCloseTo(least + 0.625 + 0.25 + 3 * 0.4 + 0.2 + 1.33334, 6)
})

test('all routes of customers are in it, and a larger account pays for more', () => {
  const all = (concurrency: number) =>
    worstMinute(concurrency, measured, 0).reduce((sum, { requests }) => sum + requests, 0)
  const last = worstMinute(1000, measured, 0).at(-1)!
  expect(last.requests).toBe((customerActions.length + 3 - 5) * (60 * 50 + 5))
  expect(all(4000)).toBeGreaterThan(3.5 * all(1000))
})

test('an action that was not measured is named', () => {
  expect(() => worstMinute(1000, {}, 0)).toThrow('docs/benchmark.md has no agent/login')
})
