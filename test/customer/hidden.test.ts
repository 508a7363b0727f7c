import { expect, test } from 'vitest'
import { startWorld } from '../support/world.ts'
import { walk } from './hidden.ts'

// hidden.full.test.ts walks further, from other beginnings
const seed = Number(process.env['FUZZ_SEED'] ?? 1)
const again = `FUZZ_SEED=${seed} npx vitest run test/customer/hidden.test.ts`

test(`of what is hidden from a customer, none of its tabs ever gets anything: ${again}`, async () => {
  const { hidden, shown, unknown } = await walk(await startWorld({ presenceGraceS: 0 }), seed, 25)
  // with this seed there is something to hide, and somebody
  if (seed === 1) {
    expect(hidden).toBeGreaterThan(0)
    expect(shown).toBeGreaterThan(0)
    expect(unknown).not.toEqual([])
  }
})
