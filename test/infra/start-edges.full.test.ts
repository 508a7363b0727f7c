import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  allGone,
  childrenOf,
  complaintOf,
  engineOf,
  login,
  noEngineOn,
  ownDir,
  type Ready,
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

const is17 = 'test "$1" = --list-modules && echo java.base@17.0.1 && exit'
const hangingEngine = `${is17}; sleep 31337`
/** A PATH on which the first `java` is this script, in a folder of a run. */
const withJava = async (dir: string, script: string): Promise<NodeJS.ProcessEnv> => {
  const bin = join(dir, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'java'), `#!/bin/sh\n${script}\n`)
  await chmod(join(bin, 'java'), 0o755)
  return { DYNAMODB_ENGINE: '', DYNAMODB_ENDPOINT: '', PATH: `${bin}:${process.env['PATH']}` }
}

// it gives the engine 30 s: the other tests run meanwhile
let slow: Run
const slowDir = await mkdtemp(join(tmpdir(), 'agent-chat-start-'))
const endings: (() => Promise<void>)[] = []
beforeAll(async () => {
  const env = await withJava(slowDir, hangingEngine)
  slow = start(slowDir, ['--json', '--port', '0', ...built], env, { onEnd: (end) => endings.push(end) })
})
afterAll(async () => {
  await Promise.all(endings.map((end) => end()))
  await rm(slowDir, { recursive: true })
})

describe('a stop', () => {
  const whileEngineHangs = async (signal: NodeJS.Signals) => {
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
  }

  const askedForAgain = async () => {
    const run = await startJson(await ownDir(), built)
    const children = await childrenOf(run)
    process.kill(await engineOf(run), 'SIGSTOP')
    const again = setInterval(() => run.child.kill('SIGINT'), 100)
    onTestFinished(() => clearInterval(again))
    expect(await run.end('SIGINT')).toBe(1)
    await allGone(children)
    // not the end of its time
    expect(run.complaints()).toBe('')
  }

  test(
    'ends within its time while the engine hangs, or at once when it is asked for again, and leaves no process behind',
    { timeout: 3 * startMs },
    async () => {
      await Promise.all([whileEngineHangs('SIGINT'), whileEngineHangs('SIGTERM'), askedForAgain()])
    },
  )

  test(
    'by Ctrl-C in a terminal, where npm and all below it get it, comes to its end',
    { timeout: 2 * startMs },
    async () => {
      const dir = await ownDir()
      const argv = ['npm', 'start', '--silent', '--', '--json', '--port', '0', ...built]
      const run = start(dir, [], {}, { argv })
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

/** The index worker of a copy of the bundles hangs in mid work. */
const hangingIndex = async (dir: string): Promise<string> => {
  const hanging = join(dir, 'hanging')
  await cp(dist, hanging, { recursive: true, verbatimSymlinks: true })
  await writeFile(
    join(hanging, 'worker/index/index.mjs'),
    'export const handler = () => new Promise(() => {})',
  )
  return hanging
}
const find = async (run: Ready, query: string): Promise<number> => {
  const [client] = await login(run, 'olivia')
  return (await client.ok('get_archives', { filters: { query } })).pagination.total
}
const write = async (run: Ready, text: string) => {
  const [nora] = await login(run, 'nora')
  await nora.ok('start_chat', { chat: { thread: { events: [message(text)] } } })
}
const isFound = (run: Ready, query: string) =>
  vi.waitFor(async () => expect(await find(run, query)).toBe(1), { timeout: 30_000 })

test(
  'of two starts at once one runs and the other names it; a lock of what does not run is none; what a run that was killed has not indexed is found in the next one, without a command',
  { timeout: 4 * startMs },
  async () => {
    const dir = await ownDir()
    // another program now has the process id
    await writeFile(join(dir, 'lock'), JSON.stringify({ pid: process.pid, began: '1' }))
    const runs = [1, 2].map(() => start(dir, ['--json', '--port', '0', ...built]))
    const lines = await Promise.allSettled(runs.map((run) => run.line()))
    const [winner, loser] = (lines[0]?.status === 'fulfilled' ? runs : runs.toReversed()) as [Run, Run]
    expect(await complaintOf(loser)).toContain(
      `The stack already runs on ${dir}, as process ${winner.child.pid}`,
    )
    const ready = lines.flatMap((line) => (line.status === 'fulfilled' ? [line.value] : []))
    expect(ready).toHaveLength(1)
    const first = JSON.parse(ready[0] ?? '') as Ready
    await write(first, 'walnut')
    await isFound(first, 'walnut')
    expect(await winner.end('SIGTERM')).toBe(0)

    // as a power cut may leave it
    await writeFile(join(dir, 'lock'), '')
    const second = await startJson(dir, ['--dist', await hangingIndex(dir)])
    expect(JSON.parse(await readFile(join(dir, 'lock'), 'utf8'))).toMatchObject({ pid: second.child.pid })
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

describe('a Java that is broken', () => {
  const givesWay = async (run: Run, reason: string) => {
    await run.line()
    expect(run.complaints()).toMatch(/^warning: .+\n$/)
    expect(run.complaints()).toContain(`${reason}. So the embedded engine runs, with data of its own`)
    expect(await engineOf(run)).toBeGreaterThan(0)
    expect(await run.end('SIGTERM')).toBe(0)
  }

  test(
    'in that it fails, hangs, or runs no engine, gives way to the embedded engine',
    { timeout: 3 * startMs },
    async () => {
      const broken = [
        ['echo Segmentation fault >&2; exit 139', 'ended with 139: Segmentation fault'],
        ['sleep 31338', 'did not end within 10 s'],
        [`${is17}; echo no such jar >&2; exit 1`, 'ended with 1: no such jar'],
      ] as const
      await Promise.all(
        broken.map(async ([script, reason]) => {
          const dir = await ownDir()
          const run = start(dir, ['--json', '--port', '0', ...built], await withJava(dir, script))
          await givesWay(run, reason)
        }),
      )
      await noEngineOn('sleep 31338')
    },
  )

  test(
    'is an error where it is asked for, and a stop while it hangs leaves nothing',
    { timeout: startMs },
    async () => {
      const forced = { DYNAMODB_ENGINE: 'java' }
      const begin = async (script: string) => {
        const dir = await ownDir()
        return start(dir, ['--port', '0'], { ...(await withJava(dir, script)), ...forced })
      }
      const [broken, run] = await Promise.all([begin('exit 139'), begin('sleep 31339')])
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
      expect(await complaintOf(broken)).toContain(
        'DYNAMODB_ENGINE is java, but java --list-modules ended with 139. Install',
      )
    },
  )

  test(
    'in that it runs an engine that hangs gives way to the embedded engine',
    { timeout: startMs },
    async () => {
      await givesWay(slow, 'did not answer within 30 s')
      await noEngineOn('sleep 31337')
    },
  )
})
