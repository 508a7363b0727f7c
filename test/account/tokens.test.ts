import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { remoteKeys, type TokenChecks, verifyToken } from '../../shared/account/tokens.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'

const issuer = 'https://issuer.test'
const audience = 'agent-chat'
const nowS = 1_800_000_000

interface Pair {
  kid: string
  alg: string
  publicKey: CryptoKey
  privateKey: CryptoKey
}
const pair = async (kid: string, alg: string): Promise<Pair> => ({
  kid,
  alg,
  ...(await generateKeyPair(alg, { extractable: true })),
})

let rsa: Pair
let ec: Pair
let stranger: Pair
beforeAll(async () => {
  ;[rsa, ec, stranger] = await Promise.all([
    pair('rsa-1', 'RS256'),
    pair('ec-1', 'ES256'),
    pair('ec-9', 'ES256'),
  ])
})

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: nowS * 1000 })
})
afterEach(() => {
  vi.useRealTimers()
})

/**
 * A key set on loopback that counts who asks for it; `answer` may be changed, `stop` takes it off the net.
 */
const startKeySet = async (pairs: readonly Pair[]) => {
  const jwks = async (set: readonly Pair[]) => ({
    keys: await Promise.all(
      set.map(async ({ kid, alg, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })),
    ),
  })
  const keySet = { requests: 0, status: 200, body: JSON.stringify(await jwks(pairs)) }
  const server = createServer((_request, response) => {
    keySet.requests += 1
    response.writeHead(keySet.status, { 'content-type': 'application/json' }).end(keySet.body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  onTestFinished(stop)
  return Object.assign(keySet, {
    url: `http://127.0.0.1:${port}/jwks.json`,
    stop,
    show: async (set: readonly Pair[]) => {
      keySet.body = JSON.stringify(await jwks(set))
    },
  })
}

const world = async () => {
  const keySet = await startKeySet([rsa, ec])
  const checks: TokenChecks = {
    ...{ issuer, audience, keys: remoteKeys(keySet.url) },
    ...{ tokenType: 'access', resourceServer: undefined },
  }
  const verify = (token: unknown, other: Partial<TokenChecks> = {}) =>
    verifyToken(token, { ...checks, ...other })
  return { keySet, checks, verify }
}

const claims: JWTPayload = { iss: issuer, aud: audience, sub: 'ann', exp: nowS + 3600 }

const sign = (payload: JWTPayload = claims, by: Pair = rsa, header: object = {}): Promise<string> =>
  new SignJWT(payload)
    .setProtectedHeader({ alg: by.alg, kid: by.kid, typ: 'at+jwt', ...header })
    .sign(by.privateKey)

const without = (name: string): JWTPayload =>
  Object.fromEntries(Object.entries(claims).filter(([claim]) => claim !== name))

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const isAuth = async (verified: Promise<unknown>): Promise<void> => {
  const error = await verified.then(
    (identity) => expect.fail(`accepted as ${JSON.stringify(identity)}`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ProtocolError)
  expect(error).toMatchObject({ type: 'auth', message: 'Invalid access token' })
}

describe('a token', () => {
  test('of RS256 and of ES256 names its issuer, subject, scopes and end', async () => {
    const { verify } = await world()
    for (const by of [rsa, ec]) {
      const token = await sign({ ...claims, scope: 'openid chats--all:read' }, by)
      expect(await verify(token)).toEqual({
        issuer,
        subject: 'ann',
        scopes: ['openid', 'chats--all:read'],
        resourceServer: undefined,
        machine: false,
        expiresAt: nowS + 3600,
      })
    }
  })

  test('may carry the prefix Bearer', async () => {
    const { verify } = await world()
    const token = await sign()
    for (const prefixed of [`Bearer ${token}`, `bearer ${token}`])
      expect(await verify(prefixed)).toMatchObject({ subject: 'ann' })
  })

  test.each([
    ['absent', undefined],
    ['null', null],
    ['a number', 5],
    ['an object', { token: 'x' }],
    ['a list', ['x']],
    ['empty', ''],
    ['the prefix alone', 'Bearer '],
    ['no JWT', 'hello'],
    ['three empty parts', '..'],
    ['30 KB long', 'a'.repeat(30_000)],
  ])('that is %s is auth', async (_what, token) => {
    const { verify } = await world()
    await isAuth(verify(token))
  })

  test('without a signature (alg none) is auth', async () => {
    const { verify } = await world()
    const unsigned = `${base64({ alg: 'none' })}.${base64(claims)}.`
    await isAuth(verify(unsigned))
    await isAuth(verify(`${base64({ alg: 'none', kid: rsa.kid })}.${base64(claims)}.`))
    await isAuth(verify(`${base64({ alg: 'None', kid: rsa.kid })}.${base64(claims)}.`))
  })

  test('signed by HS256 with the public key as its secret is auth', async () => {
    const { verify } = await world()
    const secrets = [await exportSPKI(rsa.publicKey), JSON.stringify(await exportJWK(rsa.publicKey))]
    for (const secret of secrets) {
      const forged = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: rsa.kid })
        .sign(Buffer.from(secret))
      await isAuth(verify(forged))
    }
  })

  test('of an algorithm beyond RS256 and ES256 is auth, whatever key the set has', async () => {
    const rs512 = await pair('rsa-512', 'RS512')
    const { verify, keySet } = await world()
    await keySet.show([rsa, ec, rs512])
    await isAuth(verify(await sign(claims, rs512)))
  })

  test('of another key under a known key id is auth', async () => {
    const { verify } = await world()
    await isAuth(verify(await sign(claims, { ...stranger, kid: ec.kid })))
  })

  test('that brings its own key along is auth', async () => {
    const { verify, keySet } = await world()
    const jwk = await exportJWK(stranger.publicKey)
    await isAuth(verify(await sign(claims, { ...stranger, kid: ec.kid }, { jwk })))
    await isAuth(verify(await sign(claims, { ...stranger, kid: ec.kid }, { jku: keySet.url })))
  })

  test('whose payload was changed after it was signed is auth', async () => {
    const { verify } = await world()
    const [header, , signature] = (await sign()).split('.')
    await isAuth(verify(`${header}.${base64({ ...claims, sub: 'eve' })}.${signature}`))
  })

  test('of another issuer is auth', async () => {
    const { verify } = await world()
    for (const iss of ['https://issuer.test/', 'https://evil.test', ''])
      await isAuth(verify(await sign({ ...claims, iss })))
    await isAuth(verify(await sign(without('iss'))))
  })

  test('for another audience is auth, one for several with ours among them is fine', async () => {
    const { verify } = await world()
    await isAuth(verify(await sign({ ...claims, aud: 'another' })))
    await isAuth(verify(await sign({ ...claims, aud: [] })))
    await isAuth(verify(await sign({ ...claims, aud: ['another', `${audience}-2`] })))
    await isAuth(verify(await sign(without('aud'))))
    expect(await verify(await sign({ ...claims, aud: ['another', audience] }))).toMatchObject({
      subject: 'ann',
    })
  })

  test.each(['sub', 'exp'])('without %s is auth', async (claim) => {
    const { verify } = await world()
    await isAuth(verify(await sign(without(claim))))
  })

  test('whose subject is no string is auth', async () => {
    const { verify } = await world()
    for (const sub of [5, null, '', { id: 'ann' }, ['ann']])
      await isAuth(verify(await sign({ ...claims, sub: sub as string })))
  })

  test('whose subject no key of the table can hold, or is no text, is auth', async () => {
    const { verify } = await world()
    for (const sub of ['x'.repeat(2048), 'é'.repeat(1024), '#'.repeat(700), 'half \ud800'])
      await isAuth(verify(await sign({ ...claims, sub })))
    expect(await verify(await sign({ ...claims, sub: 'x'.repeat(1000) }))).toMatchObject({
      subject: 'x'.repeat(1000),
    })
  })

  test('with scp, or a list of scopes, has these scopes', async () => {
    const { verify } = await world()
    expect(await verify(await sign({ ...claims, scp: ['a:b', 7, 'c:d'] }))).toMatchObject({
      scopes: ['a:b', 'c:d'],
    })
    expect(await verify(await sign({ ...claims, scope: ' a:b  c:d ' }))).toMatchObject({
      scopes: ['a:b', 'c:d'],
    })
    expect(await verify(await sign())).toMatchObject({ scopes: [] })
  })
})

describe('the clocks may differ by 60 s', () => {
  test('a token that ended within them is taken, and its session ends with them', async () => {
    const { verify } = await world()
    expect(await verify(await sign({ ...claims, exp: nowS - 59 }))).toMatchObject({ expiresAt: nowS + 1 })
    expect(await verify(await sign({ ...claims, exp: nowS - 1 }))).toMatchObject({ expiresAt: nowS + 59 })
  })

  test('a token that ended before is auth', async () => {
    const { verify } = await world()
    for (const exp of [nowS - 61, nowS - 3600, 0, -1]) await isAuth(verify(await sign({ ...claims, exp })))
  })

  test('a token that is not valid yet is taken within them and auth before', async () => {
    const { verify } = await world()
    expect(await verify(await sign({ ...claims, nbf: nowS + 59 }))).toMatchObject({ subject: 'ann' })
    await isAuth(verify(await sign({ ...claims, nbf: nowS + 61 })))
  })

  test('times that are no numbers are auth', async () => {
    const { verify } = await world()
    const text = String(nowS + 3600) as unknown as number
    await isAuth(verify(await sign({ ...claims, exp: text })))
    await isAuth(verify(await sign({ ...claims, nbf: String(nowS - 60) as unknown as number })))
  })
})

describe("Cognito's access tokens", () => {
  const access = { ...without('aud'), token_use: 'access', client_id: audience }

  test('have client_id in place of aud', async () => {
    const { verify } = await world()
    expect(await verify(await sign(access))).toMatchObject({ subject: 'ann' })
  })

  test('of another client are auth', async () => {
    const { verify } = await world()
    await isAuth(verify(await sign({ ...access, client_id: 'another' })))
    await isAuth(verify(await sign({ ...access, client_id: [audience, 'x'].join() })))
  })

  test('are known by token_use alone: client_id counts in no other token', async () => {
    const { verify } = await world()
    await isAuth(verify(await sign({ ...access, token_use: 'id' })))
    await isAuth(verify(await sign({ ...access, token_use: undefined })))
    await isAuth(verify(await sign({ ...access, token_use: 'id', aud: 'another' })))
  })
})

describe('a token that a client got for itself is a machine’s', () => {
  const cognitos = {
    ...{ ...without('aud'), sub: 'bot-1', token_use: 'access', client_id: 'bot-1' },
    scope: 'crm/tickets agent-chat/all',
  }
  const checks = { resourceServer: 'agent-chat' }

  test.each([
    ["Cognito's, whose client stands in place of aud", cognitos],
    ['by RFC 9068', { ...claims, sub: 'bot-1', client_id: 'bot-1' }],
    ['with azp in place of client_id', { ...claims, sub: 'bot-1', azp: 'bot-1' }],
    ["Auth0's", { ...claims, sub: 'bot-1@clients', azp: 'bot-1' }],
  ])('%s', async (_whose, payload) => {
    const { verify } = await world()
    expect(await verify(await sign(payload), checks)).toMatchObject({ subject: payload.sub, machine: true })
  })

  test.each([
    ['of another client', { ...claims, client_id: audience }],
    ['of no client', claims],
    ['whose client is no text', { ...claims, client_id: ['ann'] }],
  ])('one %s is a person’s', async (_what, payload) => {
    const { verify } = await world()
    expect(await verify(await sign(payload))).toMatchObject({ subject: 'ann', machine: false })
  })

  test('for another audience it is auth, and so it is without one, but of Cognito', async () => {
    const { verify } = await world()
    await isAuth(verify(await sign({ ...cognitos, aud: 'another' }), checks))
    await isAuth(verify(await sign({ ...cognitos, token_use: undefined }), checks))
    await isAuth(verify(await sign({ ...cognitos, token_use: 'id' }), checks))
  })

  test("of Cognito's is for the API of its scopes: one for another API is auth, as is any where none is named", async () => {
    const { verify } = await world()
    for (const scope of [undefined, '', 'crm/all', 'agent-chatter/all', 'crm/agent-chat/all', 'all'])
      await isAuth(verify(await sign({ ...cognitos, scope }), checks))
    await isAuth(verify(await sign(cognitos)))
  })
})

describe('a token that is not for access', () => {
  const type = (typ: string | undefined) => sign(claims, rsa, { typ })

  test('is auth: it says that it is by token_use, or else by its type', async () => {
    const { verify } = await world()
    for (const token_use of ['id', '', null, 'refresh', ['access']])
      await isAuth(verify(await sign({ ...claims, token_use })))
    for (const typ of ['JWT', undefined, 'at', 'id+jwt', 'at+jwt2']) await isAuth(verify(await type(typ)))
    for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt'])
      expect(await verify(await type(typ)), typ).toMatchObject({ subject: 'ann' })
    expect(await verify(await sign({ ...claims, token_use: 'access' }, rsa, { typ: 'JWT' }))).toMatchObject({
      subject: 'ann',
    })
  })

  test('is taken without a type where the deployment says so, but never against its token_use', async () => {
    const { verify } = await world()
    for (const typ of ['JWT', undefined])
      expect(await verify(await type(typ), { tokenType: 'any' })).toMatchObject({ subject: 'ann' })
    await isAuth(verify(await sign({ ...claims, token_use: 'id' }), { tokenType: 'any' }))
  })
})

describe('the key set', () => {
  test('is fetched when first needed and then kept', async () => {
    const { keySet, verify } = await world()
    expect(keySet.requests).toBe(0)
    await Promise.all(Array.from({ length: 10 }, async () => verify(await sign(claims, ec))))
    await verify(await sign(claims, rsa))
    await isAuth(verify(await sign(claims, { ...stranger, kid: ec.kid })))
    expect(keySet.requests).toBe(1)
  })

  test('is not fetched for what is no JWT, nor for other algorithms', async () => {
    const { keySet, verify } = await world()
    await isAuth(verify('hello'))
    await isAuth(verify(undefined))
    const forged = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: rsa.kid })
    await isAuth(verify(await forged.sign(Buffer.alloc(32, 1))))
    expect(keySet.requests).toBe(0)
  })

  test('a token of an unknown key id is auth, and asks for the set again once in ten seconds', async () => {
    const { keySet, verify } = await world()
    await verify(await sign())
    for (let i = 0; i < 5; i += 1) await isAuth(verify(await sign(claims, stranger)))
    expect(keySet.requests).toBe(1)
    vi.setSystemTime((nowS + 11) * 1000)
    for (let i = 0; i < 5; i += 1) await isAuth(verify(await sign(claims, stranger)))
    expect(keySet.requests).toBe(2)
  })

  test('a key that came into it later is found', async () => {
    const { keySet, verify } = await world()
    await verify(await sign())
    await keySet.show([rsa, ec, stranger])
    vi.setSystemTime((nowS + 11) * 1000)
    expect(await verify(await sign(claims, stranger))).toMatchObject({ subject: 'ann' })
  })

  test('a key that left it is no longer taken once ten minutes are over', async () => {
    const { keySet, verify } = await world()
    await verify(await sign(claims, ec))
    await keySet.show([rsa])
    vi.setSystemTime((nowS + 601) * 1000)
    await isAuth(verify(await sign(claims, ec)))
    expect(keySet.requests).toBe(2)
  })

  test('that came last is used while it cannot be fetched, and it is asked for again after ten seconds', async () => {
    const { keySet, verify } = await world()
    await verify(await sign())
    const whole = keySet.body
    Object.assign(keySet, { status: 503, body: '' })
    vi.setSystemTime((nowS + 601) * 1000)
    for (const by of [rsa, ec]) expect(await verify(await sign(claims, by))).toMatchObject({ subject: 'ann' })
    await isAuth(verify(await sign(claims, { ...stranger, kid: ec.kid })))
    expect(keySet.requests).toBe(2)
    // a key that nobody knows yet may be a new one of the issuer
    vi.setSystemTime((nowS + 612) * 1000)
    for (const _ of [1, 2])
      await expect(verify(await sign(claims, stranger))).rejects.not.toBeInstanceOf(ProtocolError)
    expect(keySet.requests).toBe(3)

    Object.assign(keySet, { status: 200, body: whole })
    await keySet.show([rsa])
    vi.setSystemTime((nowS + 623) * 1000)
    await isAuth(verify(await sign(claims, ec)))
    expect(await verify(await sign())).toMatchObject({ subject: 'ann' })
  })

  test('out of reach is no fault of the token', async () => {
    const { keySet, verify } = await world()
    await keySet.stop()
    await expect(verify(await sign())).rejects.not.toBeInstanceOf(ProtocolError)
  })

  test.each([
    ['an error of its server', 500, '{}'],
    ['no JSON', 200, '<html>'],
    ['no key set', 200, '{"keys":"none"}'],
  ])('that comes as %s is no fault of the token, and is asked for again', async (_what, status, body) => {
    const { keySet, verify } = await world()
    const whole = keySet.body
    Object.assign(keySet, { status, body })
    await expect(verify(await sign())).rejects.not.toBeInstanceOf(ProtocolError)
    Object.assign(keySet, { status: 200, body: whole })
    expect(await verify(await sign())).toMatchObject({ subject: 'ann' })
  })
})
