import { someSteps } from './holding.ts'
import { describeRoutingRaces } from './routing.ts'

describeRoutingRaces({ full: false, hold: someSteps })
