import { beforeAll, describe, expect, test } from 'vitest'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

describe('ping', () => {
  const answer = { action: 'ping', type: 'response', success: true }

  test('is answered before and after login, with no payload', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    expect(await client.call('ping')).toEqual({ ...answer, request_id: 'ping-1' })
    await client.ok('login', { token: await license.token('ann') })
    expect(await client.call('ping', {})).toEqual({ ...answer, request_id: 'ping-3' })
    await client.receivesNothing()
  })

  test('logs nobody in', async () => {
    const client = await world.open()
    await client.call('ping')
    expect(await client.refused('start_chat')).toMatchObject({ type: 'auth', message: 'Not logged in' })
  })

  test('reads and writes nothing', async () => {
    const client = await world.open()
    const { calls } = await world.proxy.record(() => client.call('ping'))
    // workers may be at what others did before
    expect(calls.filter(({ lambda }) => !lambda?.startsWith('worker/'))).toEqual([])
  })

  test('of a session that is over is answered as well', async () => {
    const license = await world.license({ ann: {} }, { expiresAt: 1 })
    const client = await world.open()
    expect(await client.refused('login', { token: await license.token('ann') })).toMatchObject({
      type: 'license_expired',
    })
    expect(await client.call('ping')).toMatchObject(answer)
  })

  test('may come as often as a client likes, all at once, each answered once', async () => {
    const license = await world.license({ ann: {} })
    const client = await license.login('ann')
    const before = client.answers.length
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.call('ping')))
    expect(answers.every(({ success }) => success)).toBe(true)
    await client.caughtUp()
    expect(client.answers.length - before).toBe(100)
    await client.receivesNothing()
  })
})
