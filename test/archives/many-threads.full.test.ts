import { testManyThreads, testVeryManyThreads } from './many-threads.ts'

testManyThreads(150)
testVeryManyThreads(2500)
