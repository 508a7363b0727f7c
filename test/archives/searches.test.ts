import { describeSearches } from './searches.ts'

describeSearches({
  ...{ months: 5, threads: 150, indexed: 20, full: false },
  searches: { archives: 24, chats: 8, index: 24 },
  usual: {
    found: { some: 9, totals: 6, chatTotals: 7 },
    unused: ['reads one list on', 'reads a list page by page'],
  },
})
