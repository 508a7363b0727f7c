import { describe } from 'vitest'
import { everyStep } from './holding.ts'
import { describeLogRaces } from './log.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeLogRaces({ full: true, hold: everyStep }))
