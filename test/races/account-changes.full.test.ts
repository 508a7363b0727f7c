import { describe } from 'vitest'
import { describeAccountChanges } from './account-changes.ts'
import { everyStep } from './holding.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeAccountChanges({ full: true, hold: everyStep }))
