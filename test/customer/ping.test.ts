import { beforeAll, describe, expect, test } from 'vitest'
import { notLoggedIn } from '../support/wire-errors.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // delayed jobs stay out of these tests
  world = await sharedWorld({ delayScale: 1000 })
})

describe('ping', () => {
  const answer = { action: 'ping', type: 'response', success: true }

  test('is answered before and after login, with no payload, logs nobody in, and reads and writes nothing', async () => {
    const client = await (await world.license({})).arrive()
    expect(await client.call('ping')).toEqual({ ...answer, request_id: 'ping-1' })
    expect(await client.refused('start_chat')).toEqual(notLoggedIn)
    await client.ok('login')
    const { calls } = await world.proxy.record(async () => {
      expect(await client.call('ping', {})).toEqual({ ...answer, request_id: 'ping-4' })
    })
    // workers may be at what others did before
    expect(calls.filter(({ lambda }) => !lambda?.startsWith('worker/'))).toEqual([])
    await client.receivesNothing()
  })

  test('may come all at once, each answered once', async () => {
    const { client } = await (await world.license({})).visit()
    const before = client.frames.length
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.call('ping')))
    expect(answers.every(({ success }) => success)).toBe(true)
    await client.caughtUp()
    expect(client.frames.length - before).toBe(100)
    await client.receivesNothing()
  })
})
