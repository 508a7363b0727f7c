import { describe } from 'vitest'
import { describeReplays } from './replays.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => {
  describeReplays({ steps: 30, full: true })
})
