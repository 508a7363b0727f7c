import { testManyThreads } from './many-threads.ts'

testManyThreads(500)
