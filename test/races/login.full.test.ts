import { describe } from 'vitest'
import { describeLoginRaces } from './login.ts'
import { everyStep } from './holding.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeLoginRaces({ full: true, hold: everyStep }))
