import { expect, test } from 'vitest'
import { expectPromisesKept } from './promises.ts'
import { longRates } from './run.ts'

const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const again = `FAULTS_SEED=${seed} npx vitest run test/faults/faults.full.test.ts`

// `npm run faults` makes twenty times as many
test(`1,000 requests with faults everywhere break no promise (${again})`, { timeout: 300_000 }, async () => {
  const { findings, floods } = await expectPromisesKept({ seed, requests: 900, phases: 2, rates: longRates })
  for (const { check, checked } of findings) expect(checked, check).toBeGreaterThan(0)
  // how many come to their limits depends on the machine; the first does
  expect(floods.filter(({ refused }) => refused > 0)).not.toEqual([])
})
