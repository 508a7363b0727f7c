import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { keys } from '../../shared/table/keys.ts'
import { readCustomerSockets } from '../../shared/table/socket-lists.ts'
import { readSocket } from '../../shared/table/sockets.ts'
import { refusalOf } from '../support/gateway-probe.ts'
import { invalidToken } from '../support/wire-errors.ts'
import { type License, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const nowS = () => Math.floor(Date.now() / 1000)
const addressOf = (license_id: string) => `${world.customerUrl}?license_id=${encodeURIComponent(license_id)}`
const statusOf = async (url: string, headers: Record<string, string> = {}) =>
  (await refusalOf(url, { headers })).status
const from = (origin: string) => ({ origin })

/** What the functions log while `during` runs: its JSON lines that are warnings. */
const warningsOf = async (during: () => Promise<unknown>): Promise<any[]> => {
  const written: string[] = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      written.push(String(chunk))
      return true
    })
  try {
    await during()
  } finally {
    vi.restoreAllMocks()
  }
  return written
    .flatMap((chunk) => chunk.split('\n'))
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level === 'WARN')
}

/** The connection that the customers' gateway opens meanwhile. */
const connectionOf = async <T>(open: () => Promise<T>): Promise<[T, string]> => {
  const before = world.customers.connections()
  const opened = await open()
  const [connection] = world.customers.connections().filter((id) => !before.includes(id))
  if (connection === undefined) throw new Error('The gateway has no new connection')
  return [opened, connection]
}
const socketAt = (connection: string) => readSocket(world.table.read, connection, Date.now())

describe('a handshake names a license', () => {
  test.each([
    ['without a query', ''],
    ['without license_id', '?license=l-1'],
    ['with an empty one', '?license_id='],
    ['with one that there is not', '?license_id=l-nosuch'],
    ['with one of other letter case', '?LICENSE_ID=l-1'],
    ['with a part of a key', '?license_id=l%23SOCKETS'],
    ['with one of 3 KB', `?license_id=${'x'.repeat(3000)}`],
  ])('%s: 404', async (_what, query) => {
    expect(await statusOf(`${world.customerUrl}${query}`)).toBe(404)
  })

  test('one that has expired: 402, until it is renewed', async () => {
    const license = await world.license({}, { expiresAt: nowS() - 1 })
    expect(await statusOf(addressOf(license.id))).toBe(402)
    await changeLicense(world.table, license.id, { expires_at: nowS() + 600 })
    await license.visit()
  })

  test('expired counts before the origin', async () => {
    const settings = { origins: ['https://shop.example'] }
    const license = await world.license({}, { expiresAt: nowS() - 1, settings })
    expect(await statusOf(addressOf(license.id), from('https://evil.example'))).toBe(402)
  })
})

describe('the Origin of a handshake', () => {
  let shop: License
  beforeAll(async () => {
    const settings = { origins: ['https://shop.example', 'http://localhost:3000'] }
    shop = await world.license({}, { settings })
  })

  test('may be any where the license lists none', async () => {
    const license = await world.license({})
    for (const origin of ['https://anywhere.example', 'null']) await license.visit({}, from(origin))
  })

  test.each(['https://shop.example', 'http://localhost:3000', 'HTTPS://Shop.Example'])(
    'on the list is let in: %s',
    async (origin) => {
      await shop.visit({}, from(origin))
    },
  )

  test.each([
    'https://evil.example',
    'http://shop.example',
    'https://shop.example:8443',
    'https://shop.example.evil.example',
    'https://www.shop.example',
    'http://localhost',
    'null',
  ])('outside it is 403: %s', async (origin) => {
    expect(await statusOf(addressOf(shop.id), from(origin))).toBe(403)
  })

  test('may be absent, as it is of what is no page; it is judged by the list as it is now', async () => {
    const { id } = shop
    await shop.visit()
    await changeLicense(world.table, id, { origins: ['https://new.example'] })
    expect(await statusOf(addressOf(id), from('https://shop.example'))).toBe(403)
    await shop.visit({}, from('https://new.example'))
    await changeLicense(world.table, id, { origins: [] })
    await shop.visit({}, from('https://shop.example'))
  })
})

test('each refusal is logged with its reason, and keeps nothing', async () => {
  const settings = { origins: ['https://shop.example'] }
  const [open, expired] = [
    await world.license({}, { settings }),
    await world.license({}, { expiresAt: nowS() - 1 }),
  ]
  const warnings = await warningsOf(async () => {
    await statusOf(world.customerUrl)
    await statusOf(addressOf('l-nosuch'))
    await statusOf(addressOf(expired.id))
    await statusOf(addressOf(open.id), from('https://evil.example'))
  })
  expect(warnings).toMatchObject([
    { reason: 'no license_id' },
    { reason: 'unknown license', license: 'l-nosuch' },
    { reason: 'license expired', license: expired.id },
    { reason: 'origin not allowed', license: open.id, origin: 'https://evil.example' },
  ])
  for (const { message, connection } of warnings) {
    expect(message).toBe('A customer’s connection was refused')
    expect(await world.table.read.get(keys.socket(connection), { strong: true })).toBeUndefined()
  }
})

describe('a connection', () => {
  let license: License
  beforeAll(async () => {
    license = await world.license({ ann: {} })
  })
  const arriving = (headers?: Record<string, string>) => connectionOf(() => license.arrive(headers))

  test('keeps what its handshake tells: license, address and user agent, and logs no warning', async () => {
    expect(await warningsOf(() => license.visit())).toEqual([])
    const [, connection] = await arriving({ 'user-agent': 'Mozilla/5.0 (Test)' })
    expect(await socketAt(connection)).toMatchObject({
      visitor: { license_id: license.id, ip: '127.0.0.1', user_agent: 'Mozilla/5.0 (Test)' },
    })
    const [, silent] = await arriving()
    expect((await socketAt(silent))?.visitor).toEqual({ license_id: license.id, ip: '127.0.0.1' })
    // 512 characters at the most
    const [, long] = await arriving({ 'user-agent': 'x'.repeat(3000) })
    expect((await socketAt(long))?.visitor?.user_agent).toBe('x'.repeat(512))
  })

  test('that does not log in within 30 s is closed without a word; one that did stays', async () => {
    const [late, lateId] = await arriving()
    const { client, id } = await license.visit()
    await late.ok('ping')
    await world.settled()
    expect(world.queue.pending()).toBeGreaterThan(0)
    await world.queue.flush()
    await late.closing()
    expect(late.pushes).toEqual([])
    await world.settled()
    expect(await socketAt(lateId)).toBeUndefined()
    await client.ok('get_chats_summary')
    expect(await readCustomerSockets(world.table.read, license.id, id)).toHaveLength(1)
    await client.receivesNothing()
  })

  test('that the customer closes is forgotten', async () => {
    const [{ client, id }, connection] = await connectionOf(() => license.visit())
    await client.close()
    await world.settled()
    expect(await socketAt(connection)).toBeUndefined()
    expect(await readCustomerSockets(world.table.read, license.id, id)).toEqual([])
  })

  test('is none of the agents’: their endpoint takes no customer’s token, and the other way round', async () => {
    const { token } = await license.visit()
    const agent = await world.open()
    expect(await agent.refused('login', { token })).toMatchObject({ type: 'auth', code: 401 })
    const customer = await license.arrive()
    expect(await customer.refused('login', { token: await license.token('ann') })).toEqual(invalidToken)
  })
})
