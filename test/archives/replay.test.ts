import { describeReplays } from './replays.ts'

describeReplays({ steps: 12, full: false })
