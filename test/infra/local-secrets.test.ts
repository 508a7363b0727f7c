import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSecretServer } from '../../infra/local/secret-server.ts'

let server: Awaited<ReturnType<typeof startSecretServer>>
let client: SecretsManagerClient
beforeAll(async () => {
  server = await startSecretServer({ fcm: '{"a":1}' })
  client = new SecretsManagerClient({
    endpoint: server.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
})
afterAll(async () => {
  client.destroy()
  await server.stop()
})
const valueOf = async (SecretId: string) =>
  (await client.send(new GetSecretValueCommand({ SecretId }))).SecretString

test('the local secrets are given out by their names, as the SDK reads them', async () => {
  expect(await valueOf('fcm')).toBe('{"a":1}')
})

test.each(['other', 'toString', '__proto__'])('%s is no secret', async (name) => {
  await expect(valueOf(name)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
})
