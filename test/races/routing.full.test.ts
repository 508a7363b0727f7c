import { describe } from 'vitest'
import { everyStep } from './holding.ts'
import { describeRoutingRaces } from './routing.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeRoutingRaces({ full: true, hold: everyStep }))
