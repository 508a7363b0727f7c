import { expect, inject, test } from 'vitest'
import { functionsIn } from '../support/functions.ts'
import { runFaults } from './run.ts'

const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
// the load's; with what brings it to its end there are more than 2,000
const requests = 1850

test(`2,000 requests with faults everywhere break no promise (FAULTS_SEED=${seed})`, async () => {
  process.stdout.write(`FAULTS_SEED=${seed} gives this load again\n`)
  const report = await runFaults({ seed, requests, kills: 1, handlers: functionsIn(inject('functions')) })
  expect(report.requests).toBeGreaterThanOrEqual(2000)
  for (const { check, checked, violations } of report.findings) {
    expect(violations, `${check}: ${violations.join('; ')}`).toEqual([])
    expect(checked, check).toBeGreaterThan(0)
  }
})
