import { beforeAll, describe, expect, test } from 'vitest'
import { sharedWorld, type World } from '../support/world.ts'
import { deniedFor, helps, holders, rows, strongest, tokenScopes } from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

let world: World
let scene: Scene
beforeAll(async () => {
  world = await sharedWorld()
  scene = await setScene(world)
})

describe.each(tokenScopes)('a token with $scope alone', (one) => {
  test.each(holders)('in the hands of %s lets through what it is for, and nothing else', async (holder) => {
    const client = await scene.license.login(holder, {}, { scope: one.scope })
    await scene.timePasses()
    // what it is not for is tried in the hands that it helps most
    const which =
      holder === strongest(one.scope) ? rows : rows.filter(({ name }) => one.grants.includes(name))
    const chat = await scene.start('hidden', { guestsIn: which.some(({ guestsIn }) => guestsIn) })
    await scene.forget()
    const stored = () => Promise.all([scene.storedOfChat(chat), scene.storedOfLicense()])
    const before = await stored()
    const there = await scene.place(holder, chat)
    for (const row of which.filter((each) => !helps(one, each, holder)))
      expect(await client.refused(row.action, row.payload(there)), row.name).toEqual(deniedFor(row.action))
    expect(await stored()).toEqual(before)
    await scene.silence()
    for (const row of which.filter((each) => helps(one, each, holder))) {
      const { success, payload } = await client.call(row.action, row.payload(await scene.place(holder, chat)))
      expect({ success, payload }, row.name).toMatchObject({ success: true })
    }
    await client.close()
  })
})
