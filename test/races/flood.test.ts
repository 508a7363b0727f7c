import { describeFloods } from './flood.ts'

describeFloods({ agents: ['ann', 'ben'], each: 3, inFlight: 12 })
