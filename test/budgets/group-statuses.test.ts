import { beforeAll, expect, test } from 'vitest'
import { setStatuses } from '../../shared/table/group-statuses.ts'
import { calm } from '../races/holding.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // what a page view costs, not what the workers do meanwhile
  world = await startWorld({ delayScale: 1000 })
})

test('list_group_statuses of 500 groups takes two round trips and 2 RRU, on both endpoints', async () => {
  const license = await world.license({ ann: {} })
  const [ann, visitor] = [await license.login('ann'), await license.visit()]
  await calm(world)
  const ids = Array.from({ length: 500 }, (_, n) => 1000 + n)
  const kept = { online: ids.slice(0, 200), online_for_queue: ids.slice(200, 300), offline: ids.slice(300) }
  await world.table.write.write(setStatuses(license.id, { ...kept, untold: [], version: 1 }))
  await world.settled()
  for (const client of [ann, visitor.client]) {
    let answer: any
    const cost = await world.proxy.record(async () => {
      answer = await client.ok('list_group_statuses')
    })
    expect(Object.keys(answer.groups_status)).toHaveLength(500)
    expect(cost.sequentialDepth).toBeLessThanOrEqual(2)
    expect(cost.rru).toBeLessThanOrEqual(2)
    // where limits are on, each request is counted
    expect(cost.wru).toBeLessThanOrEqual(1)
  }
})
