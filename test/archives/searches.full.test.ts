import { describe } from 'vitest'
import { describeSearches } from './searches.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => {
  describeSearches({
    ...{ months: 14, threads: 1200, indexed: 150, full: true },
    searches: { archives: 150, chats: 50, index: 150 },
    usual: { found: { some: 84, totals: 49, chatTotals: 34 }, unused: [] },
  })
})
