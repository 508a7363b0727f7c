import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fastestEngine, isThere } from './support/engines.ts'
import { filesWithTag } from './support/tagged-files.ts'

// Runs everything, each file once on each engine that matters for it; `--rest`: without what `npm test` has
// run already. Ends with 1 where anything failed, and with a list of it, since it scrolled by long ago.

/**
 * What depends on how an engine behaves: transactions that meet, conditions, conflicts, streams, what is
 * stored.
 */
const ofEngines = [
  'test/table',
  'test/infra/local-dynamodb',
  'test/infra/local-streams',
  'test/races/own-work',
  'test/races/log',
]

/** What the runs read of Vitest's JSON report. */
interface Report {
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

const directory = await mkdtemp(join(tmpdir(), 'agent-chat-reports-'))
const failures: string[] = []

/** Names what a report holds as failed: the file, the test, and how it failed. */
const failuresOf = ({ testResults }: Report): string[] =>
  testResults
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, message, assertionResults }) => {
      const path = relative(process.cwd(), name)
      const failed = assertionResults.filter(({ status }) => status === 'failed')
      if (failed.length === 0) return [`${path}\n${message}`]
      return failed.map(
        ({ fullName, failureMessages }) => `${path}: ${fullName}\n${failureMessages.join('\n')}`,
      )
    })

let runs = 0
const vitest = async (
  title: string,
  filters: readonly string[],
  settings: Record<string, string> = {},
): Promise<void> => {
  process.stdout.write(`\n${title}\n`)
  const env = { ...process.env, ...settings }
  const path = join(directory, `${(runs += 1)}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${path}`]
  const run = spawn('vitest', ['run', ...reporters, ...filters], { stdio: 'inherit', env })
  const [code] = await once(run, 'exit')
  if (code === 0) return
  const report = await readFile(path, 'utf8').catch(() => undefined)
  const named = report === undefined ? [] : failuresOf(JSON.parse(report) as Report)
  // an error outside of tests has no place in the report
  failures.push(...(named.length > 0 ? named : [`"${title}" ended with ${code}: see what it printed`]))
}

/** The wire tests of agents' actions once more, with their requests over HTTP. */
const overHttp = () =>
  vitest(
    'The actions of agents, over HTTP',
    ['--project', 'shared', '--tags-filter', '!full', 'test/agent'],
    { AGENT_DOOR: 'http' },
  )

const rest = process.argv.includes('--rest')
const { name } = await fastestEngine()
const other = name === 'embedded' ? 'java' : 'embedded'
const longFiles = ['--project', 'long', '--project', 'alone-long']
const longTests = [
  '--project',
  'shared',
  '--project',
  'alone',
  '--tags-filter',
  'full',
  ...filesWithTag('full'),
]
if (rest) {
  await vitest('The files that take longer', longFiles)
  await vitest('The tests of other files that take longer', longTests)
} else await vitest('Everything, on one engine', [])
await overHttp()
if (name === 'endpoint')
  process.stdout.write('\nThe other engine is left out: DYNAMODB_ENDPOINT names one.\n')
else if (await isThere(other))
  await vitest('What depends on the engine, on the other', ofEngines, { DYNAMODB_ENGINE: other })
else process.stdout.write(`\nThe other engine (${other}) is left out: this machine has none.\n`)

await rm(directory, { recursive: true, force: true })
if (failures.length > 0) {
  process.stdout.write(`\n${failures.length} failed:\n\n${failures.join('\n\n')}\n`)
  process.exitCode = 1
}
