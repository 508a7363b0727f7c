import { expect, test } from 'vitest'
import { calm } from '../races/holding.ts'
import { notLoggedIn } from '../support/wire-errors.ts'
import { sharedWorld } from '../support/world.ts'

const world = await sharedWorld({ delayScale: 1000 })

test('list_group_statuses tells a customer of the groups of its license, and pushes nothing of them', async () => {
  const license = await world.license({ ann: { groups: [1] } }, { groups: ['Sales', 'Support'] })
  await world.license({ bob: { groups: [3] } }, { groups: ['Sales', 'Support', 'Abroad'] })
  const { client } = await license.visit()
  const statuses = async (payload?: object) => {
    await calm(world)
    return (await client.ok('list_group_statuses', payload)).groups_status
  }
  expect(await statuses()).toEqual({ 1: 'offline', 2: 'offline' })
  await license.login('ann')
  expect(await statuses()).toEqual({ 1: 'online', 2: 'offline' })
  expect(await statuses({ group_ids: ['1', 3] })).toEqual({ 1: 'online' })
  await client.receivesNothing()
})

test('list_group_statuses needs a login, and sound ids', async () => {
  const license = await world.license({})
  const stranger = await license.arrive()
  expect(await stranger.refused('list_group_statuses')).toEqual(notLoggedIn)
  const { client } = await license.visit()
  expect(await client.refused('list_group_statuses', { group_ids: [1.5] })).toMatchObject({
    type: 'validation',
    details: [{ path: 'payload.group_ids.0' }],
  })
})
