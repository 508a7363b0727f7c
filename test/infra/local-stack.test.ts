import { decodeProtectedHeader } from 'jose'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { startWorld } from '../support/world.ts'

const world = await startWorld()
afterEach(() => vi.useRealTimers())

test('both endpoints have ports of their own, and each only its own actions', async () => {
  const { login, visit } = await world.license({ nora: {} })
  const [nora, { client: customer }] = [await login('nora'), await visit()]
  expect(new URL(world.customerUrl).port).not.toBe(new URL(world.agentUrl).port)
  expect(await customer.refused('get_filtered_chats')).toMatchObject({ type: 'validation' })
  expect(await nora.refused('get_chats_summary')).toMatchObject({ type: 'validation' })
  expect([world.gateway, world.customers].map((gateway) => gateway.connections().length)).toEqual([1, 1])
})

test('it has settled only when no customer’s request is under way either', async () => {
  const { client } = await (await world.license({})).visit()
  const held = Promise.withResolvers<undefined>()
  const begun = Promise.withResolvers<void>()
  world.customers.setFaults({
    invocation: ({ route }) => {
      if (route !== 'ping') return undefined
      begun.resolve()
      return held.promise
    },
  })
  onTestFinished(() => world.customers.setFaults({}))
  const pings = () => world.requests.filter(({ api, route }) => api === 'customers' && route === 'ping')
  const ping = client.ok('ping')
  await begun.promise
  const pingsThen = world.settled().then(pings)
  // as long as everything else takes
  for (const _ of [1, 2, 3]) {
    await world.gateway.idle()
    await world.stream.settled()
    await world.queue.settled()
  }
  held.resolve(undefined)
  expect(await pingsThen).toHaveLength(1)
  await ping
})

test('a rotated key of customers’ tokens signs, and the one before it still verifies', async () => {
  const { arrive } = await world.license({})
  /**
   * The token of a login, longer after the last one than functions use a key without asking for a newer one.
   */
  const loginLater = async (token?: string) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * 60_000 })
    const client = await arrive()
    return token === undefined ? client.ok('login') : client.call('login', { token })
  }
  const { customer_id, token: first } = await loginLater()
  world.rotateCustomerKey()
  const again = await loginLater(first)
  expect(again).toMatchObject({ success: true, payload: { customer_id } })
  const { token: second } = again.payload
  expect(decodeProtectedHeader(second).kid).not.toBe(decodeProtectedHeader(first).kid)

  world.rotateCustomerKey('x'.repeat(40))
  expect(await loginLater(first)).toMatchObject({ success: false, payload: { error: { type: 'auth' } } })
  expect(await loginLater(second)).toMatchObject({ success: true, payload: { customer_id } })
})
