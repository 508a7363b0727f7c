import { expect, inject, test } from 'vitest'
import { functionsIn } from '../support/functions.ts'
import { runFaults } from './run.ts'

const seed = Number(process.env['FAULTS_SEED'] ?? 20_261_127)
const requests = 120

test(`a short load with faults everywhere breaks no promise (FAULTS_SEED=${seed} npx vitest run test/faults/faults.test.ts)`, async () => {
  const handlers = functionsIn(inject('functions'))
  const report = await runFaults({ seed, requests, kills: 1, handlers, freezes: false })
  expect(report.requests).toBeGreaterThanOrEqual(requests)
  for (const { check, violations } of report.findings)
    expect(violations, `${check}: ${violations.join('; ')}`).toEqual([])
})
