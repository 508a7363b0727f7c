import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { startEngine } from '../../infra/local/engine/engine.ts'
import { playHere } from '../client/scenario-tests.ts'
import { executablePath } from '../console/page.ts'
import { openScenarioPage } from '../console/scenario-page.ts'
import { Client } from '../support/client.ts'
import { startEngineProxy } from '../support/engine-proxy.ts'
import {
  allGone,
  childrenOf,
  closed,
  complaintOf,
  listening,
  login,
  noEngineOn,
  openCustomer,
  ownDir,
  start,
  startJson,
  startMs,
  steadyPort,
  writeSharedBundles,
} from './npm-start.ts'

// the first test imports the bundles that ship, which takes seconds
const dist = await mkdtemp(join(tmpdir(), 'agent-chat-bundles-'))
afterAll(() => rm(dist, { recursive: true }))
await writeSharedBundles(dist)
const built = ['--dist', dist]
const event = { type: 'message', text: 'still here' }

/**
 * Nina's app, here and in a browser where there is one, each of which says something while a server is away.
 */
const playRestart = async (agent_url: string, token: string, chat_id: string) => {
  const plays = [playHere, ...(executablePath === undefined ? [] : [(await openScenarioPage()).play])]
  const points = {
    online: { reached: 0, passed: Promise.withResolvers<void>() },
    sent: { reached: 0, passed: Promise.withResolvers<void>() },
  }
  const stage = {
    agentUrl: agent_url,
    token: () => Promise.resolve(token),
    settled: () => Promise.resolve(),
    reach: async (name: string) => {
      const point = points[name as keyof typeof points]
      point.reached += 1
      await point.passed.promise
    },
  }
  const own = plays.map((_, n) => `said by ${n}`)
  const all = own.map((text, n) => plays[n]!(stage, 'outliveRestart', chat_id, text, own))
  const facts = Promise.all(all)
  facts.catch(() => {})
  return {
    own,
    facts,
    hasReached: (name: keyof typeof points) =>
      vi.waitUntil(() => points[name].reached === plays.length, { timeout: 30_000 }),
    pass: (name: keyof typeof points) => points[name].passed.resolve(),
  }
}

describe('npm start', () => {
  test(
    'bundles the functions, and names its engine, its address and a token for each agent, for people to copy',
    // it bundles too
    { timeout: 2 * startMs },
    async () => {
      const dir = await ownDir()
      const run = start(dir, ['--port', '0'])
      expect(await run.line()).toMatch(/^Ready\. Agents connect to ws:\/\/127\.0\.0\.1:\d+\/v1$/)
      await vi.waitFor(() => expect(run.output()).toContain('--fresh'), { timeout: 30_000 })
      expect(run.output()).toContain('the embedded engine')
      expect(run.output()).toMatch(/^ +customers connect to ws:\/\/127\.0\.0\.1:\d+\/v1\?license_id=demo$/m)
      expect(run.output()).toMatch(/^ +the console is at +http:\/\/127\.0\.0\.1:\d+\/$/m)
      const [, url = ''] = /connect to (\S+)/.exec(run.output()) ?? []
      const [, token = ''] = /^ +nina +normal +(\S+)$/m.exec(run.output()) ?? []
      await rm(join(dir, 'dist'), { recursive: true })
      const client = await Client.open(url)
      expect((await client.ok('login', { token })).my_profile.id).toBe('nina')
      // one line a request
      await vi.waitFor(() => expect(run.output()).toMatch(/Z agents +login +\S+ +[\d.]+ ms {2}ok\n/), {
        timeout: 30_000,
      })
      const children = await childrenOf(run)
      expect(await run.end('SIGINT')).toBe(0)
      await allGone(children)
      expect(await client.closing()).toBe(1001)
      expect(existsSync(join(dir, 'stack.json'))).toBe(false)
    },
  )

  test('leaves no process behind where it ends before it is ready', { timeout: startMs }, async () => {
    const dir = await ownDir()
    const run = start(dir, ['--json', '--port', '0', ...built])
    const children = await vi.waitFor(
      async () => {
        // a look at the folder costs less than one at all processes
        expect(existsSync(join(dir, 'data'))).toBe(true)
        const found = await childrenOf(run)
        expect(found.length).toBeGreaterThan(0)
        return found
      },
      { timeout: 30_000 },
    )
    expect(await run.end('SIGINT')).toBe(0)
    await allGone(children)
    expect(run.output()).toBe('')
  })
})

test(
  'a restart keeps data and tokens; nobody of the run before is online, however that ended; --fresh begins anew',
  { timeout: 4 * startMs },
  async () => {
    const dir = await ownDir()
    const first = await startJson(dir, built)
    const [nora] = await login(first, 'nora')
    const { chat } = await nora.ok('start_chat')
    const sent = await nora.ok('send_event', { chat_id: chat.id, event })
    const customer = await openCustomer(first)
    const { customer_id, token } = await customer.ok('login', { customer: { name: 'Kim' } })
    const { chat: own } = await customer.ok('start_chat')
    expect(await first.end('SIGTERM')).toBe(0)

    const { server, port } = await listening()
    await closed(server)
    const agentPort = String(await steadyPort())
    const second = await startJson(dir, [
      ...['--port', agentPort, '--customer-port', String(port), '--no-console'],
      ...built,
    ])
    expect(second.console_url).toBeUndefined()
    expect(new URL(second.customer_url).port).toBe(String(port))
    expect(second.license_id).toBe(first.license_id)
    const [noah, found] = await login({ ...second, agents: first.agents }, 'noah')
    expect(found.chats_summary.find(({ id }: { id: string }) => id === chat.id)).toMatchObject({
      last_thread_summary: { active: true, events_count: 1, last_event_per_type: [sent.event] },
    })
    const online = (agents: any[]) =>
      agents.filter(({ routing_status }) => routing_status).map(({ id }) => id)
    expect(online(found.agents)).toEqual(['noah'])
    const kim = async (run: typeof first) => {
      const [, { chats_summary }] = await login(run, 'olivia')
      const { users } = chats_summary.find(({ id }: { id: string }) => id === own.id)
      return users.find(({ id }: { id: string }) => id === customer_id)
    }
    expect(await kim(second)).toMatchObject({ online: false })
    await login(second, 'nora')
    await noah.eventually('agent_updated', ({ agent_id }) => agent_id === 'nora')
    const again = await openCustomer(second)
    expect(await again.ok('login', { token })).toMatchObject({ customer_id, total_chats: 1 })
    expect(await kim(second)).toMatchObject({ name: 'Kim', online: true })
    const [joining] = await login(second, 'nina')
    await joining.ok('join_chat', { chat_id: chat.id, agent_ids: ['nina'] })
    const ninas = first.agents.find(({ id }) => id === 'nina')?.token ?? ''
    const apps = await playRestart(second.agent_url, ninas, chat.id)
    await apps.hasReached('online')
    const children = await childrenOf(second)
    await second.end('SIGKILL')
    await allGone(children)
    apps.pass('online')
    await apps.hasReached('sent')

    const third = await startJson(dir, ['--port', new URL(second.agent_url).port, ...built])
    apps.pass('sent')
    for (const [n, { answer, recovered, held, orders }] of (await apps.facts).entries()) {
      expect([answer, recovered]).toEqual([[apps.own[n]], { recovered: true }])
      expect(held).toEqual([...apps.own, event.text])
      expect(orders).toEqual(held.map((_, index) => index + 1).concat(held.length + 1))
    }
    const [nina, answer] = await login(third, 'nina')
    expect(online(answer.agents)).toEqual(['nina'])
    expect(await kim(third)).toMatchObject({ online: false })
    // it counts as coming online again, and so is told
    await login(third, 'nora')
    expect(await nina.eventually('agent_updated', ({ agent_id }) => agent_id === 'nora')).toMatchObject({
      routing_status: 'accepting_chats',
    })
    expect(await third.end('SIGTERM')).toBe(0)

    const fourth = await startJson(dir, ['--fresh', ...built])
    expect((await login(fourth, 'nora'))[1].chats_summary).toEqual([])
    const anew = await openCustomer(fourth)
    expect(await anew.ok('login', { token })).toMatchObject({ customer_id, total_chats: 0 })
    expect(await fourth.end('SIGTERM')).toBe(0)
  },
)

describe('a start that cannot be', () => {
  test(
    'because another one that is under way has the port says so before it begins anything, and the other goes on',
    { timeout: 2 * startMs },
    async () => {
      const engine = await startEngine({ env: { ...process.env, DYNAMODB_ENGINE: 'embedded' } })
      onTestFinished(() => engine.stop())
      const proxy = await startEngineProxy(engine.endpoint)
      onTestFinished(() => proxy.stop())
      const [reached, over] = [Promise.withResolvers<void>(), Promise.withResolvers<undefined>()]
      onTestFinished(() => over.resolve(undefined))
      proxy.setFault(({ operation }) => {
        if (operation !== 'CreateTable') return undefined
        reached.resolve()
        return over.promise
      })
      const { server, port } = await listening()
      await closed(server)
      const flags = ['--json', '--port', String(port), '--customer-port', '0', ...built]
      const endpoint = { DYNAMODB_ENGINE: 'endpoint', DYNAMODB_ENDPOINT: proxy.endpoint }
      const first = start(await ownDir(), flags, endpoint)
      await reached.promise
      const dir = await ownDir()
      expect(await complaintOf(start(dir, flags))).toContain(`Port ${port} on 127.0.0.1 is in use`)
      expect(existsSync(join(dir, 'data'))).toBe(false)
      over.resolve(undefined)
      expect(await first.line()).toContain(`:${port}/`)
      expect(await first.end('SIGTERM')).toBe(0)
    },
  )

  test('because something else has the port says which port, and touches nothing', async () => {
    const dir = await ownDir()
    const { server, port } = await listening()
    onTestFinished(() => void server.close())
    for (const ports of [
      ['--port', String(port)],
      ['--port', '0', '--customer-port', String(port)],
      ['--port', '0', '--console-port', String(port)],
    ]) {
      expect(await complaintOf(start(dir, [...ports, '--fresh']))).toBe(
        `Port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another port.`,
      )
      expect(existsSync(join(dir, 'data'))).toBe(false)
    }
  })

  test(
    'for want of an engine, of a port or of bundles says so, and leaves nothing running',
    { timeout: startMs },
    async () => {
      const dir = await ownDir()
      const anyPort = ['--port', '0', ...built]
      expect(await complaintOf(start(dir, anyPort, { DYNAMODB_ENGINE: 'oracle' }))).toContain(
        'DYNAMODB_ENGINE is "oracle"',
      )
      expect(await complaintOf(start(dir, ['--port', '70000']))).toContain('A port is a number from 0')
      // the engine has begun by then
      expect(await complaintOf(start(dir, ['--port', '0', '--dist', join(dir, 'none')]))).toContain(
        'npm run build makes it',
      )
      expect(existsSync(join(dir, 'data'))).toBe(true)
      await noEngineOn(dir)
    },
  )
})
