import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { verifyCustomerToken } from '../../shared/account/customer-tokens.ts'
import { keys } from '../../shared/table/keys.ts'
import { invalidToken, notLoggedIn } from '../support/wire-errors.ts'
import { type License, startWorld, useSettings, type World } from '../support/world.ts'

// the key is this file's own: tests that give it a new one run in order
const key = 'a key of customers’ tokens that this file knows'
let world: World
let license: License
beforeAll(async () => {
  world = await startWorld({ customerKey: key, delayScale: 1000 })
  license = await world.license({})
  useSettings(world)
})
afterAll(() => {
  vi.unstubAllEnvs()
})

afterEach(() => {
  vi.useRealTimers()
})

const nowS = () => Math.floor(Date.now() / 1000)
const yearS = 365 * 24 * 3600

/** Logs in with this token on a connection of its own. */
const loginWith = async (token: unknown, at = license) => (await at.arrive()).ok('login', { token })
const refusedWith = async (token: unknown, at = license) => (await at.arrive()).refused('login', { token })

describe('the token of a customer', () => {
  test('names it by a key of ours, for its license and a year', async () => {
    const before = nowS()
    const { token, id } = await license.visit()
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', kid: expect.stringMatching(/^.{8,}$/) })
    const { iat = 0, ...claims } = decodeJwt(token)
    expect(iat).toBeGreaterThanOrEqual(before)
    expect(iat).toBeLessThanOrEqual(nowS())
    expect(claims).toEqual({ iss: 'agent-chat', aud: license.id, sub: id, exp: iat + yearS })
  })

  test('makes a visitor the same customer again; it is renewed on each login, and the one before stays good', async () => {
    const { token, id } = await license.visit()
    const renewed = (await loginWith(token)).token
    expect(decodeJwt(renewed)).toMatchObject({ sub: id, aud: license.id })
    for (const one of [token, renewed]) expect(await loginWith(one)).toMatchObject({ customer_id: id })
  })

  test('absent or null makes a new customer each time', async () => {
    const ids = new Set<string>()
    for (const payload of [undefined, {}, { token: null }]) {
      const client = await license.arrive()
      ids.add((await client.ok('login', payload)).customer_id)
    }
    expect(ids.size).toBe(3)
  })

  test('of another license is auth', async () => {
    const other = await world.license({})
    const { token } = await other.visit()
    expect(await refusedWith(token)).toEqual(invalidToken)
    await loginWith(token, other)
  })

  test('of a license of this id that was erased before is auth', async () => {
    const erased = await world.license({})
    const { token, id } = await erased.visit()
    const createdAt = (at: number) =>
      world.table.write.write({
        Update: {
          Key: keys.license(erased.id),
          UpdateExpression: 'SET created_at = :at',
          ExpressionAttributeValues: { ':at': at },
        },
      })
    const { iat = 0 } = decodeJwt(token)
    await createdAt(iat + 301)
    expect(await refusedWith(token, erased)).toEqual(invalidToken)
    // clocks that run ahead
    await createdAt(iat + 300)
    expect(await loginWith(token, erased)).toMatchObject({ customer_id: id })
  })

  test.each<[string, unknown]>([
    ['empty', ''],
    ['no JWT', 'hello'],
    ['a number', 5],
    ['a list', ['x']],
    ['30 KB long', 'x'.repeat(30_000)],
  ])('that is %s is auth, and not validation', async (_what, token) => {
    const client = await license.arrive()
    expect(await client.refused('login', { token })).toEqual(invalidToken)
    expect(await client.refused('get_chats_summary')).toEqual(notLoggedIn)
    // the client drops it and logs in anew
    await client.ok('login')
  })

  test('that somebody changed is auth', async () => {
    const [mine, theirs] = [await license.visit(), await license.visit()]
    const [header, , signature] = mine.token.split('.')
    const [, payload] = theirs.token.split('.')
    expect(await refusedWith(`${header}.${payload}.${signature}`)).toEqual(invalidToken)
    const unsigned = Buffer.from('{"alg":"none"}').toString('base64url')
    expect(await refusedWith(`${unsigned}.${payload}.`)).toEqual(invalidToken)
    expect(await refusedWith(`${mine.token}x`)).toEqual(invalidToken)
  })

  test('stays out of every answer but its own', async () => {
    const { client, token } = await license.visit()
    await client.refused('login', { token: `${token}x` })
    await client.ok('get_chats_summary')
    for (const frame of client.frames.slice(1)) expect(frame).not.toContain(token)
  })

  describe('signed with our key', () => {
    type Claims = Record<string, string | number | undefined>
    let kid = ''
    let id: string
    beforeAll(async () => {
      const carl = await license.visit()
      id = carl.id
      ;({ kid = '' } = decodeProtectedHeader(carl.token))
    })
    const signed = async (claims: Claims, secret = key) => {
      const usual = { iss: 'agent-chat', aud: license.id, sub: id, iat: nowS(), exp: nowS() + 600 }
      return new SignJWT({ ...usual, ...claims })
        .setProtectedHeader({ alg: 'HS256', kid })
        .sign(new TextEncoder().encode(secret))
    }

    test('logs in while it lasts', async () => {
      const token = await signed({})
      expect(await loginWith(token)).toMatchObject({ customer_id: id })
    })

    test.each<[string, Claims]>([
      ['that has ended', { exp: 1_700_000_000 }],
      ['that has no end', { exp: undefined }],
      ['that does not say since when', { iat: undefined }],
      ['that names nobody', { sub: undefined }],
      ['whose name is empty', { sub: '' }],
      ['of another issuer', { iss: 'https://evil.test' }],
      ['of no license', { aud: undefined }],
      ['that is not valid yet', { nbf: 4_000_000_000 }],
    ])('one %s is auth', async (_what, claims) => {
      expect(await refusedWith(await signed(claims))).toEqual(invalidToken)
    })

    test('one of the same key id, but another key, is auth', async () => {
      const token = await signed({}, 'some other key of at least so many characters')
      expect(await refusedWith(token)).toEqual(invalidToken)
    })
  })
})

describe('a new key', () => {
  /** Functions ask for the key every ten minutes. */
  const later = (minutes: number) => {
    if (!vi.isFakeTimers()) vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.now() + minutes * 60_000)
  }
  const kidOf = ({ token }: { token: string }) => decodeProtectedHeader(token).kid

  test('signs from then on; the one before it still verifies, the third does not', async () => {
    const first = await license.visit()
    world.rotateCustomerKey()
    later(11)
    const second = await license.visit()
    expect(kidOf(second)).not.toBe(kidOf(first))
    const renewed = await loginWith(first.token)
    expect(renewed).toMatchObject({ customer_id: first.id })
    expect(kidOf(renewed)).toBe(kidOf(second))

    world.rotateCustomerKey()
    later(11)
    expect(kidOf(await license.visit())).not.toBe(kidOf(second))
    expect(await refusedWith(first.token)).toEqual(invalidToken)
    // who was here since then has a newer one
    for (const { token, id } of [second, { token: renewed.token, id: first.id }])
      expect(await loginWith(token)).toMatchObject({ customer_id: id })
  })

  test('that a function does not know yet is asked for when a token comes that was signed with it', async () => {
    later(60)
    const { token, id } = await license.visit()
    const who = { license_id: license.id, customer_id: id }
    later(6)
    // another function, which has read the keys just now
    expect(await verifyCustomerToken(token, license.id)).toMatchObject(who)
    world.rotateCustomerKey()
    later(5)
    const renewed = await loginWith(token)
    expect(kidOf(renewed)).not.toBe(kidOf({ token }))
    expect(await verifyCustomerToken(renewed.token, license.id)).toMatchObject(who)
  })
})
