import { expect, inject } from 'vitest'
import { functionsIn } from '../support/functions.ts'
import type { Report } from './run.ts'
import { runFaults } from './run.ts'

/** Runs a load of so many requests while everything fails that can, and expects every promise to hold. */
export const expectPromisesKept = async (seed: number, requests: number): Promise<Report> => {
  const handlers = functionsIn(inject('functions'))
  const report = await runFaults({ seed, requests, kills: 1, handlers })
  for (const { check, violations } of report.findings)
    expect(violations, `${check} (FAULTS_SEED=${seed}): ${violations.join('; ')}`).toEqual([])
  expect(report.requests).toBeGreaterThanOrEqual(requests)
  return report
}
