import { expect, inject, test } from 'vitest'
import { functionsIn } from '../support/functions.ts'
import { runFaults } from './run.ts'

const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const requests = 1000

test(
  `${requests} requests with faults everywhere break no promise (FAULTS_SEED=${seed} npx vitest run test/faults/faults.full.test.ts)`,
  { timeout: 300_000 },
  async () => {
    const handlers = functionsIn(inject('functions'))
    const report = await runFaults({ seed, requests, kills: 1, handlers })
    expect(report.requests).toBeGreaterThanOrEqual(requests)
    for (const { check, checked, violations } of report.findings) {
      expect(violations, `${check}: ${violations.join('; ')}`).toEqual([])
      expect(checked, check).toBeGreaterThan(0)
    }
  },
)
