import { once } from 'node:events'
import { expect, test } from 'vitest'
import { readAgentSockets } from '../../shared/table/sockets.ts'
import { calm } from '../races/holding.ts'
import { aged, crowd } from '../support/crowd.ts'
import { startWorld } from '../support/world.ts'
import { isOpen, leave } from './listeners.ts'

const mostConnections = 30

test('the thirty-first connection of an agent evicts the oldest, which is told why and closed', async () => {
  const world = await startWorld({ delayScale: 1000 })
  const license = await world.license({ ann: {}, ben: {} })
  const ben = await license.login('ben')
  const oldest = await license.login('ann')
  // the others are a minute old when they come
  for (let times = 0; times < 2; times += 1) await aged(world, license)
  const { listeners } = await crowd(world, license, 'ann', mostConnections - 1)
  await ben.received()

  const newest = await license.login('ann')
  expect(await oldest.refused('start_chat')).toMatchObject({ type: 'auth' })
  const closing = oldest.closing()
  await world.queue.flush()
  await closing
  expect(oldest.pushes).toContainEqual({
    action: 'agent_disconnected',
    payload: { reason: 'too_many_connections' },
  })
  await calm(world)
  expect(listeners.every(isOpen)).toBe(true)
  const rows = await readAgentSockets(world.table.read, license.id, 'ann')
  expect(rows.filter(({ ended }) => ended === undefined)).toHaveLength(mostConnections)
  // it was there all the time, on the others
  expect(await ben.received()).toEqual([])
  const shown = Promise.all(listeners.map(({ socket }) => once(socket, 'message')))
  await newest.ok('start_chat')
  await shown
  await leave(world, listeners)
})
