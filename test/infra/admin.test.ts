import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runAdmin } from '../../infra/admin/main.ts'
import { freshTable, startEngines } from '../support/engines.ts'
import { issuer } from './admin-world.ts'

const [engine] = await startEngines()
if (engine === undefined) throw new Error('No engine')
afterAll(() => engine.stop())

let localDir: string
beforeEach(async () => {
  localDir = await mkdtemp(join(tmpdir(), 'admin-'))
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
  vi.stubEnv('AWS_REGION', undefined)
  vi.stubEnv('AWS_CONFIG_FILE', join(localDir, 'none'))
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(localDir, 'none'))
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(localDir, { recursive: true })
})

async function admin(argv: string[], env: NodeJS.ProcessEnv = {}) {
  let [out, err] = ['', '']
  const code = await runAdmin(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env,
    localDir,
    now: () => Date.now(),
  })
  return { code, out, err }
}

const stackSays = (stack: object | string) =>
  writeFile(join(localDir, 'stack.json'), typeof stack === 'string' ? stack : JSON.stringify(stack))

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

describe('admin', () => {
  const commands = [
    [],
    ['license'],
    ...['create', 'list', 'show', 'set'].map((name) => ['license', name]),
    ['group'],
    ...['create', 'list', 'set', 'delete'].map((name) => ['group', name]),
    ['agent'],
    ...['create', 'list', 'show', 'set', 'suspend', 'resume', 'delete'].map((name) => ['agent', name]),
    ['customer'],
    ...['list', 'show'].map((name) => ['customer', name]),
    ['reindex'],
    ['token'],
  ]
  it.each(commands)('%s %s --help says how it is used', async (...command) => {
    const { code, out, err } = await admin([...command, '--help'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(`Usage: ${['npm run admin --', ...command].join(' ')}`)
    expect(out).toContain('--table <name>')
    // a noun alone only lists its commands
    if (!['license', 'group', 'agent', 'customer'].includes(command.at(-1) ?? ''))
      expect(out).toMatch(/Examples?:\n {2}npm run (-s )?admin -- /)
  })

  it.each([
    [[], /^Usage: npm run admin --/],
    [['license'], /^Usage: npm run admin -- license/],
    [
      ['licens'],
      /^error: unknown command 'licens'\n\(Did you mean license\?\)\n\(--help shows what there is\)\n$/,
    ],
    [['license', 'show'], /^error: missing required argument 'license'\n\(--help shows what there is\)\n$/],
    [['license', 'list', '--all'], /^error: unknown option '--all'\n/],
    [['license', 'list', 'acme'], /^error: too many arguments/],
    [
      ['license', 'list', '--region', 'eu-west-1'],
      /^error: --region is for a deployed table: name it with --table\.\n$/,
    ],
  ])('ends %s with exit code 2', async (argv, sentence) => {
    const { code, out, err } = await admin(argv)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(sentence)
  })

  it('runs as a program', async () => {
    const program = join(import.meta.dirname, '../../infra/admin/main.ts')
    const run = promisify(execFile)
    await expect(run(process.execPath, [program, 'licens'])).rejects.toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining("unknown command 'licens'"),
    })
  })
})

describe('admin on the local table', () => {
  it('says that the stack is not running', async () => {
    expect(await admin(['license', 'list'])).toEqual({
      code: 1,
      out: '',
      err: 'error: The local stack is not running. Start it with npm start, or name a deployed table with --table.\n',
    })
  })

  it('says so too where it ended without a word', async () => {
    const endpoint = `http://127.0.0.1:${await closedPort()}`
    await stackSays({ endpoint, table: 'agent-chat', issuer, audience: 'agent-chat' })
    expect(await admin(['license', 'list'])).toEqual({
      code: 1,
      out: '',
      err: `error: Nothing answers at ${endpoint}: the local stack is not running. Start it with npm start, or name a deployed table with --table.\n`,
    })
  })

  it('uses DYNAMODB_ENDPOINT rather than what the stack said', async () => {
    const { client, tableName } = await freshTable(engine.endpoint)
    await stackSays({
      endpoint: `http://127.0.0.1:${await closedPort()}`,
      table: tableName,
      issuer,
      audience: 'x',
    })
    expect(await admin(['license', 'list'], { DYNAMODB_ENDPOINT: engine.endpoint })).toMatchObject({
      code: 0,
      out: 'There are no licenses.\n',
    })
    client.destroy()
  })

  it('says that an engine has no table', async () => {
    await stackSays({ endpoint: engine.endpoint, table: 'no-table', issuer, audience: 'x' })
    const sentence = `error: The engine at ${engine.endpoint} has no table no-table. npm start makes it.\n`
    for (const argv of [
      ['license', 'list'],
      ['license', 'create'],
      ['agent', 'show', 'a', 'b'],
    ])
      expect(await admin(argv)).toEqual({ code: 1, out: '', err: sentence })
  })

  it.each(['{', '{}'])('says that what the stack said cannot be read: %s', async (text) => {
    await stackSays(text)
    const { code, err } = await admin(['license', 'list'])
    expect(code).toBe(1)
    expect(err).toMatch(/^error: .*stack\.json cannot be read\. npm start writes it anew\.\n$/)
  })
})

describe('admin on a deployed table', () => {
  beforeEach(() => {
    vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', engine.endpoint)
  })

  it('takes the region and the credentials of the environment', async () => {
    const { client, tableName } = await freshTable(engine.endpoint)
    vi.stubEnv('AWS_REGION', 'us-east-1')
    const created = await admin(['license', 'create', '--id', 'acme', '--table', tableName])
    expect(created).toMatchObject({ code: 0, err: '' })
    expect((await admin(['--table', tableName, 'license', 'list'])).out).toContain('acme')
    client.destroy()
  })

  it('asks for a region', async () => {
    expect(await admin(['license', 'list', '--table', 't'])).toEqual({
      code: 2,
      out: '',
      err: 'error: In which region is the table? Say it with --region, or set AWS_REGION.\n',
    })
  })

  it('says that there is no such table', async () => {
    expect(await admin(['license', 'list', '--table', 'no-table', '--region', 'us-east-1'])).toEqual({
      code: 1,
      out: '',
      err: "error: There is no table no-table in us-east-1. The stack's output names it; --region chooses another region.\n",
    })
  })

  it('says that there are no credentials', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
    const { code, err } = await admin(['license', 'list', '--table', 't', '--region', 'us-east-1'])
    expect(code).toBe(1)
    expect(err).toMatch(
      /^error: No AWS credentials were found\. Set AWS_PROFILE, or log in as you do for cdk deploy\./,
    )
  })
})
