import type { Report } from './run.ts'

const rows = (head: readonly string[], lines: readonly (readonly (string | number)[])[]): string => {
  const cells = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...lines]
  return cells.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

const counted = (count: number): string => count.toLocaleString('en-US')
const minutes = (seconds: number): string =>
  seconds < 120 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`

/** What came of a request, in the words of the page. */
const outcomes: readonly [name: string, says: string][] = [
  ['success', 'success'],
  ['gateway', 'answered by the gateway'],
  ['internal', '`internal`'],
  ['request_timeout', '`request_timeout`'],
  ['closed', 'socket closed first'],
]

/** The page of a run. */
export const reportOf = (report: Report, command: string): string => {
  const { seed, engine, requests, overHttp, frames, seconds, totals } = report
  const byAction = [...report.outcomes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([action, counts]) => {
      const known = outcomes.map(([name]) => counts.get(name) ?? 0)
      const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
      const refused = all - known.reduce((sum, count) => sum + count, 0)
      return [`\`${action}\``, ...[all, known[0] ?? 0, refused, ...known.slice(1)].map(counted)]
    })
  const faults = [...report.faults].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const violations = report.findings.reduce((sum, finding) => sum + finding.violations.length, 0)
  const spoilt = faults.reduce((sum, [, count]) => sum + count, 0)
  return `# Under faults

\`${command}\` wrote this page. It runs the bundles that ship on one machine, lets everything go wrong that can, and holds
the promises of the design against every request, answer and push. \`npm run test:all\` does the same with 1,000 requests, \`npm test\` with 100.

| | |
| --- | --- |
| seed | ${seed} (\`FAULTS_SEED=${seed}\` rolls the same dice again; what runs side by side may still end in another order) |
| engine | ${engine.replace(/, data in .*/, ', data on disk')} |
| requests | ${counted(requests)}, of which ${counted(overHttp)} over HTTP, and ${counted(frames)} frames and answers that came of them |
| calls | ${counted(totals.engine)} to the table, ${counted(totals.posts)} posts, ${counted(totals.invocations)} invocations |
| faults | ${counted(spoilt)} |
| time | ${minutes(seconds.load)} of load, ${minutes(seconds.end)} until all was quiet, ${minutes(seconds.checks)} of checks |
| violations | ${violations} |

## What is checked

${rows(
  ['promise', 'looked at', 'violations'],
  report.findings.map(({ check, checked, violations: found }) => [check, counted(checked), found.length]),
)}

Who has access is judged from every state of every chat that was written, with the times between which it came into
force: a push or an answer is a violation where in none of the states that may have been in force since it was caused there
was access. \`test/faults/checker.test.ts\` shows that each check catches what it is for.

## Clients that are cut off

They are [the client](client.md), in an agent's app or on a customer's page. Their networks go away at random moments, and nothing but
what the client does by itself brings back what they missed. At the end their stores are held against the table.

${rows(
  ['who', 'times cut off', 'recovered', 'started over', 'opened anew', 'syncs and reads', 'events heard'],
  report.followers.map(({ as, cuts, recovered, startedOver, reopened, reads, events }) => [
    as === 'agent' ? 'an agent' : 'a customer',
    ...[cuts, recovered, startedOver, reopened, reads, events].map(counted),
  ]),
)}

## What went wrong

On 5 % of the calls to the table and of the posts, and on 3 % of the invocations.

${rows(
  ['fault', 'times'],
  faults.map(([kind, count]) => [kind, counted(count)]),
)}

## Floods

Strangers flood every other part of the load, from addresses of their own: one kind after the other, until it is refused,
at most three requests at a time. A customer may begin ${report.rates.startChat} threads, send ${report.rates.sendEvent} events and ask ${report.rates.other} times for something
else in a minute.

${rows(
  ['flood', 'limit in a minute', 'minutes', 'answered', 'refused by a limit'],
  report.floods.map(({ name, most, minutes: touched, answered, refused }) => [
    name,
    ...[most, touched, answered, refused].map(counted),
  ]),
)}

The median times of answers without floods and under them, for actions with 100 answers or more in each:

${rows(
  ['action', 'quiet', 'flooded'],
  report.medians.map(({ action, quietMs, floodedMs }) => [
    `\`${action}\``,
    `${quietMs.toFixed(0)} ms`,
    `${floodedMs.toFixed(0)} ms`,
  ]),
)}

## What was asked

${rows(['action', 'requests', 'success', 'refused', ...outcomes.slice(1).map(([, says]) => says)], byAction)}
`
}
