import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { changeAgent, deleteAgent } from '../../infra/admin/change-agent.ts'
import { changeLicense } from '../../infra/admin/change-license.ts'
import { publicJwks } from '../../infra/local/token-key.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { deviceHash, readAgentDevices, readDevice } from '../../shared/table/devices.ts'
import { keys } from '../../shared/table/keys.ts'
import { agentsSession, readAgentSockets, SocketItem } from '../../shared/table/sockets.ts'
import type { Client } from '../support/client.ts'
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
  // the bundle of login reads it at its first invocation
  process.env['TOKEN_JWKS_URL'] = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/`
})
afterAll(async () => {
  keyServer.close()
  keyServer.closeAllConnections()
  await once(keyServer, 'close')
})
afterEach(() => {
  vi.useRealTimers()
})

const dayS = 24 * 3600
const nowS = () => Math.floor(Date.now() / 1000)
const auth = { type: 'auth', code: 401, message: 'Invalid access token' }

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
const sessionOf = async (connection: string) => {
  const item = await world.table.read.get(keys.socket(connection), { strong: true })
  return item === undefined ? undefined : agentsSession(SocketItem.parse(item).session)
}
/** Loses the client's socket, and lets the time pass in which it could have come back. */
const goneForGood = async (client: Client): Promise<void> => {
  await client.close()
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
const loginOn = async (client: Client, license: License, agent: string, payload: object = {}) =>
  client.ok('login', { token: await license.token(agent), ...payload })

describe('the key set of the identity provider', () => {
  test('out of reach answers internal, and not auth; once it is back it is fetched once and kept', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    const token = await license.token('ann')
    expect(await client.refused('login', { token })).toEqual({
      type: 'internal',
      code: 500,
      message: 'Internal server error',
    })
    keySet.down = false
    keySet.requests = 0
    await client.ok('login', { token })
    for (const _ of [1, 2, 3]) await license.login('ann')
    expect(keySet.requests).toBe(1)
  })
})

describe('the token of a login', () => {
  test('may be of ES256 or RS256, and may carry the prefix Bearer', async () => {
    const license = await world.license({ ann: {} })
    for (const token of [await license.token('ann'), await rsaToken(license, 'ann')]) {
      const plain = await world.open()
      expect(await plain.ok('login', { token })).toMatchObject({ my_profile: { id: 'ann' } })
      const prefixed = await world.open()
      expect(await prefixed.ok('login', { token: `Bearer ${token}` })).toMatchObject({
        my_profile: { id: 'ann' },
      })
    }
  })

  test("may be Cognito's access token, which has client_id in place of aud", async () => {
    const license = await world.license({ ann: {} })
    const cognito = { aud: undefined, client_id: audience, token_use: 'access' }
    const client = await world.open()
    await client.ok('login', { token: await rsaToken(license, 'ann', cognito) })
    const other = await world.open()
    expect(
      await other.refused('login', {
        token: await rsaToken(license, 'ann', { ...cognito, token_use: 'id' }),
      }),
    ).toEqual(auth)
  })

  test.each([
    ['absent', {}],
    ['null', { token: null }],
    ['a number', { token: 5 }],
    ['an object', { token: { token: 'x' } }],
    ['a list', { token: ['x'] }],
    ['empty', { token: '' }],
    ['no JWT', { token: 'hello' }],
    ['the prefix alone', { token: 'Bearer ' }],
    ['30 KB long', { token: 'x'.repeat(30_000) }],
  ])('that is %s is auth, and not validation', async (_what, payload) => {
    const client = await world.open()
    expect(await client.refused('login', payload)).toEqual(auth)
    expect(await client.refused('start_chat')).toMatchObject({ type: 'auth', message: 'Not logged in' })
  })

  test.each<[string, Claims]>([
    ['of another issuer', { iss: 'https://evil.test' }],
    ['for another audience', { aud: 'another' }],
    ['that ended more than 60 s ago', { exp: 1_700_000_000 }],
    ['that is not valid yet', { nbf: 4_000_000_000 }],
    ['without a subject', { sub: undefined }],
    ['without an end', { exp: undefined }],
  ])('%s is auth', async (_what, claims) => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    expect(await client.refused('login', { token: await rsaToken(license, 'ann', claims) })).toEqual(auth)
  })

  test('that ended within the 60 s of skew logs in', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    await client.ok('login', { token: await rsaToken(license, 'ann', { exp: nowS() - 30 }) })
    await client.ok('start_chat')
  })

  test('without a signature, or signed with the public key for a secret, is auth', async () => {
    const license = await world.license({ ann: {} })
    const [, payload] = (await license.token('ann')).split('.')
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    const client = await world.open()
    expect(await client.refused('login', { token: `${header}.${payload}.` })).toEqual(auth)
    const hs256 = new SignJWT({ iss: issuer, aud: audience, sub: `${license.id}/ann`, exp: nowS() + dayS })
      .setProtectedHeader({ alg: 'HS256', kid: world.key.kid })
      .sign(Buffer.from(JSON.stringify(publicJwks(world.key).keys[0])))
    expect(await client.refused('login', { token: await hs256 })).toEqual(auth)
  })

  test('stays out of every answer', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    const token = await license.token('ann')
    await client.ok('login', { token })
    await client.refused('login', { token: `${token}x` })
    for (const frame of client.frames) expect(frame).not.toContain(token)
  })
})

describe('who logs in', () => {
  test('as nobody known is auth', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    expect(await client.refused('login', { token: await license.token('eve') })).toEqual(auth)
    expect(await client.refused('login', { token: await rsaToken(license, 'ann#IDENTITY') })).toEqual(auth)
  })

  test('as a suspended agent is auth, until it is no longer suspended', async () => {
    const license = await world.license({ ann: {} })
    await changeAgent(world.table, license.id, 'ann', { suspended: true })
    const client = await world.open()
    expect(await client.refused('login', { token: await license.token('ann') })).toEqual(auth)
    await changeAgent(world.table, license.id, 'ann', { suspended: false })
    await loginOn(client, license, 'ann')
  })

  test('as a deleted agent is auth', async () => {
    const license = await world.license({ ann: {} })
    await deleteAgent(world.table, license.id, 'ann')
    const client = await world.open()
    expect(await client.refused('login', { token: await license.token('ann') })).toEqual(auth)
  })

  test('is who the identity names: one that was taken from an agent no longer does', async () => {
    const license = await world.license({ ann: {} })
    const identity = { issuer, subject: `${license.id}/anne` }
    await changeAgent(world.table, license.id, 'ann', { identity })
    const client = await world.open()
    expect(await client.refused('login', { token: await license.token('ann') })).toEqual(auth)
    expect(await client.ok('login', { token: await license.token('anne') })).toMatchObject({
      my_profile: { id: 'ann' },
    })
  })

  test('with an expired licence is license_expired, until it is renewed', async () => {
    const license = await world.license({ ann: {} }, { expiresAt: nowS() - 1 })
    const client = await world.open()
    const token = await license.token('ann')
    expect(await client.refused('login', { token })).toEqual({
      type: 'license_expired',
      code: 402,
      message: 'License expired',
    })
    await changeLicense(world.table, license.id, { expires_at: nowS() + dayS })
    await client.ok('login', { token })
  })

  test('is checked in order: token, agent, licence', async () => {
    const license = await world.license({ ann: {}, ben: {} }, { expiresAt: nowS() - 1 })
    await changeAgent(world.table, license.id, 'ben', { suspended: true })
    const client = await world.open()
    const expired = await license.token('ann', { expiresInS: -3600 })
    expect(await client.refused('login', { token: expired })).toEqual(auth)
    expect(await client.refused('login', { token: await license.token('ben') })).toEqual(auth)
    expect(await client.refused('login', { token: await license.token('eve') })).toEqual(auth)
    expect(await client.refused('login', { token: await license.token('ann') })).toMatchObject({
      type: 'license_expired',
    })
  })
})

describe('the fields of a login', () => {
  test.each([
    [{ reconnect: 'maybe' }, 'payload.reconnect'],
    [{ push_notifications: { platform: 'ios' } }, 'payload.push_notifications.firebase_token'],
    [{ push_notifications: { firebase_token: 'x', platform: 'web' } }, 'payload.push_notifications.platform'],
    [
      { push_notifications: { firebase_token: '', platform: 'ios' } },
      'payload.push_notifications.firebase_token',
    ],
    [
      { push_notifications: { firebase_token: 'x'.repeat(1025), platform: 'ios' } },
      'payload.push_notifications.firebase_token',
    ],
    [{ application: { name: 'x'.repeat(257) } }, 'payload.application.name'],
    [{ application: { version: 5 } }, 'payload.application.version'],
    [{ application: 'SmartClient' }, 'payload.application'],
  ])('%j is validation that says where', async (payload, path) => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    const error = await client.refused('login', { token: await license.token('ann'), ...payload })
    expect(error).toMatchObject({ type: 'validation', details: [{ path, message: expect.any(String) }] })
    expect(await client.refused('start_chat')).toMatchObject({ message: 'Not logged in' })
  })

  test('the source’s example logs in', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    await loginOn(client, license, 'ann', {
      push_notifications: { firebase_token: 'JDa8813Ka92mmKda00dsdkAKDA0', platform: 'ios' },
      application: { name: 'SmartClient - Chrome', version: '4.1.2.1231 (57.0.2987.133)' },
    })
  })

  test('null and unknown ones are absence', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    await loginOn(client, license, 'ann', {
      ...{ reconnect: null, push_notifications: null, application: null, author_id: 'eve' },
      routing_scope: { type: 'agents' },
    })
  })

  test('the application is kept with the session', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await opened()
    await loginOn(client, license, 'ann', { application: { name: 'SmartClient', version: null } })
    expect((await sessionOf(connection))?.application).toEqual({ name: 'SmartClient' })
    await loginOn(client, license, 'ann', { application: { name: 'SmartClient', version: '2' } })
    expect((await sessionOf(connection))?.application).toEqual({ name: 'SmartClient', version: '2' })
  })

  test('neither the token nor the device is kept in plain sight of the session', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await opened()
    const token = await license.token('ann')
    await client.ok('login', { token, push_notifications: { firebase_token: 'secret-1', platform: 'ios' } })
    const item = JSON.stringify(await world.table.read.get(keys.socket(connection), { strong: true }))
    expect(item).not.toContain(token)
    expect(item).not.toContain('secret-1')
  })
})

describe('push_notifications of a login', () => {
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
  const devicesOf = ({ id }: License, agent: string) => readAgentDevices(world.table.read, id, agent)
  const change = 'change_push_notifications'

  test('keep the device for the agent, enabled, and name it by its hash in session and row', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await opened()
    const token = newToken()
    await loginOn(client, license, 'ann', presenting(token, 'ios'))
    expect(await deviceAt(token)).toEqual({
      ...{ license: license.id, agent: 'ann', platform: 'ios', enabled: true },
    })
    expect(await devicesOf(license, 'ann')).toHaveLength(1)
    expect((await sessionOf(connection))?.device).toBe(deviceHash(token))
    const [row] = await readAgentSockets(world.table.read, license.id, 'ann')
    expect(row?.device).toBe(deviceHash(token))
  })

  test('of a later login on the same socket count, and without any the socket has no device', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await opened()
    const [first, second] = [newToken(), newToken()]
    await loginOn(client, license, 'ann', presenting(first))
    await loginOn(client, license, 'ann', presenting(second))
    expect((await sessionOf(connection))?.device).toBe(deviceHash(second))
    await loginOn(client, license, 'ann')
    expect((await sessionOf(connection))?.device).toBeUndefined()
    const [row] = await readAgentSockets(world.table.read, license.id, 'ann')
    expect(row?.device).toBeUndefined()
    expect(await devicesOf(license, 'ann')).toHaveLength(2)
  })

  test('leave a device disabled that the agent has disabled', async () => {
    const license = await world.license({ ann: {} })
    const token = newToken()
    const ann = await license.login('ann', presenting(token))
    await ann.ok(change, { firebase_token: token, platform: 'android', enabled: false })
    await license.login('ann', presenting(token, 'ios'))
    expect(await deviceAt(token)).toMatchObject({ agent: 'ann', platform: 'ios', enabled: false })
  })

  test('take the device from another agent, enabled, also of another licence and where that one had disabled it', async () => {
    const [license, other] = [await world.license({ ann: {}, ben: {} }), await world.license({ ann: {} })]
    const token = newToken()
    const ann = await license.login('ann', presenting(token))
    await ann.ok(change, { firebase_token: token, platform: 'android', enabled: false })
    await license.login('ben', presenting(token))
    expect(await deviceAt(token)).toMatchObject({ license: license.id, agent: 'ben', enabled: true })
    expect(await devicesOf(license, 'ann')).toEqual([])
    await other.login('ann', presenting(token))
    expect(await deviceAt(token)).toMatchObject({ license: other.id, agent: 'ann', enabled: true })
    expect(await devicesOf(license, 'ben')).toEqual([])
    expect(await devicesOf(other, 'ann')).toHaveLength(1)
  })

  test('write nothing of a device that is kept as it is', async () => {
    const license = await world.license({ ann: {} })
    const token = newToken()
    await license.login('ann', presenting(token))
    const before = await readDevice(world.table.read, deviceHash(token))
    await license.login('ann', presenting(token))
    expect(await readDevice(world.table.read, deviceHash(token))).toEqual(before)
  })

  test('of a login that is refused keep nothing', async () => {
    const license = await world.license({ ann: {} })
    await changeAgent(world.table, license.id, 'ann', { suspended: true })
    const token = newToken()
    const client = await world.open()
    await client.refused('login', { token: await license.token('ann'), ...presenting(token) })
    expect(await deviceAt(token)).toBeUndefined()
  })

  test('of ten agents at once leave the device with one, whose socket names it as all do', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `agent-${index}`)
    const license = await world.license(Object.fromEntries(names.map((name) => [name, {}])))
    const token = newToken()
    await Promise.all(names.map((name) => license.login(name, presenting(token))))
    const held = (await Promise.all(names.map((name) => devicesOf(license, name)))).flat()
    expect(held.map(({ agent_id }) => agent_id)).toEqual([(await deviceAt(token))?.agent])
    const rows = await readAgentSockets(world.table.read, license.id)
    expect(new Set(rows.map(({ device }) => device))).toEqual(new Set([deviceHash(token)]))
  })
})

describe('the answer to a login', () => {
  test('has licence, own profile, colleagues, groups and no chats where there are none', async () => {
    const expiresAt = nowS() + dayS
    const license = await world.license(
      {
        ann: {
          name: 'Ann',
          email: 'ann@example.com',
          avatar: 'https://example.com/ann.png',
          permission: 'administrator',
          groups: [2, 1],
          default_status: 'not_accepting_chats',
        },
        ben: { name: 'Ben' },
        cleo: { avatar: 'https://example.com/cleo.png', permission: 'owner' },
        gone: {},
      },
      { groups: ['Sales', 'Support'], expiresAt },
    )
    await deleteAgent(world.table, license.id, 'gone')
    await license.login('cleo')
    const client = await world.open()
    expect(await loginOn(client, license, 'ann')).toEqual({
      license: { id: license.id, plan: 'test', expiration_timestamp: expiresAt },
      my_profile: {
        id: 'ann',
        type: 'agent',
        name: 'Ann',
        email: 'ann@example.com',
        avatar: 'https://example.com/ann.png',
        routing_status: 'not_accepting_chats',
        permission: 'administrator',
        group_ids: [1, 2],
      },
      chats_summary: [],
      agents: [
        {
          id: 'ann',
          name: 'Ann',
          avatar: 'https://example.com/ann.png',
          permission: 'administrator',
          routing_status: 'not_accepting_chats',
        },
        { id: 'ben', name: 'Ben', permission: 'normal' },
        {
          id: 'cleo',
          name: 'cleo',
          avatar: 'https://example.com/cleo.png',
          permission: 'owner',
          routing_status: 'accepting_chats',
        },
      ],
      groups: [
        { id: 1, name: 'Sales' },
        { id: 2, name: 'Support' },
      ],
    })
  })

  test('leaves out what an agent does not have', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    expect((await loginOn(client, license, 'ann')).my_profile).toEqual({
      ...{ id: 'ann', type: 'agent', name: 'ann', routing_status: 'accepting_chats' },
      ...{ permission: 'normal', group_ids: [] },
    })
  })

  test('shows nothing of another licence', async () => {
    const other = await world.license({ zoe: {}, ann: {} }, { groups: ['Secret'] })
    const zoe = await other.login('zoe')
    await zoe.ok('start_chat')
    const license = await world.license({ ann: { permission: 'owner' } })
    const answer = await loginOn(await world.open(), license, 'ann')
    expect(answer).toMatchObject({ chats_summary: [], groups: [], agents: [{ id: 'ann' }] })
    expect(JSON.stringify(answer)).not.toContain(other.id)
  })
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

    const idsOf = async (agent: string) =>
      (await loginOn(await world.open(), license, agent)).chats_summary.map(({ id }: { id: string }) => id)
    expect(await idsOf('ann')).toEqual([withBen, withCleo, own, sales, open])
    expect(await idsOf('ben')).toEqual([withBen, sales, open])
    expect(await idsOf('cleo')).toEqual([withCleo, open])
  })

  test('of a restricted token are those that it may read', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const mine = (await ann.ok('start_chat')).chat.id
    await (await license.login('ben')).ok('start_chat')
    const idsOf = async (scope: string) => {
      const token = await license.token('ann', { scope })
      const { chats_summary } = await (await world.open()).ok('login', { token })
      return chats_summary.map(({ id }: { id: string }) => id)
    }
    expect(await idsOf('chats--my:read')).toEqual([mine])
    expect(await idsOf('chats--chat_scopes:read')).toHaveLength(2)
    expect(await idsOf('chats--all:read')).toEqual([])
    expect(await idsOf('broadcast:write')).toEqual([])
  })

  test('come with users, scopes, both properties, and of the last thread its newest events by type', async () => {
    const license = await world.license({ ann: { name: 'Ann' }, ben: {} }, { groups: ['Sales'] })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat', {
      chat: {
        properties: { source: { type: 'mail' } },
        scopes: { groups: [1], agents: ['ann'] },
        thread: { properties: { source: { rank: 3 } } },
      },
    })
    const send = async (event: object) => (await ann.ok('send_event', { chat_id: chat.id, event })).event
    await send({ type: 'message', text: 'one' })
    const annotation = await send({ type: 'annotation', annotation_type: 'rating', text: 'good' })
    const custom = await send({ type: 'custom', content: { a: [1] } })
    for (let i = 0; i < 30; i += 1) await send({ type: 'message', text: `more ${i}` })
    const message = await send({ type: 'message', text: 'last', recipients: 'agents' })
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })

    const { chats_summary } = await loginOn(await world.open(), license, 'ann')
    expect(chats_summary).toEqual([
      {
        id: chat.id,
        users: [
          { id: 'ann', type: 'agent', name: 'Ann', present: true, routing_status: 'accepting_chats' },
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
            message,
            expect.objectContaining({ order: 36, type: 'system_message', system_message_type: 'agent_left' }),
          ],
          order: 1,
          events_count: 36,
          properties: { source: { rank: { value: 3 } } },
        },
        properties: { source: { type: { value: 'mail' } } },
        scopes: { groups: [1], agents: ['ann'] },
      },
    ])
  })

  test('of a chat that was opened again show its last thread', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat', {
      initial_events: [{ type: 'custom', content: { first: true } }],
    })
    await ann.ok('close_thread', { chat_id: chat.id })
    const { event, thread_id } = await ann.ok('send_event', {
      ...{ chat_id: chat.id, event: { type: 'message', text: 'again' } },
    })
    const { chats_summary } = await loginOn(await world.open(), license, 'ann')
    expect(chats_summary).toMatchObject([
      { last_thread_summary: { id: thread_id, order: 2, last_event_per_type: [event], events_count: 1 } },
    ])
    expect(chats_summary[0].last_thread_summary.last_event_per_type).toHaveLength(1)
  })

  test('without any event count none', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    await ann.ok('start_chat')
    const { chats_summary } = await loginOn(await world.open(), license, 'ann')
    expect(chats_summary).toMatchObject([
      { last_thread_summary: { events_count: 0, last_event_per_type: [] } },
    ])
  })

  test('leave out one that cannot be read, and come all the same', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const start = async (): Promise<string> => (await ann.ok('start_chat')).chat.id
    const spoil = (id: string) => world.table.write.write({ Put: { Item: { ...keys.chat(id), id: 7 } } })
    const idsOf = async () =>
      (await loginOn(await world.open(), license, 'ann')).chats_summary.map(({ id }: { id: string }) => id)
    await spoil(await start())
    expect(await idsOf()).toEqual([])
    const [first, headless, last] = [await start(), await start(), await start()]
    await world.table.write.write({ Put: { Item: { ...keys.thread(headless, 1), n: 'none' } } })
    expect(await idsOf()).toEqual([last, first])
  })

  test('are the newest hundred', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const started: string[] = []
    for (let i = 0; i < 102; i += 1) started.push((await ann.ok('start_chat')).chat.id)
    const { chats_summary } = await loginOn(await world.open(), license, 'ann')
    expect(chats_summary.map(({ id }: { id: string }) => id)).toEqual(started.toReversed().slice(0, 100))
  })
})

describe('the answer stays below 120 KiB', () => {
  const lastFrameBytes = (client: Client) => Buffer.byteLength(client.frames.at(-1) ?? '')

  test('with many big chats: the newest in full while they fit, the rest bare', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const started: string[] = []
    const initial_events = [
      { type: 'message', text: 'ä'.repeat(7000) },
      { type: 'annotation', annotation_type: 'note', text: 'b'.repeat(14_000) },
    ]
    for (let i = 0; i < 12; i += 1) started.push((await ann.ok('start_chat', { initial_events })).chat.id)

    const client = await world.open()
    const { chats_summary } = await loginOn(client, license, 'ann')
    expect(lastFrameBytes(client)).toBeLessThanOrEqual(limits.frameBytes)
    expect(lastFrameBytes(client)).toBeGreaterThan(limits.frameBytes - 32 * 1024)
    expect(chats_summary.map(({ id }: { id: string }) => id)).toEqual(started.toReversed())
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
  })

  test('with 500 agents of long names and avatars, and big chats', async () => {
    const agents = Array.from({ length: 500 }, (_, i) => `agent-${String(i).padStart(3, '0')}`)
    const license = await world.license({})
    const draft = { name: 'Ä'.repeat(100), avatar: `https://example.com/${'a'.repeat(1900)}` }
    for (let i = 0; i < agents.length; i += 50)
      await Promise.all(agents.slice(i, i + 50).map((id) => license.addAgent(id, draft)))
    const ann = await license.login('agent-000')
    const initial_events = [{ type: 'message', text: 'x'.repeat(16_000) }]
    for (let i = 0; i < 6; i += 1) await ann.ok('start_chat', { initial_events })

    const client = await world.open()
    const answer = await loginOn(client, license, 'agent-001')
    expect(lastFrameBytes(client)).toBeLessThanOrEqual(limits.frameBytes)
    expect(answer.my_profile.avatar).toBe(draft.avatar)
    expect(answer.agents.length).toBeGreaterThan(100)
    expect(answer.agents[0]).toMatchObject({ id: 'agent-000', name: draft.name })
    expect(answer.chats_summary).toHaveLength(6)
    expect(answer.chats_summary[0].users).toMatchObject([{ id: 'agent-000', avatar: draft.avatar }])
  })
})

describe('the directory of a login', () => {
  const writeAgents = async (license: License, ids: string[], draft: object = {}) => {
    const items = ids.map((id) => ({
      ...{ id, license_id: license.id, name: `Name of ${id}`, permission: 'normal', groups: [], version: 1 },
      ...draft,
    }))
    for (let i = 0; i < items.length; i += 50)
      await Promise.all(
        items
          .slice(i, i + 50)
          .map((item) =>
            world.table.write.write({ Put: { Item: { ...keys.agent(license.id, item.id), ...item } } }),
          ),
      )
  }
  const writeGroups = (license: License, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, id) =>
        world.table.write.write({
          Put: { Item: { ...keys.group(license.id, id + 1), id: id + 1, name: `Group ${id}` } },
        }),
      ),
    )
  const numbered = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`)

  test('has all of 500 agents and 500 groups, beside 100 chats, below 120 KiB', async () => {
    const license = await world.license({ ann: {} })
    await writeAgents(license, numbered('agent-', 499))
    await writeGroups(license, 500)
    const ann = await license.login('ann')
    for (let i = 0; i < 100; i += 1)
      await ann.ok('start_chat', { initial_events: [{ type: 'message', text: 'x'.repeat(2000) }] })

    const client = await world.open()
    const answer = await loginOn(client, license, 'ann')
    expect(Buffer.byteLength(client.frames.at(-1) ?? '')).toBeLessThanOrEqual(limits.frameBytes)
    expect(answer.agents).toHaveLength(500)
    expect(answer.groups).toHaveLength(500)
    expect(answer.chats_summary).toHaveLength(100)
    expect(answer.chats_summary[0]).not.toHaveProperty('has_more')
  })

  test('leaves 100 bare chats their room, however large it is', async () => {
    const license = await world.license({
      ann: { name: 'Ä'.repeat(128), avatar: `https://e.com/${'a'.repeat(2000)}` },
    })
    await writeAgents(license, numbered('agent-', 499), { avatar: `https://e.com/${'a'.repeat(2000)}` })
    await writeGroups(license, 500)
    const ann = await license.login('ann')
    for (let i = 0; i < 100; i += 1) await ann.ok('start_chat')
    const client = await world.open()
    const answer = await loginOn(client, license, 'ann')
    expect(Buffer.byteLength(client.frames.at(-1) ?? '')).toBeLessThanOrEqual(limits.frameBytes)
    expect(answer.chats_summary).toHaveLength(100)
    expect(answer.agents).toHaveLength(500)
    expect(answer.groups).toHaveLength(500)
    expect(answer.agents[0].avatar).toBeDefined()
  })

  test('has 500 agents that are not deleted, however many are', async () => {
    const license = await world.license({ ann: {} })
    await writeAgents(license, numbered('before-', 1100), { deleted: true })
    await writeAgents(license, numbered('colleague-', 510))
    const { agents } = await loginOn(await world.open(), license, 'ann')
    expect(agents.map(({ id }: any) => id)).toEqual(['ann', ...numbered('colleague-', 499)])
  })
})

describe('logging in again on the same socket', () => {
  test('as the same agent renews the session, and tells nobody', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    const [client, connection] = await opened()
    await client.ok('login', { token: await license.token('ann', { expiresInS: 600 }) })
    expect((await sessionOf(connection))?.token_expires_at).toBeLessThan(nowS() + 700)
    await ben.eventually('agent_updated', ({ agent_id }) => agent_id === 'ann')

    await client.ok('login', { token: await license.token('ann', { expiresInS: 7200 }) })
    expect((await sessionOf(connection))?.token_expires_at).toBeGreaterThan(nowS() + 7000)
    expect(await readAgentSockets(world.table.read, license.id, 'ann')).toMatchObject([
      { connection, token_expires_at: expect.toSatisfy((end: number) => end > nowS() + 7000) },
    ])
    await ben.caughtUp()
    expect(ben.presence.filter(({ payload }) => payload.agent_id === 'ann')).toEqual([])
  })

  test('with a token of fewer scopes, the session has fewer', async () => {
    const license = await world.license({ ann: {} })
    const client = await license.login('ann')
    const { chat } = await client.ok('start_chat')
    await client.ok('login', { token: await license.token('ann', { scope: 'chats--my:read' }) })
    await client.ok('get_chat_threads', { chat_id: chat.id })
    expect(await client.refused('close_thread', { chat_id: chat.id })).toMatchObject({
      type: 'authorization',
    })
    await client.ok('login', { token: await license.token('ann') })
    await client.ok('close_thread', { chat_id: chat.id })
  })

  test('as another agent, or of another licence, is auth, and the session stays', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const other = await world.license({ ann: {} })
    const client = await license.login('ann')
    for (const token of [await license.token('ben'), await other.token('ann')])
      expect(await client.refused('login', { token })).toMatchObject({ type: 'auth', code: 401 })
    const { chat } = await client.ok('start_chat')
    expect(chat.users).toMatchObject([{ id: 'ann' }])
    expect(await readAgentSockets(world.table.read, other.id)).toEqual([])
    expect(await readAgentSockets(world.table.read, license.id, 'ben')).toEqual([])
  })

  test('with a bad token is auth, and the session stays', async () => {
    const license = await world.license({ ann: {} })
    const client = await license.login('ann')
    expect(await client.refused('login', { token: 'x' })).toEqual(auth)
    await client.ok('start_chat')
  })

  test('many times at once leaves one session', async () => {
    const license = await world.license({ ann: {} })
    const client = await world.open()
    const token = await license.token('ann')
    await Promise.all(Array.from({ length: 5 }, () => client.ok('login', { token })))
    expect(await readAgentSockets(world.table.read, license.id, 'ann')).toHaveLength(1)
    await client.ok('start_chat')
  })
})

describe('the routing status', () => {
  test('of a first login is the default one, accepting_chats unless configured', async () => {
    const license = await world.license({ ann: {}, ben: { default_status: 'not_accepting_chats' } })
    const statusOf = async (agent: string) =>
      (await loginOn(await world.open(), license, agent)).my_profile.routing_status
    expect(await statusOf('ann')).toBe('accepting_chats')
    expect(await statusOf('ben')).toBe('not_accepting_chats')
  })

  test.each([true, 'true'])('of a first login with reconnect %j is the last known one', async (reconnect) => {
    const license = await world.license({ ann: {} })
    await goneForGood(await license.login('ann'))
    await changeAgent(world.table, license.id, 'ann', { default_status: 'not_accepting_chats' })
    const back = await world.open()
    expect(await loginOn(back, license, 'ann', { reconnect })).toMatchObject({
      my_profile: { routing_status: 'accepting_chats' },
    })
  })

  test.each([false, 'false', null])(
    'of a first login with reconnect %j is the default one',
    async (value) => {
      const license = await world.license({ ann: {} })
      await goneForGood(await license.login('ann'))
      await changeAgent(world.table, license.id, 'ann', { default_status: 'not_accepting_chats' })
      expect(await loginOn(await world.open(), license, 'ann', { reconnect: value })).toMatchObject({
        my_profile: { routing_status: 'not_accepting_chats' },
      })
    },
  )

  test('of an agent that never was online is the default one, with reconnect too', async () => {
    const license = await world.license({ ann: { default_status: 'not_accepting_chats' } })
    expect(await loginOn(await world.open(), license, 'ann', { reconnect: true })).toMatchObject({
      my_profile: { routing_status: 'not_accepting_chats' },
    })
  })

  test('is left alone by further sockets, and by one that is back in time', async () => {
    const license = await world.license({ ann: {} })
    const first = await license.login('ann')
    await changeAgent(world.table, license.id, 'ann', { default_status: 'not_accepting_chats' })
    const second = await world.open()
    expect(await loginOn(second, license, 'ann')).toMatchObject({
      my_profile: { routing_status: 'accepting_chats' },
    })
    await Promise.all([first.close(), second.close()])
    await world.settled()
    expect(await loginOn(await world.open(), license, 'ann')).toMatchObject({
      my_profile: { routing_status: 'accepting_chats' },
    })
  })
})

describe('several sockets of one agent', () => {
  test('are each told of everything, whoever of them did it', async () => {
    const license = await world.license({ ann: {} })
    const [phone, desk] = [await license.login('ann'), await license.login('ann')]
    const { chat } = await phone.ok('start_chat')
    for (const socket of [phone, desk])
      expect(await socket.next('incoming_chat_thread')).toMatchObject({ chat: { id: chat.id } })
    await desk.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'hi' } })
    for (const socket of [phone, desk]) {
      expect(await socket.next('incoming_event')).toMatchObject({ event: { text: 'hi' } })
      await socket.receivesNothing()
    }
  })

  test('have sessions of their own: one that goes leaves the others', async () => {
    const license = await world.license({ ann: {} })
    const [phone, desk] = [await license.login('ann'), await license.login('ann')]
    await phone.close()
    await world.settled()
    const { chat } = await desk.ok('start_chat')
    expect(await desk.next('incoming_chat_thread')).toMatchObject({ chat: { id: chat.id } })
  })
})
