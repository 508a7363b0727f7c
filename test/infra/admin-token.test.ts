import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mintToken, openTokenKey, publicJwks } from '../../infra/local/secrets/token-key.ts'
import { startEngines } from '../support/engines.ts'
import { type AdminWorld, issuer, now, openAdminWorld } from './admin-world.ts'

const [engine] = await startEngines()
if (engine === undefined) throw new Error('No engine')
afterAll(() => engine.stop())

describe('admin token', () => {
  let world: AdminWorld
  beforeAll(async () => {
    world = await openAdminWorld(engine.endpoint)
  })
  afterAll(() => world.close())

  const created = async (license: string, id: string, ...argv: string[]) =>
    world.json('agent', 'create', license, '--id', id, '--name', id, ...argv)
  const verified = async (token: string) => {
    const keySet = createLocalJWKSet(publicJwks(await openTokenKey(world.localDir)))
    return jwtVerify(token, keySet, { issuer, audience: 'agent-chat', currentDate: new Date(now) })
  }

  it('prints the token and nothing else', async () => {
    const license = await world.license()
    await created(license, 'ana')
    const { code, out, err } = await world.admin('token', 'ana', '--license', license)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const { payload, protectedHeader } = await verified(out.trim())
    expect(payload).toEqual({
      iss: issuer,
      aud: 'agent-chat',
      sub: `${license}/ana`,
      iat: now / 1000,
      exp: now / 1000 + 86_400,
    })
    expect(protectedHeader).toMatchObject({ alg: 'ES256', kid: (await openTokenKey(world.localDir)).kid })
  })

  it('gives it scopes and a life', async () => {
    const license = await world.license()
    await created(license, 'ana', '--subject', `s-${license}`)
    const options = ['--license', license, '--scope', 'chats--my:read broadcast:write', '--expires-in', '90s']
    const { out } = await world.admin('token', 'ana', ...options)
    const { payload } = await verified(out.trim())
    expect(payload).toMatchObject({
      sub: `s-${license}`,
      scope: 'chats--my:read broadcast:write',
      exp: now / 1000 + 90,
    })
  })

  it('finds the license of an agent', async () => {
    const [license, other] = [await world.license(), await world.license()]
    const id = `only-${license}`
    await created(license, id)
    await created(other, `other-${license}`)
    const { payload } = await verified((await world.admin('token', id)).out.trim())
    expect(payload.sub).toBe(`${license}/${id}`)
  })

  it('asks which license where several have the agent', async () => {
    const [license, other] = [await world.license(), await world.license()]
    const id = `both-${license}`
    await created(license, id)
    await created(other, id)
    expect(await world.admin('token', id)).toEqual({
      code: 1,
      out: '',
      err: `error: Several licenses have an agent ${id}: ${[license, other].toSorted().join(', ')}. Say which with --license.\n`,
    })
    expect((await world.admin('token', id, '--license', other)).code).toBe(0)
    await world.admin('agent', 'delete', other, id)
    expect((await world.admin('token', id)).code).toBe(0)
  })

  it('says so where there is no such agent', async () => {
    const license = await world.license()
    expect(await world.admin('token', 'nobody')).toEqual({
      code: 1,
      out: '',
      err: 'error: No license has an agent nobody. See agent list <license>.\n',
    })
    expect((await world.admin('token', 'nobody', '--license', license)).err).toBe(
      `error: License ${license} has no agent nobody. See agent list ${license}.\n`,
    )
  })

  it('refuses an agent of another issuer, and says how to change that', async () => {
    const license = await world.license()
    await created(license, 'ana', '--subject', license, '--issuer', 'https://login.example.com')
    const { code, err } = await world.admin('token', 'ana', '--license', license)
    expect(code).toBe(1)
    expect(err).toBe(
      `error: Agent ana of license ${license} logs in with tokens of another issuer. ` +
        `Give it a subject of this stack's: agent set ${license} ana --subject ${license}/ana\n`,
    )
    await world.admin('agent', 'set', license, 'ana', '--subject', `${license}/ana`)
    expect((await world.admin('token', 'ana', '--license', license)).code).toBe(0)
  })

  it('tells beside the token that an agent is suspended', async () => {
    const license = await world.license()
    await created(license, 'ana')
    await world.admin('agent', 'suspend', license, 'ana')
    const { code, out, err } = await world.admin('token', 'ana', '--license', license)
    expect(code).toBe(0)
    expect(await verified(out.trim())).toBeDefined()
    expect(err).toBe('note: agent ana is suspended, its login is refused\n')
  })

  it.each([
    [['--expires-in', '24'], '--expires-in: A time span is a number with its unit: 90s, 30m, 24h, 7d.'],
    [['--expires-in', '0s'], '--expires-in: A time span is a number with its unit: 90s, 30m, 24h, 7d.'],
    [
      ['--table', 'deployed'],
      '--table: The tokens of a deployed table come from its identity provider: log in there.',
    ],
  ])('refuses %s', async (options, sentence) => {
    expect(await world.admin('token', 'ana', ...options)).toEqual({
      code: 2,
      out: '',
      err: `error: ${sentence}\n`,
    })
  })
})

describe('the key of local tokens', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'token-key-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  it('is made once, also by many at once, and only its owner may read it', async () => {
    const inner = join(dir, 'new')
    const made = await Promise.all(Array.from({ length: 8 }, () => openTokenKey(inner)))
    expect(new Set(made.map(({ kid }) => kid)).size).toBe(1)
    expect(await openTokenKey(inner)).toEqual(made[0])
    expect(await readdir(inner)).toEqual(['token-key.json'])
    expect((await stat(join(inner, 'token-key.json'))).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(join(inner, 'token-key.json'), 'utf8'))).toEqual(made[0])
  })

  it('shows its public half only', async () => {
    const { kid, x, y, ...key } = await openTokenKey(dir)
    expect(publicJwks({ kid, x, y, ...key })).toEqual({
      keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid, x, y }],
    })
  })

  it('of another directory does not verify', async () => {
    const token = await mintToken({
      key: await openTokenKey(join(dir, 'a')),
      issuer,
      audience: 'agent-chat',
      subject: 's',
      expiresInS: 60,
    })
    const others = createLocalJWKSet(publicJwks(await openTokenKey(join(dir, 'b'))))
    await expect(jwtVerify(token, others)).rejects.toThrow()
  })

  it('that is broken is not replaced in silence', async () => {
    const file = join(dir, 'token-key.json')
    for (const text of ['{', '{"kty":"RSA"}']) {
      await writeFile(file, text)
      await expect(openTokenKey(dir)).rejects.toThrow(`${file} holds no ES256 key. Delete it`)
      expect(await readFile(file, 'utf8')).toBe(text)
    }
  })
})
