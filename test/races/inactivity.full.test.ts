import { describe } from 'vitest'
import { everyStep } from './holding.ts'
import { describeInactivity } from './inactivity.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeInactivity({ hold: everyStep }))
