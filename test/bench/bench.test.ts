import { describe, expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { costOf, type MessageCounts } from './cost.ts'
import { requests } from './requests.ts'
import { median, percentile } from './statistics.ts'

test('every action of the tables is asked for, and no other', () => {
  expect(Object.keys(requests).toSorted()).toEqual(
    [
      ...agentActions.map(({ name }) => `agent/${name}`),
      ...customerActions.map(({ name }) => `customer/${name}`),
    ].toSorted(),
  )
})

test('a percentile is the nearest rank, whatever the order', () => {
  const figures = Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) + 1)
  expect([50, 95, 99, 100].map((percent) => percentile(figures, percent))).toEqual([50, 95, 99, 100])
  expect([percentile([7], 99), median([3, 1, 2])]).toEqual([7, 2])
  expect(() => percentile([], 50)).toThrow('no figures')
})

describe('the cost of a million messages delivered', () => {
  const habits = { secondsPerMessage: 60, secondsPerPing: 300, memoryGb: 1, indexMemoryGb: 1, pingMs: 1 }
  const counts: MessageCounts = {
    ...{ people: 2, pushes: 2, rru: 8, wru: 1, functionMs: 50, jobs: 0 },
    ...{ indexRuns: 1, indexMs: 100, indexRru: 4, indexWru: 6, notifyRuns: 0, notifyMs: 0 },
  }

  test('is each amount times its unit price, by hand', () => {
    const { terms, dollars } = costOf(counts, habits)
    const of = (name: string, unit: string) =>
      terms.filter((term) => term.name === name && term.unit === unit).map((term) => term.dollars)
    expect(of('the request and its answer', 'gatewayMessages')).toEqual([2])
    expect(of('pushes', 'gatewayMessages')).toEqual([2])
    // two people, a fifth of a ping each, both ways
    expect(of('pings and their answers', 'gatewayMessages')[0]).toBeCloseTo(0.8)
    // two minutes of connection
    expect(of('connections', 'connectionMinutes')[0]).toBeCloseTo(0.5)
    expect(of('`send_event`, requests', 'invocations')[0]).toBeCloseTo(0.2)
    // 0.05 GB-seconds
    expect(of('`send_event`, time', 'gbSeconds')[0]).toBeCloseTo(0.66667)
    expect(of('`send_event`, writes', 'writeUnits')[0]).toBeCloseTo(0.625)
    expect(of('`send_event`, reads', 'readUnits')[0]).toBeCloseTo(1)
    expect(of('`index`, writes', 'writeUnits')[0]).toBeCloseTo(3.75)
    expect(of('the delay queue', 'queueRequests')).toEqual([0])
    expect(dollars).toBeCloseTo(terms.reduce((sum, term) => sum + term.dollars, 0))
  })

  test('is shared by those whom a message is delivered to', () => {
    const five = costOf({ ...counts, people: 5, pushes: 2 }, { ...habits, secondsPerMessage: 0 })
    const two = costOf(counts, { ...habits, secondsPerMessage: 0 })
    expect(five.dollars).toBeCloseTo(two.dollars / 4)
  })

  test('has three requests to the queue for each job', () => {
    const { terms } = costOf({ ...counts, jobs: 1 }, habits)
    expect(terms.find(({ unit }) => unit === 'queueRequests')?.dollars).toBeCloseTo(1.2)
  })
})
