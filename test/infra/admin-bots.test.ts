import { createLocalJWKSet, jwtVerify } from 'jose'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agentRecord } from '../../infra/admin/data/export-records.ts'
import { startKeyServer } from '../../infra/local/secrets/key-server.ts'
import {
  clientSecretOf,
  openTokenKey,
  publicJwks,
  type TokenKey,
} from '../../infra/local/secrets/token-key.ts'
import { AgentItem } from '../../shared/table/accounts.ts'
import { setBotStatus } from '../../shared/table/agent-status.ts'
import { keys } from '../../shared/table/keys.ts'
import { startEngines } from '../support/engines.ts'
import { type AdminWorld, issuer, openAdminWorld } from './admin-world.ts'

const [engine] = await startEngines()
if (engine === undefined) throw new Error('No engine')
let world: AdminWorld
let key: TokenKey
beforeAll(async () => {
  world = await openAdminWorld(engine.endpoint)
  key = await openTokenKey(world.localDir)
})
afterAll(async () => {
  await world.close()
  await engine.stop()
})

const create = (license: string, ...argv: string[]) =>
  world.admin('agent', 'create', license, '--id', 'robin', '--name', 'Robin', ...argv)
const pool = ['--table', 'agent-chat', '--user-pool', 'us-east-1_AbCdEf123']

test('agent create --bot writes a bot, whom agent show and the export describe', async () => {
  const license = await world.license()
  const { code, out } = await create(license, '--bot', '--priority', 'last', '--subject', `client-${license}`)
  expect([code, out]).toEqual([
    0,
    `Created agent robin of license ${license}: Robin, bot, priority last.\n` +
      `The subject client-${license} of ${issuer} logs in as it.\n` +
      `A token for it: npm run -s admin -- token robin --license ${license}\n`,
  ])
  const item = await world.table.read.get(keys.agent(license, 'robin'))
  expect(item).toMatchObject({ bot: true, priority: 'last', version: 1 })
  const shown = (await world.admin('agent', 'show', license, 'robin')).out
  expect(shown).toMatch(/^ *bot +its priority is last$/m)
  expect(shown).not.toMatch(/status after login/)
  const record = agentRecord(AgentItem.parse(item))
  expect(record).toMatchObject({ record: 'agent', bot: true, priority: 'last', online: false })
  expect(record).not.toHaveProperty('status_after_login')
})

test('agent set --priority changes it; a person and a deleted bot have none', async () => {
  const license = await world.license()
  await create(license, '--bot')
  expect(await world.json('agent', 'set', license, 'robin', '--priority', 'first')).toMatchObject({
    ...{ bot: true, priority: 'first', version: 2 },
  })
  expect(await world.admin('agent', 'set', license, 'robin', '--status', 'accepting_chats')).toMatchObject({
    code: 1,
    err: `error: Agent robin of license ${license} is a bot, and has no --status after login: it sets its own with update_agent.\n`,
  })
  await world.json('agent', 'create', license, '--id', 'ana', '--name', 'Ana')
  expect(await world.admin('agent', 'set', license, 'ana', '--priority', 'last')).toMatchObject({
    code: 1,
    err: `error: Agent ana of license ${license} is a person, and people have no --priority: routing asks them by load.\n`,
  })
  await world.admin('agent', 'delete', license, 'robin')
  const deleted = await world.table.read.get(keys.agent(license, 'robin'))
  // what it was is shown of its chats for good
  expect(deleted).toMatchObject({ deleted: true, online: false, bot: true })
  expect(deleted).not.toHaveProperty('priority')
})

test.each([
  [
    ['--priority', 'first'],
    '--priority: People have no priority: routing asks them by load. Add --bot, or leave it out.',
  ],
  [['--bot', '--priority', 'second'], '--priority: A priority is one of first, normal, last.'],
  [
    ['--bot', '--status', 'accepting_chats'],
    '--status: A bot has no status after login: it sets its own with update_agent.',
  ],
  [['--bot', ...pool], '--bot: Which client of the pool is it? Add --subject <client id>.'],
])('agent create %j is refused', async (options, sentence) => {
  expect(await create('acme', ...options)).toEqual({ code: 2, out: '', err: `error: ${sentence}\n` })
})

test('suspending a bot takes it offline, and resuming leaves it so', async () => {
  const license = await world.license()
  await create(license, '--bot')
  const at = keys.agent(license, 'robin')
  await world.table.write.write(setBotStatus(license, 'robin', 'accepting_chats', 'n'))
  for (const verb of ['suspend', 'resume']) {
    await world.admin('agent', verb, license, 'robin')
    expect(await world.table.read.get(at)).toMatchObject({ online: false, suspended: verb === 'suspend' })
  }
})

describe('the local token endpoint', () => {
  let server: Awaited<ReturnType<typeof startKeyServer>>
  beforeAll(async () => {
    server = await startKeyServer({ key, issuer, audience: 'agent-chat' })
  })
  afterAll(() => server.stop())

  const ask = async (id: string, secret: string, form: Record<string, string>) => {
    const response = await fetch(server.tokenUrl, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams(form),
    })
    const body: any = await response.json()
    return { status: response.status, body }
  }
  const grant_type = 'client_credentials'

  test('gives a bot the tokens that agent create says how to get', async () => {
    const license = await world.license()
    const file = join(world.localDir, 'stack.json')
    const stack = await readFile(file, 'utf8')
    await writeFile(file, JSON.stringify({ ...JSON.parse(stack), token_url: server.tokenUrl }))
    const { out } = await create(license, '--bot')
    await writeFile(file, stack)
    const secret = clientSecretOf(key, `${license}/robin`)
    expect(out).toContain(
      `Or: curl -u '${license}/robin:${secret}' -d grant_type=client_credentials ${server.tokenUrl}\n`,
    )
    const { status, body } = await ask(`${license}/robin`, secret, { grant_type, scope: 'chats--my:read' })
    expect([status, body]).toMatchObject([200, { token_type: 'Bearer', expires_in: 3600 }])
    const keySet = createLocalJWKSet(publicJwks(key))
    const { payload } = await jwtVerify(body.access_token, keySet, { issuer, audience: 'agent-chat' })
    const sub = `${license}/robin`
    expect(payload).toMatchObject({ sub, client_id: sub, scope: 'chats--my:read' })
  })

  test.each([
    ['with another secret', 'robin', 'wrong', { grant_type }, 401, 'invalid_client'],
    ['with the secret of another', 'robin', undefined, { grant_type }, 401, 'invalid_client'],
    ['without an id', '', '', { grant_type }, 401, 'invalid_client'],
    ['for another grant', 'robin', '', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['with what is no text', '%', '', { grant_type }, 400, 'invalid_request'],
  ])('refuses one who comes %s', async (_, id, secret, form, status, error) => {
    const given = secret ?? clientSecretOf(key, 'another')
    expect(await ask(id, given, form)).toEqual({ status, body: { error } })
  })
})
