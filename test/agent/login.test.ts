import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { publicJwks } from '../../infra/local/secrets/token-key.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { deviceHash, readAgentDevices, readDevice } from '../../shared/table/devices.ts'
import { keys } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { agentsSession, SocketItem } from '../../shared/table/sockets.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { invalidToken, licenseExpired, notLoggedIn } from '../support/wire-errors.ts'
import { audience, issuer, type License, startWorld, type World } from '../support/world.ts'

let world: World
let rsa: { publicKey: CryptoKey; privateKey: CryptoKey }
/** The identity provider's key set: counts who asks, and is out of order until it is told otherwise. */
const keySet = { requests: 0, down: true }
let keyServer: Server

beforeAll(async () => {
  world = await startWorld()
  rsa = await generateKeyPair('RS256', { extractable: true })
  const rsaJwk = { ...(await exportJWK(rsa.publicKey)), kid: 'rsa-1', alg: 'RS256', use: 'sig' }
  const body = JSON.stringify({ keys: [...publicJwks(world.key).keys, rsaJwk] })
  keyServer = createServer((_request, response) => {
    keySet.requests += 1
    response.writeHead(keySet.down ? 503 : 200).end(keySet.down ? '' : body)
  })
  keyServer.listen(0, '127.0.0.1')
  await once(keyServer, 'listening')
  // the function reads it at its first invocation
  world.settings['TOKEN_JWKS_URL'] = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/`
})
afterAll(async () => {
  keyServer.close()
  keyServer.closeAllConnections()
  await once(keyServer, 'close')
})

const dayS = 24 * 3600
const nowS = () => Math.floor(Date.now() / 1000)

/** `undefined`: the token goes without it. */
type Claims = Record<string, string | number | undefined>
/** A token of the identity provider's RSA key. */
const rsaToken = (license: License, agent: string, claims: Claims = {}): Promise<string> => {
  const usual = { iss: issuer, aud: audience, sub: `${license.id}/${agent}`, exp: nowS() + dayS }
  return new SignJWT({ ...usual, ...claims } as JWTPayload)
    .setProtectedHeader({ alg: 'RS256', kid: 'rsa-1', typ: 'at+jwt' })
    .sign(rsa.privateKey)
}

/** Opens a connection and tells its id. */
const opened = async (): Promise<[Client, string]> => {
  const before = world.gateway.connections()
  const client = await world.open()
  const [connection] = world.gateway.connections().filter((id) => !before.includes(id))
  if (connection === undefined) throw new Error('The gateway has no new connection')
  return [client, connection]
}
const storedSocket = (connection: string) => world.table.read.get(keys.socket(connection), { strong: true })
const sessionOf = async (connection: string) =>
  agentsSession(SocketItem.parse(await storedSocket(connection)).session)
const loginOn = async (client: Client, license: License, agent: string, payload: object = {}) =>
  client.ok('login', { token: await license.token(agent), ...payload })
const chatsOf = async (license: License, agent = 'ann'): Promise<any[]> => {
  const client = await world.open()
  const { chats_summary } = await loginOn(client, license, agent)
  await client.close()
  return chats_summary
}
const idsOf = (chats: { id: string }[]) => chats.map(({ id }) => id)

test(
  'the key set of the identity provider, out of reach, is no fault of the token; once back it is fetched once',
  { tags: ['full'] },
  async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    const token = await license.token('ann')
    expect(await client.refused('login', { token })).toEqual({
      ...{ type: 'internal', code: 500, message: 'Internal server error' },
    })
    keySet.down = false
    keySet.requests = 0
    await client.ok('login', { token })
    await license.login('ann')
    expect(keySet.requests).toBe(1)
  },
)

describe('the token of a login', () => {
  let license: License
  beforeAll(async () => {
    keySet.down = false
    license = await world.license({ ann: {} })
  })

  test.each<[string, () => Promise<string>]>([
    ['of ES256, with the prefix Bearer', async () => `Bearer ${await license.token('ann')}`],
    ['of RS256, that ended within the 60 s of skew', () => rsaToken(license, 'ann', { exp: nowS() - 30 })],
    [
      "Cognito's, which has client_id in place of aud",
      () => rsaToken(license, 'ann', { aud: undefined, client_id: audience, token_use: 'access' }),
    ],
  ])('may be one %s', async (_what, make) => {
    const client = await world.open()
    expect(await client.ok('login', { token: await make() })).toMatchObject({ my_profile: { id: 'ann' } })
    await client.ok('start_chat')
  })

  test('that is none, or that others could have made, is auth, and not validation; it stays out of every answer', async () => {
    const client = await world.open()
    const [, body] = (await license.token('ann')).split('.')
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    // signed with the public key for a secret
    const hs256 = new SignJWT({ iss: issuer, aud: audience, sub: `${license.id}/ann`, exp: nowS() + dayS })
      .setProtectedHeader({ alg: 'HS256', kid: world.key.kid })
      .sign(Buffer.from(JSON.stringify(publicJwks(world.key).keys[0])))
    const claims: Claims[] = [
      ...[{ iss: 'https://evil.test' }, { aud: 'another' }, { exp: 1_700_000_000 }, { nbf: 4_000_000_000 }],
      ...[{ sub: undefined }, { exp: undefined }, { aud: undefined, client_id: audience, token_use: 'id' }],
    ]
    for (const token of [
      ...[undefined, null, 5, { token: 'x' }, ['x'], '', 'hello', 'Bearer ', 'x'.repeat(30_000)],
      ...[`${header}.${body}.`, await hs256, `${await license.token('ann')}x`],
      ...(await Promise.all(claims.map((one) => rsaToken(license, 'ann', one)))),
    ]) {
      expect(await client.refused('login', { token })).toEqual(invalidToken)
      if (typeof token === 'string' && token.length > 10) expect(client.answers.at(-1)).not.toContain(token)
    }
    expect(await client.refused('start_chat')).toEqual(notLoggedIn)
  })
})

test('an agent that is unknown, suspended or deleted is auth, then an expired license is license_expired', async () => {
  const license = await world.license({ ann: {}, sue: {}, del: {}, ida: {} }, { expiresAt: nowS() - 1 })
  await changeAgent(world.table, license.id, 'sue', { suspended: true })
  await deleteAgent(world.table, license.id, 'del')
  // an identity that was taken from an agent names it no more
  await changeAgent(world.table, license.id, 'ida', { identity: { issuer, subject: `${license.id}/new` } })
  const client = await world.open()
  for (const agent of ['eve', 'sue', 'del', 'ida'])
    expect(await client.refused('login', { token: await license.token(agent) }), agent).toEqual(invalidToken)
  expect(await client.refused('login', { token: await rsaToken(license, 'ann#IDENTITY') })).toEqual(
    invalidToken,
  )
  const ended = await license.token('ann', { expiresInS: -3600 })
  expect(await client.refused('login', { token: ended })).toEqual(invalidToken)
  for (const agent of ['ann', 'new'])
    expect(await client.refused('login', { token: await license.token(agent) })).toEqual(licenseExpired)

  await changeLicense(world.table, license.id, { expires_at: nowS() + dayS })
  await changeAgent(world.table, license.id, 'sue', { suspended: false })
  for (const [agent, id] of [
    ['new', 'ida'],
    ['sue', 'sue'],
  ] as const)
    expect(await loginOn(await world.open(), license, agent)).toMatchObject({ my_profile: { id } })
})

test('the application is kept with the session, and neither the token nor the device in plain sight of it', async () => {
  const license = await world.license({ ann: {} })
  const [client, connection] = await opened()
  const token = await license.token('ann')
  // the source's example
  await client.ok('login', {
    token,
    push_notifications: { firebase_token: 'JDa8813Ka92mmKda00dsdkAKDA0', platform: 'ios' },
    application: { name: 'SmartClient - Chrome', version: '4.1.2.1231 (57.0.2987.133)' },
  })
  expect((await sessionOf(connection))?.application).toEqual({
    ...{ name: 'SmartClient - Chrome', version: '4.1.2.1231 (57.0.2987.133)' },
  })
  const stored = JSON.stringify(await storedSocket(connection))
  for (const secret of [token, 'JDa8813Ka92mmKda00dsdkAKDA0']) expect(stored).not.toContain(secret)
  await loginOn(client, license, 'ann', { application: { name: 'SmartClient', version: null } })
  expect((await sessionOf(connection))?.application).toEqual({ name: 'SmartClient' })
  // what it says too much of is cut at a whole character, what is nothing of the kind is left out
  const application = { name: `${'x'.repeat(254)}\u{1F600}`, version: 5 }
  await loginOn(client, license, 'ann', { application })
  expect((await sessionOf(connection))?.application).toEqual({ name: 'x'.repeat(254) })
  await loginOn(client, license, 'ann', { application: 'SmartClient' })
  expect(await sessionOf(connection)).not.toHaveProperty('application')
})

describe('push_notifications of a login', () => {
  let license: License
  let other: License
  beforeAll(async () => {
    license = await world.license({ ann: {}, ben: {}, cleo: {}, dan: {}, sue: {} })
    other = await world.license({ ann: {} })
    await changeAgent(world.table, license.id, 'sue', { suspended: true })
  })
  const presenting = (firebase_token: string, platform = 'android') => ({
    push_notifications: { firebase_token, platform },
  })
  const newToken = () => `phone:${crypto.randomUUID()}`
  const deviceAt = async (token: string) => {
    const device = await readDevice(world.table.read, deviceHash(token))
    return (
      device && {
        ...{ license: device.license_id, agent: device.agent_id },
        ...{ platform: device.platform, enabled: device.enabled },
      }
    )
  }
  const holdersOf = async (token: string) => {
    const all = [
      ...['ann', 'ben', 'cleo', 'dan', 'sue'].map((agent) => [license, agent] as const),
      [other, 'ann'] as const,
    ]
    const held = await Promise.all(
      all.map(async ([{ id }, agent]) => {
        const devices = await readAgentDevices(world.table.read, id, agent)
        return devices.some((device) => device.token === token) ? [`${id}/${agent}`] : []
      }),
    )
    return held.flat()
  }

  test('keep the device for the agent, named by its hash in session and row; the last login on a socket counts', async () => {
    const [client, connection] = await opened()
    const [first, second] = [newToken(), newToken()]
    const rowOf = async () => {
      const rows = await readAgentSockets(world.table.read, license.id, 'ann')
      return rows.find((row) => row.connection === connection)?.device
    }
    await loginOn(client, license, 'ann', presenting(first, 'ios'))
    expect(await deviceAt(first)).toEqual({
      ...{ license: license.id, agent: 'ann', platform: 'ios', enabled: true },
    })
    expect([(await sessionOf(connection))?.device, await rowOf()]).toEqual([
      deviceHash(first),
      deviceHash(first),
    ])
    await loginOn(client, license, 'ann', presenting(second))
    expect((await sessionOf(connection))?.device).toBe(deviceHash(second))
    await loginOn(client, license, 'ann')
    expect([(await sessionOf(connection))?.device, await rowOf()]).toEqual([undefined, undefined])
    // both are kept, as they were
    const before = await readDevice(world.table.read, deviceHash(second))
    await loginOn(client, license, 'ann', presenting(second))
    expect(await readDevice(world.table.read, deviceHash(second))).toEqual(before)
    expect([await holdersOf(first), await holdersOf(second)]).toEqual([
      [`${license.id}/ann`],
      [`${license.id}/ann`],
    ])
  })

  test('leave a device disabled that its agent has disabled, and take it from another enabled, of another license too', async () => {
    const token = newToken()
    const ann = await license.login('ann', presenting(token))
    await ann.ok('change_push_notifications', { firebase_token: token, platform: 'android', enabled: false })
    await license.login('ann', presenting(token, 'ios'))
    expect(await deviceAt(token)).toMatchObject({ agent: 'ann', platform: 'ios', enabled: false })
    await license.login('ben', presenting(token))
    expect(await deviceAt(token)).toMatchObject({ license: license.id, agent: 'ben', enabled: true })
    expect(await holdersOf(token)).toEqual([`${license.id}/ben`])
    await other.login('ann', presenting(token))
    expect(await deviceAt(token)).toMatchObject({ license: other.id, agent: 'ann', enabled: true })
    expect(await holdersOf(token)).toEqual([`${other.id}/ann`])
  })

  test('of a login that is refused keep nothing', async () => {
    const token = newToken()
    const client = await world.open()
    await client.refused('login', { token: await license.token('sue'), ...presenting(token) })
    expect(await deviceAt(token)).toBeUndefined()
  })

  test(
    'of several agents at once leave the device with one, whose socket names it as all do',
    { tags: ['full'] },
    async () => {
      const token = newToken()
      const before = (await readAgentSockets(world.table.read, license.id)).map(
        ({ connection }) => connection,
      )
      await Promise.all(['ann', 'ben', 'cleo', 'dan'].map((name) => license.login(name, presenting(token))))
      expect(await holdersOf(token)).toEqual([`${license.id}/${(await deviceAt(token))?.agent}`])
      const rows = await readAgentSockets(world.table.read, license.id)
      const devices = rows
        .filter(({ connection }) => !before.includes(connection))
        .map(({ device }) => device)
      expect(devices).toEqual(Array.from({ length: 4 }, () => deviceHash(token)))
    },
  )
})

describe('the answer to a login', () => {
  test('has license, own profile, colleagues, groups and no chats where there are none, of no other license', async () => {
    const foreign = await world.license({ zoe: {}, ann: {} }, { groups: ['Secret'] })
    await (await foreign.login('zoe')).ok('start_chat')
    const expiresAt = nowS() + dayS
    const draft = {
      ...{ name: 'Ann', email: 'ann@example.com', avatar: 'https://example.com/ann.png' },
      ...{ permission: 'administrator' as const, groups: [2, 1] },
    }
    const license = await world.license(
      {
        ann: { ...draft, default_status: 'not_accepting_chats' },
        ben: { name: 'Ben' },
        cleo: { avatar: 'https://example.com/cleo.png', permission: 'owner' },
        gone: {},
      },
      { groups: ['Sales', 'Support'], expiresAt },
    )
    await deleteAgent(world.table, license.id, 'gone')
    const cleo = await world.open()
    // what an agent does not have is left out
    expect((await loginOn(cleo, license, 'cleo')).my_profile).toEqual({
      ...{ id: 'cleo', type: 'agent', name: 'cleo', avatar: 'https://example.com/cleo.png' },
      ...{ routing_status: 'accepting_chats', permission: 'owner', group_ids: [] },
    })
    expect(await loginOn(await world.open(), license, 'ann')).toEqual({
      license: { id: license.id, plan: 'test', expiration_timestamp: expiresAt },
      my_profile: {
        ...{ id: 'ann', type: 'agent', name: 'Ann', email: 'ann@example.com' },
        ...{ avatar: 'https://example.com/ann.png', routing_status: 'not_accepting_chats' },
        ...{ permission: 'administrator', group_ids: [1, 2] },
      },
      chats_summary: [],
      agents: [
        {
          ...{ id: 'ann', name: 'Ann', avatar: 'https://example.com/ann.png', permission: 'administrator' },
          routing_status: 'not_accepting_chats',
        },
        { id: 'ben', name: 'Ben', permission: 'normal' },
        {
          ...{ id: 'cleo', name: 'cleo', avatar: 'https://example.com/cleo.png', permission: 'owner' },
          routing_status: 'accepting_chats',
        },
      ],
      groups: [
        { id: 1, name: 'Sales' },
        { id: 2, name: 'Support' },
      ],
      cursor: expect.any(String),
    })
  })

  test(
    'stays below 120 KiB: the newest chats in full while they fit, the rest bare',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {} })
      const ann = await license.login('ann')
      const started: string[] = []
      const initial_events = [
        message('ä'.repeat(7000)),
        { type: 'annotation', annotation_type: 'note', text: 'b'.repeat(14_000) },
      ]
      for (let i = 0; i < 7; i += 1) started.push((await ann.ok('start_chat', { initial_events })).chat.id)

      const client = await world.open()
      const { chats_summary } = await loginOn(client, license, 'ann')
      const bytes = Buffer.byteLength(client.answers.at(-1) ?? '')
      expect(bytes).toBeLessThanOrEqual(limits.frameBytes)
      expect(bytes).toBeGreaterThan(limits.frameBytes - 32 * 1024)
      expect(idsOf(chats_summary)).toEqual(started.toReversed())
      const full = chats_summary.findIndex((chat: { has_more?: true }) => chat.has_more)
      expect(full).toBeGreaterThanOrEqual(3)
      for (const chat of chats_summary.slice(0, full))
        expect(chat.last_thread_summary.last_event_per_type).toHaveLength(2)
      for (const chat of chats_summary.slice(full))
        expect(chat).toEqual({
          id: chat.id,
          last_thread_summary: {
            ...{ id: `${chat.id}_1`, order: 1, active: true },
            timestamp: expect.any(Number),
          },
          has_more: true,
        })
    },
  )
})

describe('the chats of a login', () => {
  test('are those with an active thread that the agent has access to, newest first', async () => {
    const license = await world.license(
      { ann: { permission: 'administrator' }, ben: { groups: [1] }, cleo: {} },
      { groups: ['Sales'] },
    )
    const ann = await license.login('ann')
    const start = async (scopes: object): Promise<string> =>
      (await ann.ok('start_chat', { chat: { scopes } })).chat.id
    const open = await start({})
    const sales = await start({ groups: [1] })
    const closed = await start({})
    const own = await start({ agents: ['ann'] })
    const withCleo = await start({ agents: ['cleo'] })
    const withBen = await start({ agents: ['ann'] })
    await ann.ok('join_chat', { chat_id: withBen, agent_ids: ['ben'] })
    await ann.ok('close_thread', { chat_id: closed })
    expect(idsOf(await chatsOf(license, 'ann'))).toEqual([withBen, withCleo, own, sales, open])
    expect(idsOf(await chatsOf(license, 'ben'))).toEqual([withBen, sales, open])
    expect(idsOf(await chatsOf(license, 'cleo'))).toEqual([withCleo, open])
  })

  test('come with users, scopes, both properties, and of the last thread its newest events by type', async () => {
    const license = await world.license({ ann: { name: 'Ann' }, ben: {} }, { groups: ['Sales'] })
    const ann = await license.login('ann')
    const bare = (await ann.ok('start_chat')).chat
    const again = (await ann.ok('start_chat', { initial_events: [{ type: 'custom', content: {} }] })).chat
    await ann.ok('close_thread', { chat_id: again.id })
    const next = await ann.ok('send_event', { chat_id: again.id, event: message('again') })
    const { chat } = await ann.ok('start_chat', {
      initial_events: [
        message('one'),
        { type: 'annotation', annotation_type: 'rating', text: 'good' },
        { type: 'custom', content: { a: [1] } },
        ...Array.from({ length: 17 }, (_, i) => message(`more ${i}`)),
      ],
      chat: {
        properties: { source: { type: 'mail' } },
        scopes: { groups: [1], agents: ['ann'] },
        thread: { properties: { source: { rank: 3 } } },
      },
    })
    const send = async (event: object) => (await ann.ok('send_event', { chat_id: chat.id, event })).event
    // more than the newest 25, among which the others are not
    for (let i = 0; i < 8; i += 1) await send(message(`and more ${i}`))
    const last = await send(message('last', { recipients: 'agents' }))
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })

    const [first, ...others] = await chatsOf(license)
    const [, annotation, custom] = chat.thread.events
    expect(first).toEqual({
      id: chat.id,
      users: [
        {
          ...{ id: 'ann', type: 'agent', name: 'Ann', present: true, routing_status: 'accepting_chats' },
          last_seen_timestamp: last.timestamp,
        },
        { id: 'ben', type: 'agent', name: 'ben', present: false },
      ],
      last_thread_summary: {
        id: chat.thread.id,
        timestamp: chat.thread.timestamp,
        active: true,
        user_ids: expect.toSatisfy((ids: string[]) => ids.toSorted().join() === 'ann,ben'),
        last_event_per_type: [
          annotation,
          custom,
          last,
          expect.objectContaining({ order: 31, type: 'system_message', system_message_type: 'agent_left' }),
        ],
        order: 1,
        events_count: 31,
        properties: { source: { rank: { value: 3 } } },
      },
      properties: { source: { type: { value: 'mail' } } },
      scopes: { groups: [1], agents: ['ann'] },
    })
    // one that was opened again shows its last thread, and one without any event counts none
    expect(others.map((one) => one.last_thread_summary)).toMatchObject([
      { id: next.thread_id, order: 2, last_event_per_type: [next.event], events_count: 1 },
      { id: bare.thread.id, events_count: 0, last_event_per_type: [] },
    ])
    expect(others[0].last_thread_summary.last_event_per_type).toHaveLength(1)
  })

  test('leave out one that cannot be read, and come all the same', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const start = async (): Promise<string> => (await ann.ok('start_chat')).chat.id
    const [spoilt, first, headless, last] = [await start(), await start(), await start(), await start()]
    await world.table.write.write({ Put: { Item: { ...keys.chat(spoilt), id: 7 } } })
    await world.table.write.write({ Put: { Item: { ...keys.thread(headless, 1), n: 'none' } } })
    expect(idsOf(await chatsOf(license))).toEqual([last, first])
  })
})

describe('logging in again on the same socket', () => {
  test('as the same agent renews the session, and tells nobody; with fewer scopes it has fewer', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    const [client, connection] = await opened()
    const login = async (options: object) =>
      client.ok('login', { token: await license.token('ann', options) })
    await login({ expiresInS: 600 })
    expect((await sessionOf(connection))?.token_expires_at).toBeLessThan(nowS() + 700)
    await ben.eventually('agent_updated', ({ agent_id }) => agent_id === 'ann')

    await login({ expiresInS: 7200 })
    expect((await sessionOf(connection))?.token_expires_at).toBeGreaterThan(nowS() + 7000)
    expect(await readAgentSockets(world.table.read, license.id, 'ann')).toMatchObject([
      { connection, token_expires_at: expect.toSatisfy((end: number) => end > nowS() + 7000) },
    ])
    await Promise.all(Array.from({ length: 4 }, () => login({})))
    expect(await readAgentSockets(world.table.read, license.id, 'ann')).toHaveLength(1)
    await ben.caughtUp()
    expect(ben.presence.filter(({ payload }) => payload.agent_id === 'ann')).toEqual([])

    const { chat } = await client.ok('start_chat')
    await login({ scope: 'chats--my:read' })
    await client.ok('get_chat_threads', { chat_id: chat.id })
    expect(await client.refused('close_thread', { chat_id: chat.id })).toMatchObject({
      type: 'authorization',
    })
    await login({})
    await client.ok('close_thread', { chat_id: chat.id })
  })

  test('as another agent, of another license, or with a bad token is auth, and the session stays', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const other = await world.license({ ann: {} })
    const client = await license.login('ann')
    for (const token of [await license.token('ben'), await other.token('ann'), 'x'])
      expect(await client.refused('login', { token })).toMatchObject({ type: 'auth', code: 401 })
    const { chat } = await client.ok('start_chat')
    expect(chat.users).toMatchObject([{ id: 'ann' }])
    expect(await readAgentSockets(world.table.read, other.id)).toEqual([])
    expect(await readAgentSockets(world.table.read, license.id, 'ben')).toEqual([])
  })
})

describe('the routing status', () => {
  const accepting = 'accepting_chats'
  const not = 'not_accepting_chats'

  test('of a first login is the default one, with reconnect the last known one, where there is one', async () => {
    const license = await world.license({
      back: {},
      text: {},
      anew: {},
      also: {},
      none: {},
      ben: { default_status: not },
    })
    const leaving = [await license.login('back'), await license.login('text'), await license.login('anew')]
    leaving.push(await license.login('also'))
    for (const client of leaving) await client.close()
    await world.settled()
    await world.queue.flush()
    await world.settled()
    for (const agent of ['back', 'text', 'anew', 'also', 'none'])
      await changeAgent(world.table, license.id, agent, { default_status: not })
    for (const [agent, reconnect, status] of [
      ['back', true, accepting],
      ['text', 'true', accepting],
      ['anew', false, not],
      ['also', null, not],
      // never was online
      ['none', true, not],
      ['ben', undefined, not],
    ] as const)
      expect(await loginOn(await world.open(), license, agent, { reconnect }), agent).toMatchObject({
        my_profile: { routing_status: status },
      })
  })

  test('is left alone by further sockets, and by one that is back in time', async () => {
    const license = await world.license({ ann: {} })
    const first = await license.login('ann')
    await changeAgent(world.table, license.id, 'ann', { default_status: not })
    const second = await world.open()
    const profile = { my_profile: { routing_status: accepting } }
    expect(await loginOn(second, license, 'ann')).toMatchObject(profile)
    await Promise.all([first.close(), second.close()])
    await world.settled()
    expect(await loginOn(await world.open(), license, 'ann')).toMatchObject(profile)
  })
})

test('several sockets of one agent are each told of everything; one that goes leaves the others', async () => {
  const license = await world.license({ ann: {} })
  const [phone, desk] = [await license.login('ann'), await license.login('ann')]
  const { chat } = await phone.ok('start_chat')
  await desk.ok('send_event', { chat_id: chat.id, event: message('hi') })
  for (const socket of [phone, desk]) {
    expect(await socket.next('incoming_chat_thread')).toMatchObject({ chat: { id: chat.id } })
    expect(await socket.next('incoming_event')).toMatchObject({ event: { text: 'hi' } })
    await socket.receivesNothing()
  }
  await phone.close()
  await world.settled()
  await desk.ok('send_event', { chat_id: chat.id, event: message('alone') })
  expect(await desk.next('incoming_event')).toMatchObject({ event: { text: 'alone' } })
})
