import { someSteps } from './holding.ts'
import { describeInactivity } from './inactivity.ts'

describeInactivity({ hold: someSteps })
