import { describeLoginRaces } from './login.ts'
import { someSteps } from './holding.ts'

describeLoginRaces({ full: false, hold: someSteps })
