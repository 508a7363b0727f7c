import { describe } from 'vitest'
import { describeFloods } from './flood.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () =>
  describeFloods({ agents: ['ann', 'ben', 'cleo', 'dan'], each: 12, inFlight: 60 }),
)
