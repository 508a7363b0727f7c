import { someSteps } from './holding.ts'
import { describePresence } from './presence.ts'

describePresence({ hold: someSteps })
