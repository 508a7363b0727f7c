import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Metafile } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { build, handlers } from '../../infra/build.ts'
import { agentActions, httpActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'

const kB = 1000
let dir: string
let metafile: Metafile
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agent-chat-bundles-'))
  metafile = await build(dir)
  // sixty bundles, minified: 6 s of both cores where they are free
}, 90_000)
afterAll(() => rm(dir, { recursive: true }))

const names = handlers()
const isAction = (name: string): boolean => /^(agent|customer)\//.test(name)
const fileOf = (name: string): string => join(dir, name, 'index.mjs')

/** The files that a bundle holds something of. */
const contents = (name: string): string[] => {
  const [, output] =
    Object.entries(metafile.outputs).find(([file]) => file.endsWith(`/${name}/index.mjs`)) ?? []
  if (output === undefined) throw new Error(`There is no bundle of ${name}`)
  return Object.entries(output.inputs)
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([file]) => file)
}
const within = (name: string, part: string): string[] => contents(name).filter((file) => file.includes(part))

describe('the bundles', () => {
  test('import, from our own files, exactly what package.json calls dependencies', () => {
    const ours = Object.entries(metafile.inputs).filter(([file]) => /^(functions|shared|infra)\//.test(file))
    const packages = ours.flatMap(([, { imports }]) =>
      imports.flatMap(({ original = '.', external }) =>
        external === true || original.startsWith('.')
          ? []
          : original
              .split('/')
              .slice(0, original.startsWith('@') ? 2 : 1)
              .join('/'),
      ),
    )
    const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect([...new Set(packages)].toSorted()).toEqual(Object.keys(dependencies).toSorted())
  })

  test('are one per handler, and one per action of the tables', () => {
    expect(Object.keys(metafile.outputs)).toHaveLength(names.length)
    expect(names.filter(isAction)).toEqual(
      [
        ...agentActions.map(({ name }) => `agent/${name}`),
        ...customerActions.map(({ name }) => `customer/${name}`),
      ].toSorted(),
    )
    expect(names.filter((name) => name.startsWith('socket/'))).toEqual([
      ...['socket/connect', 'socket/connect-customer', 'socket/default', 'socket/disconnect'],
    ])
  })

  test.each(names)('%s stays within its size', async (name) => {
    const { size } = await stat(fileOf(name))
    expect(size).toBeLessThanOrEqual((name.startsWith('worker/') ? 800 : 460) * kB)
  })

  test.each(names)('%s holds no contract but its own, and no table of actions', (name) => {
    const own = isAction(name) ? [`shared/protocol/${name}.ts`] : []
    expect(contents(name).filter((file) => /^shared\/protocol\/(agent|customer)\//.test(file))).toEqual(own)
  })

  test.each(names)('%s holds nothing that only building or testing needs', (name) => {
    for (const part of [
      'aws-cdk',
      'node_modules/constructs/',
      'commander',
      'node_modules/ws/',
      'esbuild',
      'test/',
    ])
      expect(within(name, part), part).toEqual([])
    expect(contents(name).filter((file) => file.startsWith('infra/'))).toEqual(
      within(name, 'infra/lambda-credentials.ts'),
    )
    expect(within(name, 'asyncapi')).toEqual([])
  })

  test.each(names)('%s holds zod mini with one locale, not the classic one', (name) => {
    expect(within(name, 'node_modules/zod/v4/classic/')).toEqual([])
    expect(within(name, 'node_modules/zod/v3/')).toEqual([])
    expect(within(name, '/locales/').filter((file) => !file.endsWith('/locales/en.js'))).toEqual([])
    expect(within(name, 'json-schema')).toEqual([])
  })

  test.each([
    [
      'node_modules/jose/',
      [...httpActions.map(({ name }) => `agent/${name}`), 'agent/login', 'customer/login'].toSorted(),
    ],
    ['@aws-sdk/client-secrets-manager/', ['customer/login', 'socket/connect-customer', 'worker/notify']],
    ['node_modules/google-auth-library/', ['worker/notify']],
  ])('hold %s where it is used and nowhere else', (part, expected) => {
    expect(names.filter((name) => within(name, part).length > 0)).toEqual(expected)
  })

  test.each(names)('%s looks for credentials in its environment only', (name) => {
    for (const part of ['credential-provider-sso', 'credential-provider-ini', 'client-sso', 'client-cognito'])
      expect(within(name, `@aws-sdk/${part}`), part).toEqual([])
  })
})

describe('a cold start', () => {
  const env = {
    ...{ AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', TABLE_NAME: 't' },
    ...{ AGENT_CALLBACK_URL: 'https://a.example.com/v1', LATER_QUEUE_URL: 'https://q.example.com/1/later' },
    ...{ CUSTOMER_CALLBACK_URL: 'https://c.example.com/v1', CUSTOMER_KEY_SECRET_ID: 'key' },
    ...{
      TOKEN_ISSUER: 'https://i.example.com',
      TOKEN_AUDIENCE: 'a',
      TOKEN_JWKS_URL: 'https://i.example.com/jwks',
    },
  }
  const importing = (file: string) =>
    `const from = performance.now()
    const { handler } = await import(${JSON.stringify(pathToFileURL(file).href)})
    process.stdout.write(JSON.stringify({ ms: performance.now() - from, handler: typeof handler }))`

  const importEach = async (some: readonly string[]) => {
    for (const name of some) {
      const args = ['--input-type=module', '--eval', importing(fileOf(name))]
      const { stdout } = await promisify(execFile)(process.execPath, args, { env, cwd: dir })
      const { ms, handler } = JSON.parse(stdout)
      expect(handler, name).toBe('function')
      const { size } = await stat(fileOf(name))
      process.stdout.write(
        `${name.padEnd(36)} ${String(Math.round(size / kB)).padStart(4)} kB, imported in ${ms.toFixed(0).padStart(4)} ms\n`,
      )
    }
  }
  test('finds a handler in a bundle, by itself, with the environment that the stack sets', () =>
    importEach(['agent/send_event']))
  test('finds one in every bundle', { tags: ['full'] }, () => importEach(names))
})
