import { describe } from 'vitest'
import { describeCustomerRaces } from './customers.ts'
import { everyStep } from './holding.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeCustomerRaces({ full: true, hold: everyStep }))
