import { describeSearchRaces } from './search-races.ts'

describeSearchRaces({ chats: 4, each: 1, changes: 12 })
