import { describe } from 'vitest'
import { everyStep } from '../races/holding.ts'
import { describeKeptCounts } from './kept-counts.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => {
  describeKeptCounts({ full: true, hold: everyStep })
})
