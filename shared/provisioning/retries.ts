import { setTimeout as wait } from 'node:timers/promises'
import type { Table } from '../table/client.ts'
import type { Attributes, Op } from '../table/ops.ts'
import { AdminError } from './admin-error.ts'

/** What was read no longer stands: read and decide again. */
export const conflict = Symbol('contested')
type Contested = typeof conflict

/** One write of a transaction, and what it means when its condition does not hold. */
export interface Step<T> {
  op: Op
  refused: (found: Attributes | undefined) => T | Contested
}

const maxAttempts = 30
const maxPauseMs = 50

/** Writes all steps or none. Undefined: written; else what the first refused step means. */
export async function writeTogether<T>(
  table: Table,
  steps: readonly Step<T>[],
): Promise<T | Contested | undefined> {
  const refusals = await table.write.transact(steps.map(({ op }) => op))
  if (refusals.length === 0) return undefined
  const refusal = refusals.find(({ reason }) => reason === 'condition')
  const step = refusal && steps[refusal.index]
  return step ? step.refused(refusal.found) : conflict
}

// a single write that met transactions under way, one after the other
const contestedByTransaction = (error: unknown): Contested => {
  if (error instanceof Error && error.name === 'TransactionConflictException') return conflict
  throw error
}

/** Tries again, after a short random pause, until nobody came in between. */
export async function retryOnConflict<T>(attempt: () => Promise<T | Contested>): Promise<T> {
  for (let attempts = 1; attempts <= maxAttempts; attempts++) {
    const outcome = await attempt().catch(contestedByTransaction)
    if (outcome !== conflict) return outcome
    await wait(Math.random() * maxPauseMs)
  }
  throw new AdminError('Others keep changing the same items. Try again in a moment.')
}
