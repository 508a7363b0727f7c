import { testManyThreads, testVeryManyThreads } from './many-threads.ts'

testManyThreads(500)
testVeryManyThreads(5000)
