import { describeLateDisconnects } from './late-disconnect.ts'
import { someSteps } from './holding.ts'

describeLateDisconnects({ full: false, hold: someSteps })
