import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fastestEngine, isThere } from './support/engines.ts'

// Runs everything, each file once on each engine that matters for it; `--rest`: without what `npm test` has
// run already. Ends with 1 where anything failed.

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

const vitest = async (title: string, filters: readonly string[], engine?: string): Promise<boolean> => {
  process.stdout.write(`\n${title}\n`)
  const env = { ...process.env, ...(engine !== undefined && { DYNAMODB_ENGINE: engine }) }
  const run = spawn('vitest', ['run', ...filters], { stdio: 'inherit', env })
  const [code] = await once(run, 'exit')
  return code === 0
}

const rest = process.argv.includes('--rest')
const { name } = await fastestEngine()
const other = name === 'embedded' ? 'java' : 'embedded'
const longFiles = ['--project', 'long', '--project', 'long-alone']
const longTests = ['--project', 'shared', '--project', 'alone', '--tags-filter', 'full']
const results = rest
  ? [
      await vitest('The files that take longer', longFiles),
      await vitest('The tests of other files that take longer', longTests),
    ]
  : [await vitest('Everything, on one engine', [])]
if (name === 'endpoint')
  process.stdout.write('\nThe other engine is left out: DYNAMODB_ENDPOINT names one.\n')
else if (await isThere(other))
  results.push(await vitest('What depends on the engine, on the other', ofEngines, other))
else process.stdout.write(`\nThe other engine (${other}) is left out: this machine has none.\n`)
process.exitCode = results.every(Boolean) ? 0 : 1
