import { describeReplays } from './replays.ts'

describeReplays({ steps: 6, full: false })
