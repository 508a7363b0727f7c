// Measures what each frame of a stranger costs at worst, and writes docs/worst-frame.md: `npm run
// worst-frames`.
import { startVitest } from 'vitest/node'

process.env['WORST_FRAMES'] = 'write'
await startVitest('test', ['test/budgets/worst-frames.full.test.ts'], { run: true, project: ['long'] })
