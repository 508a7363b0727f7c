import { describeTableFaults } from './faults.ts'

describeTableFaults({ full: false })
