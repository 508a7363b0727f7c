import { describe } from 'vitest'
import { describeSearchRaces } from './search-races.ts'

// more runs than a test has time for
describe('in full', { timeout: 240_000 }, () => describeSearchRaces({ chats: 10, each: 2, changes: 80 }))
