import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { expect, inject, onTestFinished, vi } from 'vitest'
import { handlers } from '../../infra/build.ts'
import { Client, type CustomerClient } from '../support/client.ts'
import { compileCache } from '../support/compile-cache.ts'

const root = join(import.meta.dirname, '../..')

/**
 * A start loads some fifty bundles: 5 s of a core that it has for itself, and a test shares it with others.
 */
export const startMs = 60_000
/** This only ends what would never come. */
const patience = { timeout: 30_000 }

export interface Ready {
  agent_url: string
  customer_url: string
  console_url?: string
  http_url: string
  license_id: string
  agents: { id: string; token: string; permission: string }[]
}

/** What `npm start` runs, as a process of its own. */
export interface Run {
  child: ChildProcess
  /** The line that says that it is ready; rejects with what it complained of, where it ended instead. */
  line(): Promise<string>
  output(): string
  complaints(): string
  /** Sends a signal; resolves to the exit code, or the signal that ended it. */
  end(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

/** A folder for the data of a test's runs, which is gone after it. */
export const ownDir = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-start-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/**
 * A folder of bundles that share one file: 47 that ship alone take seconds to import, which one test of
 * `start.full.test.ts` does.
 */
export const writeSharedBundles = async (dist: string): Promise<void> => {
  await mkdir(dist, { recursive: true })
  await symlink(inject('functions'), join(dist, 'functions.cjs'))
  for (const name of handlers()) {
    await mkdir(join(dist, name), { recursive: true })
    const text = `import { handlers } from '../../functions.cjs'\nexport const handler = handlers['${name}']\n`
    await writeFile(join(dist, name, 'index.mjs'), text)
  }
}

const program = [process.execPath, 'infra/run.mjs', 'infra/local/main.ts']

/** A run that ends with its test; with `onEnd`, with what that belongs to. */
export const start = (
  dir: string,
  flags: string[] = [],
  env: NodeJS.ProcessEnv = {},
  {
    argv: [command = '', ...args] = program,
    onEnd = onTestFinished,
  }: { argv?: string[]; onEnd?: (end: () => Promise<void>) => void } = {},
): Run => {
  const child = spawn(command, [...args, ...flags], {
    cwd: root,
    env: {
      ...{ ...process.env, ...compileCache, DYNAMODB_ENGINE: 'embedded', AGENT_CHAT_LOCAL_DIR: dir },
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // as in a terminal, which signals the whole group
    detached: true,
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
  onEnd(async () => {
    if (child.exitCode === null && child.signalCode === null) await run.end('SIGKILL')
  })
  return run
}

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}

/**
 * A port for a stack that is to come back on it, free with the next few: below those that the system hands
 * out, of which one may be somebody's by then.
 */
export const steadyPort = async (): Promise<number> => {
  for (;;) {
    const port = 20_000 + 10 * Math.floor(Math.random() * 1000)
    const free = await Promise.all([0, 1, 2, 3].map((n) => isFree(port + n)))
    if (free.every((one) => one)) return port
  }
}

export const startJson = async (
  dir: string,
  flags: string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Ready & Run> => {
  const run = start(dir, ['--json', '--port', '0', ...flags], env)
  return { ...run, ...(JSON.parse(await run.line()) as Ready) }
}

/** A client logged in, and what the login answered. */
export const login = async ({ agent_url, agents }: Ready, id: string): Promise<[Client, any]> => {
  const token = agents.find((agent) => agent.id === id)?.token
  if (token === undefined) throw new Error(`There is no ${id}`)
  const client = await Client.open(agent_url)
  onTestFinished(() => client.close())
  return [client, await client.ok('login', { token })]
}

/** A customer's page, which is not logged in yet. */
export const openCustomer = async ({ customer_url, license_id }: Ready): Promise<CustomerClient> => {
  const client = await Client.open(`${customer_url}?license_id=${license_id}`, { as: 'customer' })
  onTestFinished(() => client.close())
  return client
}

/** What listens on this port, or on a free one. */
export const listening = async (wanted = 0): Promise<{ server: Server; port: number }> => {
  const server = createServer().listen(wanted, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { server, port }
}
export const closed = async (...servers: Server[]) => {
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
}

const processes = async (...columns: string[]): Promise<string[]> => {
  const { stdout } = await promisify(execFile)('ps', ['-A', ...columns.flatMap((name) => ['-o', `${name}=`])])
  return stdout.trim().split('\n')
}

/** The pids of all processes that a run has started, and those have. */
export const childrenOf = async ({ child }: Run): Promise<number[]> => {
  const parents = (await processes('pid', 'ppid')).map((row) => row.trim().split(/\s+/).map(Number))
  const below = (one: number): number[] =>
    parents.flatMap(([pid, parent]) => (parent === one && pid !== undefined ? [pid, ...below(pid)] : []))
  return below(child.pid ?? 0)
}

/** The pid of the engine that a run has started. */
export const engineOf = async (run: Run): Promise<number> => {
  const own = await childrenOf(run)
  const rows = (await processes('pid', 'args')).map((row) => row.trim().split(/\s+/))
  const found = rows.find(([pid, command]) => own.includes(Number(pid)) && command?.endsWith('/dynoxide'))
  return Number(found?.[0])
}

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
export const allGone = (pids: number[]) => vi.waitFor(() => expect(pids.filter(lives)).toEqual([]), patience)

/** No engine that keeps its data in this folder runs any more. */
export const noEngineOn = (dir: string) =>
  vi.waitFor(
    async () => expect((await processes('args')).filter((args) => args.includes(dir))).toEqual([]),
    patience,
  )

/** The one sentence with which a run ends by itself that has printed nothing else. */
export const complaintOf = async (run: Run): Promise<string> => {
  expect(await run.end()).toBe(1)
  expect(run.output()).toBe('')
  const complaint = run.complaints().trim()
  expect(complaint.split('\n')).toHaveLength(1)
  return complaint
}
