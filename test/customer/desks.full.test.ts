import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startWorld, type World } from '../support/world.ts'
import { walkDesks } from './desks.ts'

// Another walk: `DESKS_SEED=… DESKS=… npx vitest run --project long test/customer/desks.full`.

const seed = Number(process.env['DESKS_SEED'] ?? 1)
const desks = Number(process.env['DESKS'] ?? 12)
const atOnce = 12
const timeout = 60_000 + desks * 8000

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => void vi.useRealTimers())

test(`at ${desks} desks no customer waits longer than the rules say`, { timeout }, async () => {
  expect.hasAssertions()
  for (let first = 0; first < desks; first += atOnce)
    await walkDesks(world, { seed, first, desks: Math.min(atOnce, desks - first), rounds: 36 })
})
