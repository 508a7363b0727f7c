import { expect, test } from 'vitest'
import { cheapFloods } from './floods.ts'
import { expectPromisesKept } from './promises.ts'

const seed = Number(process.env['FAULTS_SEED'] ?? 1)
// lower than those of the long load: each flood has to meet its own
const rates = { startChat: 24, sendEvent: 24, other: 24, addressFactor: 1, licenseStarts: 100 }
const flooded = { phases: 1, floodKinds: cheapFloods, rates }
const again = `FAULTS_SEED=${seed} npx vitest run test/faults/faults.test.ts`

test(`a short load with faults everywhere breaks no promise (${again})`, { timeout: 240_000 }, async () => {
  const { findings, floods, overHttp } = await expectPromisesKept({ seed, requests: 100, ...flooded })
  // which promises a short load touches differs from run to run
  expect(findings.reduce((sum, { checked }) => sum + checked, 0)).toBeGreaterThan(100)
  expect(overHttp).toBeGreaterThan(0)
  expect(floods.filter(({ refused }) => refused > 0)).not.toEqual([])
  // a flood that took longer met a machine too slow for it
  for (const { name, refused, minutes } of floods) if (minutes < 3) expect(refused, name).toBeGreaterThan(0)
})
