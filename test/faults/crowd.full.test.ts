import { expect, test } from 'vitest'
import { expectPromisesKept } from './promises.ts'
import { longRates } from './run.ts'

const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const again = `FAULTS_SEED=${seed} npx vitest run test/faults/crowd.full.test.ts`

test(
  `200 agents in 10 groups hear what they want, and nothing else (${again})`,
  { timeout: 180_000 },
  async () => {
    const load = { requests: 100, phases: 1, floodKinds: [], rates: longRates, crowd: 200 }
    const { findings } = await expectPromisesKept({ seed, ...load })
    const probed = findings.find(({ check }) => check.startsWith('once all is quiet'))
    // each of them is asked about an event of some chat at least
    expect(probed?.checked).toBeGreaterThan(200)
  },
)
