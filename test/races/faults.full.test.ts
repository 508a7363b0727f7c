import { describe } from 'vitest'
import { describeTableFaults } from './faults.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeTableFaults({ full: true }))
