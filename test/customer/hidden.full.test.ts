import { beforeAll, expect, test } from 'vitest'
import { startWorld, type World } from '../support/world.ts'
import { walk } from './hidden.ts'

const { FUZZ_SEED } = process.env
const seeds = FUZZ_SEED === undefined ? [101, 102, 103, 104, 105, 106, 107, 108] : [Number(FUZZ_SEED)]

let world: World
beforeAll(async () => {
  world = await startWorld({ presenceGraceS: 0 })
})

const succeeded = new Set<string>()
let unknown = 0

test.each(seeds)(
  'of what is hidden from a customer, none of its tabs ever gets anything: FUZZ_SEED=%i npx vitest run test/customer/hidden.full.test.ts',
  { timeout: 120_000 },
  async (seed) => {
    const walked = await walk(world, seed, 60)
    expect(walked.hidden).toBeGreaterThan(0)
    expect(walked.shown).toBeGreaterThan(0)
    for (const action of walked.succeeded) succeeded.add(action)
    unknown += walked.unknown.length
  },
)

test.skipIf(FUZZ_SEED !== undefined)('these walks hide somebody, and come by every action', () => {
  expect(unknown).toBeGreaterThan(0)
  expect([...succeeded].toSorted()).toEqual([])
})
