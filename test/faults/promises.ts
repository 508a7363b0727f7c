import { expect, inject } from 'vitest'
import { functionsIn } from '../support/functions.ts'
import { type Report, runFaults, type RunOptions } from './run.ts'

/** Runs a load of so many requests while everything fails that can, and expects every promise to hold. */
export const expectPromisesKept = async (
  options: Pick<RunOptions, 'seed' | 'requests' | 'phases' | 'floodKinds' | 'rates' | 'crowd'>,
): Promise<Report> => {
  const { seed, requests } = options
  const handlers = functionsIn(inject('functions'))
  const report = await runFaults({ ...options, kills: 1, handlers })
  for (const { check, violations } of report.findings)
    expect(violations, `${check} (FAULTS_SEED=${seed}): ${violations.join('; ')}`).toEqual([])
  expect(report.requests).toBeGreaterThanOrEqual(requests)
  return report
}
