import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { deviceHash, readAgentDevices, readDevice } from '../../shared/table/devices.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { isOverHttp, type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
beforeEach(() => world.proxy.setFault(undefined))
const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  return { license, ann: await license.login('ann'), ben: await license.login('ben') }
}
/** A license of the tests that do not ask which devices an agent has. */
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})

let made = 0
const newToken = () => `firebase:token/${(made += 1)}:${crypto.randomUUID()}`
const action = 'change_push_notifications'
const change = (firebase_token: string, enabled: unknown, platform = 'android') => ({
  firebase_token,
  platform,
  enabled,
})

/** Whose the device is, by its own item. */
const ownerOf = async (token: string) => {
  const device = await readDevice(world.table.read, deviceHash(token))
  return device && { license: device.license_id, agent: device.agent_id, enabled: device.enabled }
}
const devicesOf = async ({ id }: License, agent: string) =>
  (await readAgentDevices(world.table.read, id, agent)).map(({ token, platform, enabled }) => ({
    ...{ token, platform, enabled },
  }))

const denied = {
  type: 'authorization',
  code: 403,
  message: 'You are not allowed to change push notifications settings for this agent.',
}

describe('change_push_notifications', () => {
  test('the source’s example has no payload in its answer, and keeps the device', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const firebase_token = newToken()
    const answer = await ann.call(action, { firebase_token, platform: 'ios', enabled: true })
    expect(answer).toEqual({ request_id: expect.any(String), action, type: 'response', success: true })
    expect(await devicesOf(license, 'ann')).toEqual([
      { token: firebase_token, platform: 'ios', enabled: true },
    ])
    expect(await ownerOf(firebase_token)).toEqual({ license: license.id, agent: 'ann', enabled: true })
  })

  test('turns a device off and on again, and takes its platform as it is said', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const token = newToken()
    await ann.ok(action, change(token, true))
    await ann.ok(action, change(token, false))
    expect(await devicesOf(license, 'ann')).toEqual([{ token, platform: 'android', enabled: false }])
    await ann.ok(action, change(token, 'true', 'ios'))
    expect(await devicesOf(license, 'ann')).toEqual([{ token, platform: 'ios', enabled: true }])
  })

  test('off, of a device that nobody has, keeps it disabled for the requester', async () => {
    const { license, ann } = office
    const token = newToken()
    await ann.ok(action, change(token, 'false'))
    expect(await ownerOf(token)).toEqual({ license: license.id, agent: 'ann', enabled: false })
  })

  test('an agent has as many devices as it says', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const tokens = [newToken(), newToken(), newToken()]
    await Promise.all(tokens.map((token) => ann.ok(action, change(token, true))))
    expect((await devicesOf(license, 'ann')).map(({ token }) => token).toSorted()).toEqual(tokens.toSorted())
  })

  test('keeps the token out of every key', async () => {
    const { license, ann } = office
    const token = newToken()
    await ann.ok(action, change(token, true))
    const hash = deviceHash(token)
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    for (const key of [keys.device(hash), keys.agentDevice(license.id, 'ann', hash)]) {
      expect(JSON.stringify(key)).not.toContain(token)
      expect(await world.table.read.get(key, { strong: true })).toBeDefined()
    }
  })

  test('writes nothing where all is so already', async () => {
    const { ann } = office
    const token = newToken()
    await ann.ok(action, change(token, true))
    await world.settled()
    const { wru } = await world.proxy.record(() => ann.ok(action, change(token, true)))
    expect(wru).toBe(0)
  })

  // over HTTP a token takes two more
  test.skipIf(isOverHttp)('takes three round trips, for a new device and for one that moves', async () => {
    const { ann, ben } = office
    const token = newToken()
    await world.queue.flush()
    await world.settled()
    world.proxy.setDelay(40)
    const isNew = await world.proxy.record(() => ann.ok(action, change(token, true)))
    const moved = await world.proxy.record(() => ben.ok(action, change(token, true)))
    world.proxy.setDelay(0)
    expect(isNew.sequentialDepth).toBeLessThanOrEqual(3)
    expect(moved.sequentialDepth).toBeLessThanOrEqual(3)
  })

  test('pushes nothing to anybody', async () => {
    const { ann, ben } = office
    await ann.ok(action, change(newToken(), true))
    await ann.receivesNothing()
    await ben.receivesNothing()
  })

  test('is open to tokens of any scope', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann', {}, { scope: 'broadcast:write' })
    const token = newToken()
    await ann.ok(action, change(token, true))
    expect(await ownerOf(token)).toMatchObject({ agent: 'ann' })
  })
})

describe('what is refused', () => {
  test('a token of 1,024 bytes is not', async () => {
    const { ann } = office
    const token = `${newToken()}:`.padEnd(1024, 'x')
    await ann.ok(action, change(token, true))
    expect(await ownerOf(token)).toMatchObject({ agent: 'ann' })
  })

  test('turning off another agent’s device is authorization, for an owner too, and changes nothing', async () => {
    const license = await world.license({ ann: {}, olga: { permission: 'owner' } })
    const [ann, olga] = [await license.login('ann'), await license.login('olga')]
    const token = newToken()
    for (const enabled of [true, false]) {
      await ann.ok(action, change(token, enabled))
      expect(await olga.refused(action, change(token, false))).toEqual(denied)
      expect(await ownerOf(token)).toEqual({ license: license.id, agent: 'ann', enabled })
    }
    expect(await devicesOf(license, 'olga')).toEqual([])
  })

  test('turning off a device of another license’s agent of the same id is too', async () => {
    const [license, other] = [await world.license({ ann: {} }), await world.license({ ann: {} })]
    const [ann, stranger] = [await license.login('ann'), await other.login('ann')]
    const token = newToken()
    await ann.ok(action, change(token, true))
    expect(await stranger.refused(action, change(token, false))).toEqual(denied)
    expect(await ownerOf(token)).toEqual({ license: license.id, agent: 'ann', enabled: true })
    expect(await devicesOf(other, 'ann')).toEqual([])
  })

  test('what an agent asks for who was suspended meanwhile is auth, and keeps no device', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const token = newToken()
    let suspended = false
    world.proxy.setFault(async ({ operation }): Promise<Fault | undefined> => {
      if (operation !== 'TransactWriteItems' || suspended) return undefined
      suspended = true
      await changeAgent(world.table, license.id, 'ann', { suspended: true })
      return undefined
    })
    expect(await ann.refused(action, change(token, true))).toMatchObject({ type: 'auth' })
    expect(suspended).toBe(true)
    expect(await ownerOf(token)).toBeUndefined()
  })
})

describe('a device that is turned on', () => {
  test('moves from whoever had it, who has it no more', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const token = newToken()
    await ann.ok(action, change(token, true))
    await ben.ok(action, change(token, true, 'ios'))
    expect(await ownerOf(token)).toEqual({ license: license.id, agent: 'ben', enabled: true })
    expect(await devicesOf(license, 'ann')).toEqual([])
    expect(await devicesOf(license, 'ben')).toEqual([{ token, platform: 'ios', enabled: true }])
    expect(await ann.refused(action, change(token, false))).toEqual(denied)
  })

  test('moves from another license, to an agent of the same id too', async () => {
    const [license, other] = [await world.license({ ann: {} }), await world.license({ ann: {} })]
    const [ann, stranger] = [await license.login('ann'), await other.login('ann')]
    const token = newToken()
    await ann.ok(action, change(token, false))
    await stranger.ok(action, change(token, true))
    expect(await ownerOf(token)).toEqual({ license: other.id, agent: 'ann', enabled: true })
    expect(await devicesOf(license, 'ann')).toEqual([])
    expect(await devicesOf(other, 'ann')).toHaveLength(1)
  })

  test(
    'by ten agents of two licenses at once is one’s in the end, in both places, and nobody else’s',
    { tags: ['full'] },
    async () => {
      const names = ['a', 'b', 'c', 'd', 'e']
      const agents = Object.fromEntries(names.map((name) => [name, {}]))
      const licenses = [await world.license(agents), await world.license(agents)]
      const clients = await Promise.all(licenses.flatMap((each) => names.map((name) => each.login(name))))
      const token = newToken()
      await Promise.all(clients.map((client) => client.ok(action, change(token, true))))
      const owner = await ownerOf(token)
      const held: object[] = []
      for (const license of licenses)
        for (const agent of names)
          for (const { enabled } of await devicesOf(license, agent))
            held.push({ license: license.id, agent, enabled })
      expect(held).toEqual([owner])
    },
  )

  test('and off by its agent at once ends as one of the two, the same in both places', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const token = newToken()
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([true, false, true, false].map((enabled) => ann.ok(action, change(token, enabled))))
      const [row, ...more] = await devicesOf(license, 'ann')
      expect(more).toEqual([])
      expect(row?.enabled).toBe((await ownerOf(token))?.enabled)
    }
  })
})

test(
  'a transaction whose answer was lost is answered with success, and written once',
  { tags: ['full'] },
  async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const token = newToken()
    const asked: unknown[] = []
    world.proxy.setFault(({ operation, request }): Fault | undefined => {
      if (operation !== 'TransactWriteItems' || !JSON.stringify(request).includes(token)) return undefined
      asked.push(request['ClientRequestToken'])
      return asked.length === 1
        ? { errorType: 'InternalServerError', afterWrite: true }
        : { errorType: 'TransactionInProgressException' }
    })
    await ann.ok(action, change(token, true))
    // the SDK repeated its one request; the story made no other
    expect(asked.length).toBeGreaterThan(1)
    expect([typeof asked[0], new Set(asked).size]).toEqual(['string', 1])
    expect(await devicesOf(license, 'ann')).toEqual([{ token, platform: 'android', enabled: true }])
  },
)

test('a deleted agent’s devices go with it, and no other’s', async () => {
  const license = await world.license({ ann: {}, anna: {} })
  const [ann, anna] = [await license.login('ann'), await license.login('anna')]
  const [one, two, others] = [newToken(), newToken(), newToken()]
  await ann.ok(action, change(one, true))
  await ann.ok(action, change(two, false))
  await anna.ok(action, change(others, true))
  await deleteAgent(world.table, license.id, 'ann')
  await world.settled()
  expect(await devicesOf(license, 'ann')).toEqual([])
  expect([await ownerOf(one), await ownerOf(two)]).toEqual([undefined, undefined])
  expect(await devicesOf(license, 'anna')).toHaveLength(1)
})

test('a suspended agent keeps its devices', async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  await ann.ok(action, change(newToken(), true))
  await changeAgent(world.table, license.id, 'ann', { suspended: true })
  await world.settled()
  expect(await devicesOf(license, 'ann')).toHaveLength(1)
})
