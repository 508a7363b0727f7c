import { someSteps } from '../races/holding.ts'
import { describeKeptCounts } from './kept-counts.ts'

describeKeptCounts({ full: false, hold: someSteps })
