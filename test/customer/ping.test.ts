import { beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // delayed jobs stay out of these tests
  world = await startWorld({ delayScale: 1000 })
})

describe('ping', () => {
  const answer = { action: 'ping', type: 'response', success: true }

  test('is answered before and after login, with no payload', async () => {
    const license = await world.license({})
    const client = await license.arrive()
    expect(await client.call('ping')).toEqual({ ...answer, request_id: 'ping-1' })
    await client.ok('login')
    expect(await client.call('ping', {})).toEqual({ ...answer, request_id: 'ping-3' })
    await client.receivesNothing()
  })

  test('logs nobody in', async () => {
    const client = await (await world.license({})).arrive()
    await client.call('ping')
    expect(await client.refused('start_chat')).toEqual({ type: 'auth', code: 401, message: 'Not logged in' })
  })

  test('reads and writes nothing', async () => {
    const { client } = await (await world.license({})).visit()
    const { calls } = await world.proxy.record(() => client.call('ping'))
    expect(calls).toEqual([])
  })

  test('of a customer that is banned is answered until its connection is closed', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { client, id } = await license.visit()
    await client.ok('start_chat')
    await ann.ok('ban_customer', { customer_id: id, ban: { days: 1 } })
    expect(await client.call('ping')).toMatchObject(answer)
    expect(await client.refused('get_chats_summary')).toMatchObject({ type: 'authorization' })
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
