import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../../infra/build.ts'
import { bundlesIn } from '../../infra/local/handlers.ts'
import { writePage } from '../support/pages.ts'
import { reportOf } from './report.ts'
import { longRates, runFaults } from './run.ts'

// The long run of `faults.test.ts`; writes docs/faults.md. Ends with 1 where a promise was broken.

const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const given = process.env['FAULTS_REQUESTS']
const requests = Number(given ?? 20_000)
const command = `${given === undefined ? '' : `FAULTS_REQUESTS=${given} `}npm run faults`
const requestsPerKill = 4000
const requestsPerPhase = 1000
const page = join(import.meta.dirname, '../../docs/faults.md')

const say = (text: string) => void process.stderr.write(`${text}\n`)

say(`FAULTS_SEED=${seed}`)
const dist = await mkdtemp(join(tmpdir(), 'agent-chat-dist-'))
try {
  await build(dist)
  const kills = Math.max(1, Math.round(requests / requestsPerKill))
  const report = await runFaults({
    ...{ seed, requests, kills, phases: 2 * Math.max(1, Math.round(requests / requestsPerPhase / 2)) },
    ...{ rates: longRates, handlers: bundlesIn(dist), say },
  })
  await writePage(page, reportOf(report, command))
  for (const { check, checked, violations } of report.findings) {
    say(`${check}: ${checked} looked at, ${violations.length} violations`)
    for (const violation of violations.slice(0, 20)) say(`  ${violation}`)
  }
  if (report.findings.some(({ violations }) => violations.length > 0)) process.exitCode = 1
} finally {
  await rm(dist, { recursive: true, force: true })
}
