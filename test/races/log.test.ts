import { someSteps } from './holding.ts'
import { describeLogRaces } from './log.ts'

describeLogRaces({ full: false, hold: someSteps })
