import { afterAll, beforeAll, vi } from 'vitest'

/**
 * The clock of a test file, and of every world in it, shows this time (ms) at its first hook, and runs on
 * from there.
 */
export const beginAt = (ms: number): void => {
  beforeAll(() => void vi.useFakeTimers({ toFake: ['Date'], now: ms, shouldAdvanceTime: true }))
  afterAll(() => void vi.useRealTimers())
}
