import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  allGone,
  childrenOf,
  complaintOf,
  engineOf,
  login,
  noEngineOn,
  ownDir,
  type Run,
  start,
  startJson,
  startMs,
  writeSharedBundles,
} from './npm-start.ts'

const dist = await mkdtemp(join(tmpdir(), 'agent-chat-bundles-'))
afterAll(() => rm(dist, { recursive: true }))
await writeSharedBundles(dist)
const built = ['--dist', dist]
const message = (text: string) => ({ type: 'message', text })

describe('a stop', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s ends within its time while the engine hangs, and leaves no process behind',
    { timeout: 2 * startMs },
    async (signal) => {
      const dir = await ownDir()
      const run = await startJson(dir, built)
      const [nora] = await login(run, 'nora')
      const children = await childrenOf(run)
      process.kill(await engineOf(run), 'SIGSTOP')
      const answer = nora.call('start_chat').catch(() => undefined)
      // one Ctrl-C, which also comes by way of npm: no second one, which would end it at once
      for (const begun = performance.now(); performance.now() - begun < 100;) {
        run.child.kill(signal)
        await wait(10)
      }
      expect(await run.end()).toBe(1)
      await answer
      await allGone(children)
      expect(run.complaints()).toBe('Not all had ended after 5 s: the rest was killed.\n')
      expect(existsSync(join(dir, 'lock'))).toBe(false)
    },
  )

  test('ends at once when it is asked for again', { timeout: 2 * startMs }, async () => {
    const run = await startJson(await ownDir(), built)
    const children = await childrenOf(run)
    process.kill(await engineOf(run), 'SIGSTOP')
    const again = setInterval(() => run.child.kill('SIGINT'), 100)
    onTestFinished(() => clearInterval(again))
    expect(await run.end('SIGINT')).toBe(1)
    await allGone(children)
    // not the end of its time
    expect(run.complaints()).toBe('')
  })

  test(
    'by Ctrl-C in a terminal, where npm and all below it get it, comes to its end',
    { timeout: 2 * startMs },
    async () => {
      const dir = await ownDir()
      const npm = ['npm', 'start', '--silent', '--', '--json', '--port', '0', ...built]
      const run = start(dir, [], {}, npm)
      await run.line()
      const children = await childrenOf(run)
      process.kill(-(run.child.pid ?? 0), 'SIGINT')
      await run.end()
      await allGone(children)
      expect(run.complaints()).toBe('')
      // of a stop that comes to its end
      expect(existsSync(join(dir, 'stack.json'))).toBe(false)
    },
  )
})

test('an engine that dies ends the stack, which says so', { timeout: 2 * startMs }, async () => {
  const dir = await ownDir()
  const run = await startJson(dir, built)
  const children = await childrenOf(run)
  process.kill(await engineOf(run), 'SIGKILL')
  expect(await run.end()).toBe(1)
  expect(run.complaints()).toBe(
    `The stack ends, since its table is gone: the embedded engine, data in ${join(dir, 'data')}: ended with SIGKILL. ` +
      'Give the command again.\n',
  )
  await allGone(children)
  expect(existsSync(join(dir, 'stack.json'))).toBe(false)
})

test(
  'of two starts at once one runs and the other names it; a lock of what does not run is none',
  { timeout: 2 * startMs },
  async () => {
    const dir = await ownDir()
    // another program now has the process id
    await writeFile(join(dir, 'lock'), JSON.stringify({ pid: process.pid, began: '1' }))
    const runs = [1, 2].map(() => start(dir, ['--json', '--port', '0', ...built]))
    const lines = await Promise.allSettled(runs.map((run) => run.line()))
    const [winner, loser] = lines[0]?.status === 'fulfilled' ? runs : runs.toReversed()
    expect(await complaintOf(loser as Run)).toContain(
      `The stack already runs on ${dir}, as process ${winner?.child.pid}`,
    )
    expect(await winner?.end('SIGTERM')).toBe(0)
    // as a power cut may leave it
    await writeFile(join(dir, 'lock'), '')
    const next = await startJson(dir, built)
    expect(JSON.parse(await readFile(join(dir, 'lock'), 'utf8'))).toMatchObject({ pid: next.child.pid })
    expect(await next.end('SIGTERM')).toBe(0)
  },
)

describe('a Java that is broken', () => {
  /** A PATH on which the first `java` is this script. */
  const withJava = async (script: string): Promise<NodeJS.ProcessEnv> => {
    const bin = join(await ownDir(), 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'java'), `#!/bin/sh\n${script}\n`)
    await chmod(join(bin, 'java'), 0o755)
    return { DYNAMODB_ENGINE: '', DYNAMODB_ENDPOINT: '', PATH: `${bin}:${process.env['PATH']}` }
  }
  const is17 = 'test "$1" = --list-modules && echo java.base@17.0.1 && exit'

  test.each([
    ['fails', 'echo Segmentation fault >&2; exit 139', 'ended with 139: Segmentation fault'],
    ['hangs', 'sleep 31337', 'did not end within 10 s'],
    ['runs no engine', `${is17}; echo no such jar >&2; exit 1`, 'ended with 1: no such jar'],
    ['runs an engine that hangs', `${is17}; sleep 31337`, 'did not answer within 30 s'],
  ])(
    'in that it %s gives way to the embedded engine',
    { timeout: 2 * startMs },
    async (_, script, reason) => {
      const dir = await ownDir()
      const env = await withJava(script)
      const run = start(dir, ['--json', '--port', '0', ...built], env)
      await run.line()
      expect(run.complaints()).toMatch(/^warning: .+\n$/)
      expect(run.complaints()).toContain(`${reason}. So the embedded engine runs, with data of its own`)
      expect(await engineOf(run)).toBeGreaterThan(0)
      expect(await run.end('SIGTERM')).toBe(0)
      await noEngineOn('sleep 31337')
    },
  )

  test(
    'is an error where it is asked for, and a stop while it hangs leaves nothing',
    { timeout: startMs },
    async () => {
      const dir = await ownDir()
      const forced = { DYNAMODB_ENGINE: 'java' }
      const broken = start(dir, ['--port', '0'], { ...(await withJava('exit 139')), ...forced })
      expect(await complaintOf(broken)).toContain(
        'DYNAMODB_ENGINE is java, but java --list-modules ended with 139. Install',
      )
      const run = start(dir, ['--port', '0'], { ...(await withJava('sleep 31337')), ...forced })
      const children = await vi.waitFor(
        async () => {
          const found = await childrenOf(run)
          expect(found.length).toBeGreaterThan(1)
          return found
        },
        { timeout: 30_000 },
      )
      expect(await run.end('SIGTERM')).toBe(0)
      await allGone(children)
    },
  )
})

test(
  'what a run that was killed has not indexed is found in the next one, without a command',
  { timeout: 3 * startMs },
  async () => {
    const dir = await ownDir()
    // its index hangs in mid work
    const hanging = join(dir, 'hanging')
    await cp(dist, hanging, { recursive: true })
    await writeFile(
      join(hanging, 'worker/index/index.mjs'),
      'export const handler = () => new Promise(() => {})',
    )
    const find = async (run: Parameters<typeof login>[0], query: string): Promise<number> => {
      const [client] = await login(run, 'olivia')
      return (await client.ok('get_archives', { filters: { query } })).pagination.total
    }
    const write = async (run: Parameters<typeof login>[0], text: string) => {
      const [nora] = await login(run, 'nora')
      await nora.ok('start_chat', { chat: { thread: { events: [message(text)] } } })
    }
    const isFound = (run: Parameters<typeof login>[0], query: string) =>
      vi.waitFor(async () => expect(await find(run, query)).toBe(1), { timeout: 30_000 })

    const first = await startJson(dir, built)
    await write(first, 'walnut')
    await isFound(first, 'walnut')
    expect(await first.end('SIGTERM')).toBe(0)

    const second = await startJson(dir, ['--dist', hanging])
    await write(second, 'chestnut')
    expect(await find(second, 'chestnut')).toBe(0)
    const children = await childrenOf(second)
    await second.end('SIGKILL')
    await allGone(children)

    const third = await startJson(dir, built)
    await isFound(third, 'chestnut')
    expect(await third.end('SIGTERM')).toBe(0)
  },
)
