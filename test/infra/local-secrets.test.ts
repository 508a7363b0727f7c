import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openCustomerKey } from '../../infra/local/secrets/customer-key.ts'
import { type SecretServer, startSecretServer } from '../../infra/local/secrets/secret-server.ts'

const clientOf = ({ url }: SecretServer) =>
  new SecretsManagerClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })

let server: SecretServer
let client: SecretsManagerClient
beforeAll(async () => {
  server = await startSecretServer({ fcm: '{"a":1}', key: 'first' })
  client = clientOf(server)
})
afterAll(async () => {
  client.destroy()
  await server.stop()
})
const secret = (SecretId: string, version: { VersionId?: string; VersionStage?: string } = {}) =>
  client.send(new GetSecretValueCommand({ SecretId, ...version }))
const valueOf = async (SecretId: string) => (await secret(SecretId)).SecretString

test('the local secrets are given out by their names, as the SDK reads them', async () => {
  expect(await valueOf('fcm')).toBe('{"a":1}')
})

test.each(['other', 'toString', '__proto__'])('%s is no secret', async (name) => {
  await expect(valueOf(name)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
})

test('a secret that was never rotated has a current version and no previous one', async () => {
  const current = await secret('fcm')
  expect(current).toMatchObject({ Name: 'fcm', VersionStages: ['AWSCURRENT'] })
  // what Secrets Manager takes for one: 32 to 64 characters
  expect(current.VersionId).toMatch(/^[\w-]{32,64}$/)
  expect(await secret('fcm', { VersionStage: 'AWSCURRENT' })).toMatchObject({ SecretString: '{"a":1}' })
  await expect(secret('fcm', { VersionStage: 'AWSPREVIOUS' })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  })
})

test('a rotation makes the current version the previous one, and leaves the one before that without a stage', async () => {
  const read = async (version: { VersionId?: string; VersionStage?: string }) => {
    const { SecretString, VersionId, VersionStages } = await secret('key', version)
    return { SecretString, VersionId, VersionStages }
  }
  const first = await read({})
  server.rotate('key', 'second')
  const second = await read({})
  expect(second).toMatchObject({ SecretString: 'second', VersionStages: ['AWSCURRENT'] })
  expect(second.VersionId).not.toBe(first.VersionId)
  const previous = { ...first, VersionStages: ['AWSPREVIOUS'] }
  expect(await read({ VersionStage: 'AWSPREVIOUS' })).toEqual(previous)
  expect(await read({ VersionId: first.VersionId! })).toEqual(previous)
  await expect(
    secret('key', { VersionId: first.VersionId!, VersionStage: 'AWSCURRENT' }),
  ).rejects.toMatchObject({ name: 'ResourceNotFoundException' })

  server.rotate('key', 'third')
  expect(await read({})).toMatchObject({ SecretString: 'third' })
  expect(await read({ VersionStage: 'AWSPREVIOUS' })).toEqual({ ...second, VersionStages: ['AWSPREVIOUS'] })
  expect(await read({ VersionId: first.VersionId! })).toMatchObject({
    SecretString: 'first',
    VersionStages: [],
  })
  expect(await valueOf('fcm')).toBe('{"a":1}')
})

test('a value that is kept has the same version at each start, so that tokens of it still name their key', async () => {
  const again = await startSecretServer({ other: '{"a":1}' })
  const other = clientOf(again)
  const { VersionId } = await other.send(new GetSecretValueCommand({ SecretId: 'other' }))
  expect(VersionId).toBe((await secret('fcm')).VersionId)
  other.destroy()
  await again.stop()
})

test('there is nothing to rotate where there is no such secret', () => {
  expect(() => server.rotate('other', 'x')).toThrow('There is no secret other')
})

describe('the key of customers’ tokens', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'customer-key-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  test('is made once, also by many at once, and only its owner may read it', async () => {
    const inner = join(dir, 'new')
    const made = await Promise.all(Array.from({ length: 8 }, () => openCustomerKey(inner)))
    expect(new Set(made).size).toBe(1)
    expect(made[0]).toMatch(/^[\w-]{64}$/)
    expect(await openCustomerKey(inner)).toBe(made[0])
    expect(await readdir(inner)).toEqual(['customer-key'])
    expect((await stat(join(inner, 'customer-key'))).mode & 0o777).toBe(0o600)
    expect(await openCustomerKey(join(dir, 'other'))).not.toBe(made[0])
  })

  test.each(['', '\n', 'x'.repeat(31)])('that is no key (%j) is not replaced in silence', async (text) => {
    const file = join(dir, 'customer-key')
    await writeFile(file, text)
    await expect(openCustomerKey(dir)).rejects.toThrow(`${file} holds no key of 32 characters. Delete it`)
    expect(await readFile(file, 'utf8')).toBe(text)
  })
})
