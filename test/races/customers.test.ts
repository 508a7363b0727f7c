import { describeCustomerRaces } from './customers.ts'
import { someSteps } from './holding.ts'

describeCustomerRaces({ full: false, hold: someSteps })
