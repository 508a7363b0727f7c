import { describeAccountChanges } from './account-changes.ts'
import { someSteps } from './holding.ts'

describeAccountChanges({ full: false, hold: someSteps })
