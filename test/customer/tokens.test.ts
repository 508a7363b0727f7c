import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { verifyCustomerToken } from '../../shared/account/customer-tokens.ts'
import { keys } from '../../shared/table/keys.ts'
import { type License, startWorld } from '../support/world.ts'

// the key is this file's own: tests that give it a new one run in order
const key = 'a key of customers’ tokens that this file knows'
const world = await startWorld({ customerKey: key, delayScale: 1000 })

afterEach(() => {
  vi.useRealTimers()
})

const nowS = () => Math.floor(Date.now() / 1000)
const yearS = 365 * 24 * 3600
const auth = { type: 'auth', code: 401, message: 'Invalid access token' }

/** Logs in with this token on a connection of its own. */
const loginWith = async (license: License, token: unknown) => (await license.arrive()).ok('login', { token })
const refusedWith = async (license: License, token: unknown) =>
  (await license.arrive()).refused('login', { token })

describe('the token of a customer', () => {
  test('names it by a key of ours, for its licence and a year', async () => {
    const license = await world.license({})
    const before = nowS()
    const { token, id } = await license.visit()
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', kid: expect.stringMatching(/^.{8,}$/) })
    const { iat = 0, ...claims } = decodeJwt(token)
    expect(iat).toBeGreaterThanOrEqual(before)
    expect(iat).toBeLessThanOrEqual(nowS())
    expect(claims).toEqual({ iss: 'agent-chat', aud: license.id, sub: id, exp: iat + yearS })
  })

  test('makes a visitor the same customer again, on any number of connections', async () => {
    const license = await world.license({})
    const { token, id } = await license.visit()
    for (const _ of [1, 2]) expect(await loginWith(license, token)).toMatchObject({ customer_id: id })
  })

  test('is renewed on each login, and the one before stays good', async () => {
    const license = await world.license({})
    const { token, id } = await license.visit()
    const renewed = (await loginWith(license, token)).token
    expect(decodeJwt(renewed)).toMatchObject({ sub: id, aud: license.id })
    for (const one of [token, renewed])
      expect(await loginWith(license, one)).toMatchObject({ customer_id: id })
  })

  test('absent or null makes a new customer each time', async () => {
    const license = await world.license({})
    const ids = new Set<string>()
    for (const payload of [undefined, {}, { token: null }]) {
      const client = await license.arrive()
      ids.add((await client.ok('login', payload)).customer_id)
    }
    expect(ids.size).toBe(3)
  })

  test('of another licence is auth', async () => {
    const [license, other] = [await world.license({}), await world.license({})]
    const { token } = await other.visit()
    expect(await refusedWith(license, token)).toEqual(auth)
    await loginWith(other, token)
  })

  test('of a licence of this id that was erased before is auth', async () => {
    const license = await world.license({})
    const { token, id } = await license.visit()
    const createdAt = (at: number) =>
      world.table.write.write({
        Update: {
          Key: keys.license(license.id),
          UpdateExpression: 'SET created_at = :at',
          ExpressionAttributeValues: { ':at': at },
        },
      })
    const { iat = 0 } = decodeJwt(token)
    await createdAt(iat + 301)
    expect(await refusedWith(license, token)).toEqual(auth)
    // clocks that run ahead
    await createdAt(iat + 300)
    expect(await loginWith(license, token)).toMatchObject({ customer_id: id })
  })

  test.each<[string, unknown]>([
    ['empty', ''],
    ['no JWT', 'hello'],
    ['a number', 5],
    ['false', false],
    ['an object', { token: 'x' }],
    ['a list', ['x']],
    ['30 KB long', 'x'.repeat(30_000)],
  ])('that is %s is auth, and not validation', async (_what, token) => {
    const license = await world.license({})
    const client = await license.arrive()
    expect(await client.refused('login', { token })).toEqual(auth)
    expect(await client.refused('get_chats_summary')).toEqual({ ...auth, message: 'Not logged in' })
    // the client drops it and logs in anew
    await client.ok('login')
  })

  test('that somebody changed is auth', async () => {
    const license = await world.license({})
    const [mine, theirs] = [await license.visit(), await license.visit()]
    const [header, , signature] = mine.token.split('.')
    const [, payload] = theirs.token.split('.')
    expect(await refusedWith(license, `${header}.${payload}.${signature}`)).toEqual(auth)
    const unsigned = Buffer.from('{"alg":"none"}').toString('base64url')
    expect(await refusedWith(license, `${unsigned}.${payload}.`)).toEqual(auth)
    expect(await refusedWith(license, `${mine.token}x`)).toEqual(auth)
  })

  test('stays out of every answer but its own', async () => {
    const license = await world.license({})
    const { client, token } = await license.visit()
    await client.refused('login', { token: `${token}x` })
    await client.ok('get_chats_summary')
    for (const frame of client.frames.slice(1)) expect(frame).not.toContain(token)
  })

  describe('signed with our key', () => {
    type Claims = Record<string, string | number | undefined>
    const signed = async (license: License, id: string, claims: Claims, secret = key) => {
      const { kid = '' } = decodeProtectedHeader((await license.visit()).token)
      const usual = { iss: 'agent-chat', aud: license.id, sub: id, iat: nowS(), exp: nowS() + 600 }
      return new SignJWT({ ...usual, ...claims })
        .setProtectedHeader({ alg: 'HS256', kid })
        .sign(new TextEncoder().encode(secret))
    }

    test('logs in while it lasts', async () => {
      const license = await world.license({})
      const { id } = await license.visit()
      const token = await signed(license, id, {})
      expect(await loginWith(license, token)).toMatchObject({ customer_id: id })
    })

    test.each<[string, Claims]>([
      ['that has ended', { exp: 1_700_000_000 }],
      ['that has no end', { exp: undefined }],
      ['that does not say since when', { iat: undefined }],
      ['that names nobody', { sub: undefined }],
      ['whose name is empty', { sub: '' }],
      ['of another issuer', { iss: 'https://evil.test' }],
      ['of no licence', { aud: undefined }],
      ['that is not valid yet', { nbf: 4_000_000_000 }],
    ])('one %s is auth', async (_what, claims) => {
      const license = await world.license({})
      const { id } = await license.visit()
      expect(await refusedWith(license, await signed(license, id, claims))).toEqual(auth)
    })

    test('one of the same key id, but another key, is auth', async () => {
      const license = await world.license({})
      const { id } = await license.visit()
      const token = await signed(license, id, {}, 'some other key of at least so many characters')
      expect(await refusedWith(license, token)).toEqual(auth)
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
    const license = await world.license({})
    const first = await license.visit()
    world.rotateCustomerKey()
    later(11)
    const second = await license.visit()
    expect(kidOf(second)).not.toBe(kidOf(first))
    const renewed = await loginWith(license, first.token)
    expect(renewed).toMatchObject({ customer_id: first.id })
    expect(kidOf(renewed)).toBe(kidOf(second))

    world.rotateCustomerKey()
    later(11)
    expect(kidOf(await license.visit())).not.toBe(kidOf(second))
    expect(await refusedWith(license, first.token)).toEqual(auth)
    // who was here since then has a newer one
    for (const { token, id } of [second, { token: renewed.token, id: first.id }])
      expect(await loginWith(license, token)).toMatchObject({ customer_id: id })
  })

  test('that a function does not know yet is asked for when a token comes that was signed with it', async () => {
    const license = await world.license({})
    later(60)
    const { token, id } = await license.visit()
    const who = { license_id: license.id, customer_id: id }
    later(6)
    // another function, which has read the keys just now
    expect(await verifyCustomerToken(token, license.id)).toMatchObject(who)
    world.rotateCustomerKey()
    later(5)
    const renewed = await loginWith(license, token)
    expect(kidOf(renewed)).not.toBe(kidOf({ token }))
    expect(await verifyCustomerToken(renewed.token, license.id)).toMatchObject(who)
  })
})
