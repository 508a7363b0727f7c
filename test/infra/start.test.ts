import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { bundlesIn, openHandlers } from '../../infra/local/handlers.ts'
import { Client, type CustomerClient } from '../support/client.ts'

const root = join(import.meta.dirname, '../..')

interface Ready {
  agent_url: string
  customer_url: string
  license_id: string
  agents: { id: string; token: string; permission: string }[]
}

/** What `npm start` runs, as a process of its own. */
interface Run {
  child: ChildProcess
  /** The line that says that it is ready; rejects with what it complained of, where it ended instead. */
  line(): Promise<string>
  output(): string
  complaints(): string
  /** Sends a signal; resolves to the exit code, or the signal that ended it. */
  end(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agent-chat-start-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const start = (flags: string[] = [], env: NodeJS.ProcessEnv = {}): Run => {
  const child = spawn(process.execPath, ['infra/local/main.ts', ...flags], {
    cwd: root,
    env: { ...process.env, DYNAMODB_ENGINE: 'embedded', AGENT_CHAT_LOCAL_DIR: dir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  let output = ''
  let complaints = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (complaints += chunk))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const run: Run = {
    child,
    line: async () => {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`It ended without a line: ${complaints}`)
      return value
    },
    output: () => output,
    complaints: () => complaints,
    end: async (signal) => {
      if (signal !== undefined) child.kill(signal)
      const [code, by] = await ended
      return code ?? by
    },
  }
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) await run.end('SIGKILL')
  })
  return run
}

const startJson = async (flags: string[] = []): Promise<Ready & Run> => {
  const run = start(['--json', '--port', '0', ...flags])
  return { ...run, ...(JSON.parse(await run.line()) as Ready) }
}

const tokenOf = ({ agents }: Ready, id: string): string => {
  const token = agents.find((agent) => agent.id === id)?.token
  if (token === undefined) throw new Error(`There is no ${id}`)
  return token
}

const open = async ({ agent_url }: Ready): Promise<Client> => {
  const client = await Client.open(agent_url)
  onTestFinished(() => client.close())
  return client
}

/** A client logged in, and what the login answered. */
const login = async (ready: Ready, id: string): Promise<[Client, any]> => {
  const client = await open(ready)
  return [client, await client.ok('login', { token: tokenOf(ready, id) })]
}

/** A customer's page, which is not logged in yet. */
const openCustomer = async ({ customer_url, license_id }: Ready): Promise<CustomerClient> => {
  const client = await Client.open(`${customer_url}?license_id=${license_id}`, { as: 'customer' })
  onTestFinished(() => client.close())
  return client
}

/** What listens on a port of its own choice, or on this one. */
const listening = async (wanted = 0): Promise<{ server: Server; port: number }> => {
  const server = createServer().listen(wanted, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { server, port }
}
const closed = async (...servers: Server[]) => {
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
}

/** The pids of all processes that a process has started, and those have. */
const descendants = async (pid: number): Promise<number[]> => {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
  const parents = stdout
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number))
  const below = (one: number): number[] =>
    parents.flatMap(([child, parent]) =>
      parent === one && child !== undefined ? [child, ...below(child)] : [],
    )
  return below(pid)
}

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const childrenOf = ({ child }: Run): Promise<number[]> => descendants(child.pid ?? 0)
/** A machine may be busy: this only ends what would never come. */
const patience = { timeout: 30_000 }
const allGone = (pids: number[]) => vi.waitFor(() => expect(pids.filter(lives)).toEqual([]), patience)

describe('npm start -- --json', () => {
  test('prints one line, with which agents log in and chat', async () => {
    const ready = await startJson()
    expect(Object.keys(JSON.parse(ready.output()))).toEqual([
      ...['agent_url', 'customer_url', 'license_id', 'agents'],
    ])
    for (const url of [ready.agent_url, ready.customer_url])
      expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/v1$/)
    const permissions = ready.agents.map(({ permission }) => permission)
    expect(permissions.filter((one) => one === 'normal').length).toBeGreaterThanOrEqual(3)
    expect(permissions.some((one) => one === 'owner' || one === 'administrator')).toBe(true)

    for (const { id, permission } of ready.agents) {
      const [, { license, my_profile }] = await login(ready, id)
      expect(license.id).toBe(ready.license_id)
      expect(my_profile).toMatchObject({ id, permission })
    }
    const [[nora], [noah]] = [await login(ready, 'nora'), await login(ready, 'noah')]
    const { chat } = await nora.ok('start_chat')
    expect((await noah.next('incoming_chat_thread')).chat.id).toBe(chat.id)
    const event = { type: 'message', text: 'hello' }
    const sent = await nora.ok('send_event', { chat_id: chat.id, event })
    expect((await noah.next('incoming_event')).event).toEqual(sent.event)

    const customer = await openCustomer(ready)
    const { customer_id } = await customer.ok('login', { customer: { name: 'Kim' } })
    const { chat: own } = await customer.ok('start_chat', { chat: { thread: { events: [event] } } })
    const { users } = (await noah.eventually('incoming_chat_thread', ({ chat }) => chat.id === own.id)).chat
    expect(users).toContainEqual(expect.objectContaining({ id: customer_id, name: 'Kim', online: true }))
    await nora.ok('join_chat', { chat_id: own.id, agent_ids: ['nora'] })
    await nora.ok('send_event', { chat_id: own.id, event: { ...event, text: 'hello you' } })
    await customer.eventually('incoming_event', ({ event }) => 'text' in event && event.text === 'hello you')

    expect(ready.output().trim().split('\n')).toHaveLength(1)
    expect(ready.complaints()).toBe('')
    expect(await ready.end('SIGTERM')).toBe(0)
    const log = await readFile(join(dir, 'requests.log'), 'utf8')
    expect(log).toMatch(/^\S+Z agents +send_event +\S+ +[\d.]+ ms {2}ok$/m)
    expect(log).toMatch(/^\S+Z customers start_chat +\S+ +[\d.]+ ms {2}ok$/m)
    expect(log).not.toContain('hello')
  })
})

describe('npm start', () => {
  test('names its engine, its address and a token for each agent, for people to copy', async () => {
    const run = start(['--port', '0'])
    expect(await run.line()).toMatch(/^Ready\. Agents connect to ws:\/\/127\.0\.0\.1:\d+\/v1$/)
    await vi.waitFor(() => expect(run.output()).toContain('--fresh'), patience)
    expect(run.output()).toContain('the embedded engine')
    expect(run.output()).toMatch(/^ +customers connect to ws:\/\/127\.0\.0\.1:\d+\/v1\?license_id=demo$/m)
    const [, url = ''] = /connect to (\S+)/.exec(run.output()) ?? []
    const [, token = ''] = /^ +nina +normal +(\S+)$/m.exec(run.output()) ?? []
    const client = await Client.open(url)
    expect((await client.ok('login', { token })).my_profile.id).toBe('nina')
    await client.close()
    // one line a request
    await vi.waitFor(() => expect(run.output()).toMatch(/Z agents +login +\S+ +[\d.]+ ms {2}ok\n/), patience)
    expect(await run.end('SIGINT')).toBe(0)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('leaves no process behind at %s', async (signal) => {
    const run = await startJson()
    const [client] = await login(run, 'nora')
    const children = await childrenOf(run)
    expect(children.length).toBeGreaterThan(0)
    expect(await run.end(signal)).toBe(0)
    await allGone(children)
    expect(await client.closing()).toBe(1001)
    expect(existsSync(join(dir, 'stack.json'))).toBe(false)
  })

  test('leaves no process behind where it is killed, or ends before it is ready', async () => {
    const run = await startJson()
    const children = await childrenOf(run)
    await run.end('SIGKILL')
    await allGone(children)

    const early = start(['--json', '--port', '0'])
    const begun = await vi.waitFor(async () => {
      const found = await childrenOf(early)
      expect(found.length).toBeGreaterThan(0)
      return found
    }, patience)
    expect(await early.end('SIGINT')).toBe(0)
    await allGone(begun)
    expect(early.output()).toBe('')
  })
})

describe('the port of customers', () => {
  /** Two ports, one after the other, which nothing listens on. */
  const freePair = async (): Promise<number> => {
    for (;;) {
      const first = await listening()
      const second = await listening(first.port + 1).catch(() => undefined)
      await closed(first.server, ...(second ? [second.server] : []))
      if (second !== undefined) return first.port
    }
  }

  test('is the one after that of agents, unless another one is given', async () => {
    const port = await freePair()
    const run = await startJson(['--port', String(port)])
    expect([run.agent_url, run.customer_url].map((url) => Number(new URL(url).port))).toEqual([
      ...[port, port + 1],
    ])
    expect(await run.end('SIGTERM')).toBe(0)
    const other = await startJson(['--customer-port', String(port)])
    expect(new URL(other.customer_url).port).toBe(String(port))
    await (await openCustomer(other)).ok('login')
    expect(await other.end('SIGTERM')).toBe(0)
  })
})

describe('customers', () => {
  test('may do so much in a minute, as deployed', async () => {
    const run = await startJson()
    const customer = await openCustomer(run)
    await customer.ok('login')
    const answers = []
    // of eleven, six are in the same minute, whenever it ends
    for (let n = 0; n < 11; n++) answers.push(await customer.call('start_chat'))
    const refusals = answers.filter(({ success }) => !success)
    expect(answers.length - refusals.length).toBeGreaterThanOrEqual(5)
    expect(refusals.length).toBeGreaterThan(0)
    expect(refusals[0]?.payload).toMatchObject({ error: { type: 'too_many_requests' } })
    expect(await run.end('SIGTERM')).toBe(0)
    expect(run.complaints()).toBe('')
  })
})

describe('the bundles', () => {
  test('are all loaded once it is ready: one that is replaced or gone later is not missed', async () => {
    const run = await startJson()
    await rm(join(dir, 'dist'), { recursive: true })
    const [[nora], [noah]] = [await login(run, 'nora'), await login(run, 'noah')]
    const { chat } = await nora.ok('start_chat')
    await noah.next('incoming_chat_thread')
    await noah.ok('join_chat', { chat_id: chat.id, agent_ids: ['noah'] })
    expect(await run.end('SIGTERM')).toBe(0)
    expect(run.complaints()).toBe('')
  })

  test('that could not be imported are tried again by the next invocation', async () => {
    const { handler } = openHandlers(bundlesIn(dir)({}))
    const ping = handler('agent/ping')
    await expect(ping({})).rejects.toThrow('npm run build makes it')
    await mkdir(join(dir, 'agent/ping'), { recursive: true })
    await writeFile(join(dir, 'agent/ping/index.mjs'), 'export const handler = () => "pong"')
    expect(await ping({})).toBe('pong')
  })

  test('run as a test wants it, on other events and as often as it likes', async () => {
    await mkdir(join(dir, 'worker/later'), { recursive: true })
    await writeFile(join(dir, 'worker/later/index.mjs'), 'export const handler = (event) => `got ${event}`')
    const asked: unknown[] = []
    const { handler } = openHandlers(bundlesIn(dir)({}), async ({ name, event }, run) => {
      asked.push(name, event)
      return [await run(event), await run('another')]
    })
    expect(await handler('worker/later')('one')).toEqual(['got one', 'got another'])
    expect(asked).toEqual(['worker/later', 'one'])
  })
})

describe('a restart', () => {
  test('keeps the data and the tokens; agents of the earlier run are not online, however that ended', async () => {
    const first = await startJson()
    const [nora] = await login(first, 'nora')
    const { chat } = await nora.ok('start_chat')
    const event = { type: 'message', text: 'still here' }
    const sent = await nora.ok('send_event', { chat_id: chat.id, event })
    await first.end('SIGTERM')

    const second = await startJson()
    expect(second.license_id).toBe(first.license_id)
    const [noah, found] = await login({ ...second, agents: first.agents }, 'noah')
    expect(found.chats_summary).toHaveLength(1)
    expect(found.chats_summary[0]).toMatchObject({
      id: chat.id,
      last_thread_summary: { active: true, events_count: 1, last_event_per_type: [sent.event] },
    })
    const online = (agents: any[]) =>
      agents.filter(({ routing_status }) => routing_status).map(({ id }) => id)
    expect(online(found.agents)).toEqual(['noah'])
    await login(second, 'nora')
    await noah.eventually('agent_updated', ({ agent_id }) => agent_id === 'nora')
    await second.end('SIGKILL')

    const third = await startJson()
    const [nina, answer] = await login(third, 'nina')
    expect(online(answer.agents)).toEqual(['nina'])
    // it counts as coming online again, and so is told
    await login(third, 'nora')
    expect(await nina.eventually('agent_updated', ({ agent_id }) => agent_id === 'nora')).toMatchObject({
      routing_status: 'accepting_chats',
    })
    expect(await third.end('SIGTERM')).toBe(0)
  })

  test('keeps who a customer is by its token; one of a run that was killed is not online', async () => {
    const first = await startJson()
    const customer = await openCustomer(first)
    const { customer_id, token } = await customer.ok('login', { customer: { name: 'Kim' } })
    const { chat } = await customer.ok('start_chat')
    await first.end('SIGKILL')

    const second = await startJson()
    const users = async () => {
      const [, { chats_summary }] = await login(second, 'olivia')
      return chats_summary.find(({ id }: { id: string }) => id === chat.id).users
    }
    expect(await users()).toContainEqual(expect.objectContaining({ id: customer_id, online: false }))
    const again = await openCustomer(second)
    const answer = await again.ok('login', { token })
    expect(answer).toMatchObject({ customer_id, total_chats: 1 })
    expect(await users()).toContainEqual(
      expect.objectContaining({ id: customer_id, name: 'Kim', online: true }),
    )
    expect(await second.end('SIGTERM')).toBe(0)

    const third = await startJson(['--fresh'])
    const anew = await openCustomer(third)
    expect(await anew.ok('login', { token })).toMatchObject({ customer_id, total_chats: 0 })
    await third.end('SIGTERM')
  })

  test('with --fresh begins anew', async () => {
    const first = await startJson()
    const [nora] = await login(first, 'nora')
    await nora.ok('start_chat')
    await first.end('SIGTERM')
    const second = await startJson(['--fresh'])
    const [, { chats_summary }] = await login(second, 'nora')
    expect(chats_summary).toEqual([])
    await second.end('SIGTERM')
  })
})

describe('a start that cannot be', () => {
  /** Ends by itself, with one sentence, having printed nothing else and left nothing. */
  const complaintOf = async (run: Run): Promise<string> => {
    const seen = new Set<number>()
    const watch = setInterval(
      () => void childrenOf(run).then((found) => found.forEach((pid) => seen.add(pid))),
      50,
    )
    const code = await run.end()
    clearInterval(watch)
    expect(code).toBe(1)
    expect(run.output()).toBe('')
    await allGone([...seen])
    const complaint = run.complaints().trim()
    expect(complaint.split('\n')).toHaveLength(1)
    return complaint
  }

  test('because the stack runs already says where, and leaves it and its data alone', async () => {
    const first = await startJson()
    const [nora] = await login(first, 'nora')
    const { chat } = await nora.ok('start_chat')
    const { port } = new URL(first.agent_url)
    expect(await complaintOf(start(['--port', port]))).toContain(`port ${port}`)
    expect(await complaintOf(start(['--port', '0', '--fresh']))).toContain(`port ${port}`)
    // actions that were not called before are there still, and so are the data
    expect((await nora.ok('get_chat_threads', { chat_id: chat.id })).chat.id).toBe(chat.id)
    await nora.ok('close_thread', { chat_id: chat.id })
    expect(await first.end('SIGTERM')).toBe(0)
  })

  test('because another start has the port says so before it begins anything, and the other goes on', async () => {
    const { server, port } = await listening()
    await closed(server)
    const flags = ['--json', '--port', String(port), '--customer-port', '0']
    const runs = [start(flags), start(flags)]
    const engines = new Set<ChildProcess>()
    const watch = setInterval(() => {
      for (const run of runs) void childrenOf(run).then((found) => found.length > 0 && engines.add(run.child))
    }, 50)
    onTestFinished(() => clearInterval(watch))
    const ready = await Promise.all(
      runs.map((run) =>
        run.line().then(
          () => run,
          () => undefined,
        ),
      ),
    )
    const [winner, ...others] = ready.filter((run) => run !== undefined)
    expect(others).toEqual([])
    expect([...engines]).toEqual([winner?.child])
    const loser = runs.find((run) => run !== winner)
    expect(await loser?.end()).toBe(1)
    expect(loser?.complaints()).toContain(`Port ${port} on 127.0.0.1 is in use`)
    expect(await winner?.end('SIGTERM')).toBe(0)
  })

  test('because something else has the port says which port, and touches nothing', async () => {
    const { server, port } = await listening()
    onTestFinished(() => void server.close())
    for (const ports of [
      ['--port', String(port)],
      ['--port', '0', '--customer-port', String(port)],
    ]) {
      const said = await complaintOf(start([...ports, '--fresh']))
      expect(said).toBe(
        `Port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another port.`,
      )
      expect(existsSync(join(dir, 'data'))).toBe(false)
    }
  })

  test('for want of an engine says what is missing, in one sentence', async () => {
    const nothing = 'http://127.0.0.1:9'
    const port = ['--port', '0']
    expect(
      await complaintOf(start(port, { DYNAMODB_ENGINE: 'endpoint', DYNAMODB_ENDPOINT: nothing })),
    ).toContain(`No DynamoDB engine answers at ${nothing}`)
    expect(await complaintOf(start(port, { DYNAMODB_ENGINE: 'endpoint', DYNAMODB_ENDPOINT: '' }))).toContain(
      'DYNAMODB_ENDPOINT is not set',
    )
    expect(await complaintOf(start(port, { DYNAMODB_ENGINE: 'oracle' }))).toContain(
      'DYNAMODB_ENGINE is "oracle"',
    )
  })

  test.each(['abc', '-1', '70000', '1.5'])('on port %s says what a port is', async (port) => {
    expect(await complaintOf(start(['--port', port]))).toContain('A port is a number from 0')
  })
})
