import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startWorld, type World } from '../support/world.ts'
import { walkDesks } from './desks.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => void vi.useRealTimers())

test('no customer waits longer than the rules say while somebody is free', async () => {
  expect.hasAssertions()
  await walkDesks(world, { seed: 7, desks: 5, rounds: 18 })
})
