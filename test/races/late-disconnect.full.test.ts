import { describe } from 'vitest'
import { describeLateDisconnects } from './late-disconnect.ts'
import { everyStep } from './holding.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => {
  describeLateDisconnects({ full: true, hold: everyStep })
})
