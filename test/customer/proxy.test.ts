import { beforeAll, expect, test } from 'vitest'
import { readSocket } from '../../shared/table/sockets.ts'
import { refusalOf } from '../support/gateway-probe.ts'
import { ownMinutes } from '../support/minutes.ts'
import { type License, startWorld, type World } from '../support/world.ts'

const { secondsOn } = ownMinutes()

const secret = 'the secret of the proxy, which it alone shows'
let world: World
let license: License
beforeAll(async () => {
  world = await startWorld({
    customerKey: secret,
    rates: { startChat: 0, sendEvent: 0, other: 1, addressFactor: 2 },
  })
  // the local stack's one secret is the proxy's as well
  world.settings['PROXY_SECRET_ID'] = world.settings['CUSTOMER_KEY_SECRET_ID'] ?? ''
  world.settings['PROXY_ADDRESS_HEADER'] = 'CloudFront-Viewer-Address'
  license = await world.license({})
})

const through = (address: string, shown = secret) => ({
  'x-proxy-secret': shown,
  'cloudfront-viewer-address': `${address}:4711`,
})
const statusOf = async (headers: Record<string, string>) =>
  (await refusalOf(`${world.customerUrl}?license_id=${license.id}`, { headers })).status

test('the address is the one that the proxy tells, and connections are limited by it', async () => {
  const before = world.customers.connections()
  await license.arrive(through('198.51.100.10'))
  const [connection = ''] = world.customers.connections().filter((id) => !before.includes(id))
  const socket = await readSocket(world.table.read, connection, Date.now())
  expect(socket?.visitor?.ip).toBe('198.51.100.10')
  await license.arrive(through('198.51.100.10'))
  expect(await statusOf(through('198.51.100.10'))).toBe(429)
  await license.arrive(through('2001:db8::1'))
})

test('a handshake with no secret or a wrong one is refused with 403, and counts for no address', async () => {
  for (const headers of [{}, through('198.51.100.11', 'wrong'), { 'x-proxy-secret': secret }])
    for (const _ of [1, 2, 3]) expect(await statusOf(headers)).toBe(403)
  await license.arrive(through('198.51.100.11'))
})

test('a secret that was replaced is taken until it is replaced again; new ones count after ten minutes', async () => {
  const next = 'the next secret of the proxy, of as many characters'
  world.rotateCustomerKey(next)
  expect(await statusOf(through('198.51.100.12', next))).toBe(403)
  secondsOn(601)
  await license.arrive(through('198.51.100.12', next))
  await license.arrive(through('198.51.100.12'))
  world.rotateCustomerKey('one more secret, of which nobody has heard yet')
  secondsOn(1202)
  await license.arrive(through('198.51.100.13', next))
  expect(await statusOf(through('198.51.100.13'))).toBe(403)
})
