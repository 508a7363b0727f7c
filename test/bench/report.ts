import { dollarsPerMillionEvents } from '../../infra/stack/event-cost.ts'
import { type Cost, type Report, type SendTimes } from './results.ts'
import { prices } from '../../infra/stack/prices.ts'
import { table } from './table.ts'

// The figures as tables in Markdown.

const dollars = (figure: number) => figure.toFixed(2)

/** What did not come, where something did not. */
const missedText = ({ here, cloud }: SendTimes): string[] =>
  [...here, ...cloud]
    .filter(({ missed }) => missed > 0)
    .map(({ sockets, missed }) => `With ${sockets} sockets ${missed} pushes had not come after 20 seconds.`)

/** A message against the floor, by how many sockets hear of it. */
const fanOutTable = ({ here, cloud }: SendTimes): string =>
  table(
    [
      'sockets that hear of a message',
      'calls take',
      'answer, ms',
      'floor',
      'ratio',
      'last receipt, ms',
      'floor',
      'ratio',
      'first post to last, ms',
    ],
    [
      ...here.map((one) => ['as here', one] as const),
      ...cloud.map((one) => ['as in the cloud', one] as const),
    ].map(([calls, { sockets, answer, lastReceipt, posting }]) => [
      ...[sockets, calls, answer.ours, answer.floor, answer.ratio],
      ...[lastReceipt.ours, lastReceipt.floor, lastReceipt.ratio, posting.ours],
    ]),
  )

const costTable = (costs: readonly Cost[]): string =>
  table(
    ['per million messages delivered, in a chat of', ...costs.map(({ people }) => `${people} people`)],
    [
      ...costs[0]!.groups.map(({ name }, row) => [
        name,
        ...costs.map(({ groups }) => dollars(groups[row]!.dollars)),
      ]),
      ['**dollars**', ...costs.map((one) => `**${dollars(one.dollars)}**`)],
    ],
  )

/** The main figures, for the README. */
export const readmeText = (report: Report): string => {
  const { throughput, costs, actions, machine } = report
  const sendEvent = actions.find(({ name }) => name === 'agent/send_event')
  const rows: (string | number)[][] = []
  if (sendEvent)
    rows.push([
      '`send_event` to twenty sockets',
      `${sendEvent.p50} ms (p50), ${sendEvent.p99} ms (p99); ${sendEvent.roundTrips} round trips, ${sendEvent.rru} RRU, ${sendEvent.wru} WRU`,
    ])
  for (const one of throughput)
    rows.push([
      `${one.chats} chats at it`,
      `${one.messagesPerSecond} messages a second, answered in ${one.p50} ms (p50)`,
    ])
  for (const { people, dollars: sum } of costs)
    rows.push([`a million messages delivered, in chats of ${people} people`, `$${dollars(sum)}`])
  if (costs.length > 0)
    rows.push([
      'a million [events](docs/events.md), where they are on',
      `$${dollars(dollarsPerMillionEvents())}`,
    ])
  return [
    `\`npm run bench\` measures, on ${machine}: everything but the cost by this machine's local stack, where gateway, functions, table and clients share its cores. [docs/benchmark.md](docs/benchmark.md) has all actions, archives, and how each figure comes about.`,
    ...(rows.length > 0 ? [table(['', 'figure'], rows)] : []),
    '![Time to the last receipt, and dollars per million messages](docs/benchmark.svg)',
  ].join('\n\n')
}

/** Everything, for docs/benchmark.md. */
export const pageText = (report: Report): string => {
  const { actions, send, throughput, archives, costs, bundles, machine, command, habits, cloudMs } = report
  return [
    '# Benchmark',
    `By \`${command}\`, on ${machine}, which runs gateway, functions, ${report.engine} and clients together: times are to be compared with each other, not with a cloud's. Counts are the same everywhere.`,
    '## Actions',
    'Each action as a license of eighteen agents asks for it, with a customer on two tabs: twenty sockets. Times are from sending a request to its answer, one request after the other; p99 is the last but one where fewer than 200 were made. Round trips to DynamoDB follow one another, calls are all of them; RRU and WRU are what DynamoDB charges, transactions at their double price. Pushes are those before the answer, with their bytes in all. `get_archives` searches 300 threads. The import is in a process of its own, whose code is not cached.',
    table(
      [
        ...['action', 'p50, ms', 'p95', 'p99', 'requests', 'round trips', 'calls', 'RRU', 'WRU'],
        ...['answer, bytes', 'pushes', 'bytes', 'bundle, kB', 'import, ms'],
      ],
      actions.map((one) => [
        ...[
          `\`${one.name}\``,
          one.p50,
          one.p95,
          one.p99,
          one.requests,
          one.roundTrips,
          one.calls,
          one.rru,
          one.wru,
        ],
        ...[one.answerBytes, one.pushes, one.pushBytes, one.kB, one.importMs],
      ]),
    ),
    'Those that no client asks for:',
    table(
      ['function', 'bundle, kB', 'import, ms'],
      Object.entries(bundles)
        .filter(([name]) => !/^(agent|customer)\//.test(name))
        .map(([name, { kB, importMs }]) => [`\`${name}\``, kB, importMs]),
    ),
    '## A message against the floor',
    `The floor (\`test/bench/floor.ts\`) is bundled as the functions are, and written with the SDK's clients: one put, a post to each socket of a list that it knows, an answer. It knows no session, permission or order, and notices no failure. Ours posts by the SDK's signer and HTTP handler alone, which is how it can take less. It and the floor take turns in one loop; a ratio is the median of each turn's. "As in the cloud": each call to the table takes ${cloudMs.table} ms longer and each post ${cloudMs.post} ms, for both: side by side they cost nothing more there, while here one engine does one thing at a time. Where more than a hundred sockets hear of a message, the answer does not wait for the posts.`,
    fanOutTable(send),
    ...missedText(send),
    '## Messages per second',
    'Chats of an agent and a customer who write by turns, each as soon as the other’s message is there; from sending a message to its answer.',
    table(
      ['chats', 'messages per second', 'p50, ms', 'p95', 'p99'],
      throughput.map((one) => [one.chats, one.messagesPerSecond, one.p50, one.p95, one.p99]),
    ),
    '## Archives',
    'Searches by an agent of one group, among closed threads over three years; "again" is after the counts were kept. [docs/archives.md](archives.md) has more of them, and larger ones.',
    archivesTable(archives),
    '## Cost',
    `Dollars per million messages delivered: one that an author sends to four others is delivered four times. Measured for each message sent are the pushes (the author's own sockets hear of it too), read and write units, runs of the index's worker and what it reads and writes for a message of eleven words of which five are new in their thread, and how long functions take where each call to the table takes ${cloudMs.table} ms and each post ${cloudMs.post} ms. Assumed are a message every ${habits.secondsPerMessage} seconds, between which all its people are connected for this chat alone, each pinging every ${habits.secondsPerPing} seconds, and ${habits.memoryGb} GB of memory, of the index's worker ${habits.indexMemoryGb}. Where words are not indexed, the writes of \`index\` fall away. Free tiers, storage, logs and data transfer are left out.`,
    costTable(costs),
    `Prices, us-east-1: ${Object.values(prices)
      .map(({ dollars: each, of }) => `$${each} per ${of}`)
      .join('; ')}.`,
    table(
      ['term', 'unit price', ...costs.flatMap(({ people }) => [`${people} people: per message sent`, '$'])],
      [
        ...costs[0]!.terms.map(({ name, unit }, row) => [
          ...[name, `$${prices[unit].dollars}`],
          ...costs.flatMap(({ terms }) => [terms[row]!.amount, dollars(terms[row]!.dollars)]),
        ]),
        ['**all**', '', ...costs.flatMap((one) => ['', `**${dollars(one.dollars)}**`])],
      ],
    ),
  ].join('\n\n')
}

export const archivesTable = (archives: Report['archives']): string =>
  table(
    [
      ...['search, by', 'threads', 'found', 'round trips', 'RRU', 'ms'],
      ...['again: round trips', 'RRU', 'ms'],
    ],
    archives.map(({ search, by, threads, found, roundTrips, rru, ms, again }) => [
      ...[`${search}, ${by}`, threads, found, roundTrips, rru, ms],
      ...[again.roundTrips, again.rru, again.ms],
    ]),
  )
