import { describe } from 'vitest'
import { everyStep } from './holding.ts'
import { describePresence } from './presence.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describePresence({ hold: everyStep }))
