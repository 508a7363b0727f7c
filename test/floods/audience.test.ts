import { expect, test } from 'vitest'
import { crowd } from '../support/crowd.ts'
import { startWorld } from '../support/world.ts'
import { allGot, frameOf, leave, sendToAll, takeSlices } from './listeners.ts'

test('a push to 100 is posted by the action’s own function, to one more it is handed over', async () => {
  const world = await startWorld()
  const license = await world.license({ ben: {} })
  const { listeners } = await crowd(world, license, 'ben', 100)
  const slices = takeSlices(world)
  await sendToAll(world, license, [frameOf('one')])
  expect(slices).toEqual([])
  const more = await crowd(world, license, 'ben', 1)
  await sendToAll(world, license, [frameOf('two')])
  await world.settled()
  expect(slices).toHaveLength(1)
  await allGot(listeners, 'thread_closed', 2)
  await allGot(more.listeners, 'thread_closed', 1)
  await leave(world, [...listeners, ...more.listeners])
})
