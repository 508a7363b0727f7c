import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Console, startConsole } from '../../infra/console/server.ts'

const config = {
  agent_url: 'ws://127.0.0.1:4000/v1',
  customer_url: 'wss://customers.example/v1',
  license_id: 'demo',
  agents: [{ id: 'nora', token: 'secret-token', permission: 'normal' }],
}
let served: Console
let port: number
beforeAll(async () => {
  served = await startConsole(config, 0)
  port = Number(new URL(served.url).port)
})
afterAll(() => served.stop())

/** The path goes out as it is, which `fetch` would tidy up. */
const get = async (path: string, { method = 'GET', ...headers }: Record<string, string> = {}) => {
  const sent = request({ host: '127.0.0.1', port, path, method, headers }).end()
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode as number, headers: response.headers, body }
}

describe("the console's server", () => {
  test('serves the page, its script, its style and its icon, each with its type', async () => {
    const answers = await Promise.all(
      ['/', '/console.js', '/console.css', '/icon.svg'].map((path) => get(path)),
    )
    expect(answers.map(({ status, headers }) => [status, headers['content-type']])).toEqual([
      [200, 'text/html; charset=utf-8'],
      [200, 'text/javascript; charset=utf-8'],
      [200, 'text/css; charset=utf-8'],
      [200, 'image/svg+xml; charset=utf-8'],
    ])
    expect((await get('/?from=a-bookmark')).status).toBe(200)
    const { status, body } = await get('/', { method: 'HEAD' })
    expect([status, body]).toEqual([200, ''])
  })

  test('lets the page run its own files alone, and reach the two endpoints alone', async () => {
    for (const path of ['/', '/console.js', '/config.json', '/nothing']) {
      const { headers } = await get(path)
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
          "connect-src 'self' ws://127.0.0.1:4000/v1 wss://customers.example/v1; base-uri 'none'; " +
          "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
      )
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
      })
      expect(headers['access-control-allow-origin']).toBeUndefined()
    }
    const { body } = await get('/')
    expect(body).not.toMatch(/<style|<script(?![^>]* src=)|\son\w+=|\sstyle=/)
  })

  test('answers to its own name alone, so that no other name can be made to lead to it', async () => {
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`])
      expect((await get('/config.json', { host })).status).toBe(200)
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1:${port + 1}`]) {
      const { status, body } = await get('/config.json', { host })
      expect([host, status]).toEqual([host, 421])
      expect(body).not.toContain('secret-token')
    }
  })

  test('gives its tokens to its own page, and to no page of another origin', async () => {
    expect(JSON.parse((await get('/config.json', { 'sec-fetch-site': 'same-origin' })).body)).toEqual(config)
    for (const site of ['cross-site', 'same-site', 'none']) {
      const { status, body } = await get('/config.json', { 'sec-fetch-site': site })
      expect([site, status]).toEqual([site, 403])
      expect(body).not.toContain('secret-token')
    }
  })

  test('knows no other file, however it is asked for, and no other method', async () => {
    const paths = [
      '/package.json',
      '/../package.json',
      '/%2e%2e/package.json',
      '//etc/passwd',
      '/console.js/',
    ]
    for (const path of [...paths, '/console.js/../../../package.json', '/__proto__', '*'])
      expect([path, (await get(path)).status]).toEqual([path, 404])
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect([method, (await get('/config.json', { method })).status]).toEqual([method, 405])
  })

  test('listens on loopback alone', async () => {
    const outside = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4')
      .map(({ address }) => address)
    // all of 127.0.0.0/8 is this machine on Linux: a server on any address would answer there
    if (process.platform === 'linux') outside.push('127.0.0.2')
    for (const address of outside) {
      const [error] = await once(connect(port, address), 'error')
      expect([address, error.code]).toEqual([address, 'ECONNREFUSED'])
    }
    const own = connect(port, '127.0.0.1')
    await once(own, 'connect')
    own.destroy()
  })
})

describe('the page', () => {
  test('is small, and holds no map, no address of a machine and no token', async () => {
    const { body } = await get('/console.js')
    expect(body.length).toBeGreaterThan(30_000)
    expect(body.length).toBeLessThan(90_000)
    expect((await get('/console.css')).body.length).toBeLessThan(20_000)
    expect(body).not.toMatch(/sourceMappingURL|127\.0\.0\.1|secret-token/)
  })

  test('nowhere makes markup or code of a text', () => {
    const folder = join(import.meta.dirname, '../../infra/console/page')
    const sources = globSync('*.{ts,tsx,html}', { cwd: folder })
    expect(sources.length).toBeGreaterThan(20)
    for (const name of sources)
      expect([name, readFileSync(join(folder, name), 'utf8')]).toEqual([
        name,
        expect.not.stringMatching(
          /innerHTML|outerHTML|dangerouslySet|insertAdjacent|document\.write|DOMParser|createContextual|\beval\b|new Function|srcdoc|javascript:/i,
        ),
      ])
  })
})

describe('npm run console', () => {
  const start = (...flags: string[]) => {
    const cwd = join(import.meta.dirname, '../..')
    return spawn(process.execPath, ['infra/run.mjs', 'infra/console/main.ts', ...flags], { cwd })
  }
  const endpoints = ['--agent-url', 'wss://agents.example/v1', '--customer-url', 'wss://customers.example/v1']

  test(
    'serves the console for a deployed stack, whose agents have tokens of their own',
    { tags: ['full'] },
    async () => {
      const run = start(...endpoints, '--license', 'acme', '--port', '0')
      const [line] = await once(run.stdout, 'data')
      const [, url] = /^The console is at (http:\/\/127\.0\.0\.1:\d+\/)\n/.exec(String(line)) ?? []
      const response = await fetch(`${url}config.json`)
      expect(await response.json()).toEqual({
        ...{ agent_url: 'wss://agents.example/v1', customer_url: 'wss://customers.example/v1' },
        ...{ license_id: 'acme', agents: [] },
      })
      run.kill('SIGTERM')
      expect(await once(run, 'close')).toEqual([0, null])
    },
  )

  test.each([
    [endpoints, '--customer-url and --license belong together'],
    [['--agent-url', 'https://agents.example'], 'begins with wss://'],
  ])('says of %j that %s', async (flags, sentence) => {
    const run = start(...flags)
    const [said, [code]] = await Promise.all([text(run.stderr), once(run, 'close')])
    expect(said).toContain(sentence)
    expect(code).toBe(1)
  })
})
