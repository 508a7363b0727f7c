import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format } from 'prettier'
import * as z from 'zod/mini'
import type { ActionSpec } from '../shared/protocol/action.ts'
import { agentActions } from '../shared/protocol/agent/index.ts'
import { customerActions } from '../shared/protocol/customer/index.ts'
import { customerPushes } from '../shared/protocol/customer-pushes.ts'
import { isBusEvent } from '../shared/protocol/pushes-on-bus.ts'
import { pushes } from '../shared/protocol/pushes.ts'
import { houseDiagram } from './architecture.ts'
import type { Endpoint, Json } from './asyncapi-endpoint.ts'
import { asyncapi } from './asyncapi.ts'
import { openapi } from './openapi.ts'
import { dollarsOfEvents, dollarsPerMillionEvents, eventTerms } from './stack/event-cost.ts'
import { type Taken, worstMinute } from './stack/flood-cost.ts'

const root = join(import.meta.dirname, '..')
const asyncapiFile = join(root, 'asyncapi.json')
const openapiFile = join(root, 'openapi.json')
const protocolFile = join(root, 'docs/protocol.md')
const benchmarkFile = join(root, 'docs/benchmark.md')
const floodsFile = join(root, 'docs/floods.md')
const eventsFile = join(root, 'docs/events.md')
const architectureFile = join(root, 'docs/architecture.md')

const agentEndpoint: Endpoint = {
  name: 'agent',
  summary: 'Where the apps of support agents connect.',
  host: '{api}.execute-api.{region}.{domain}',
  pathname: '/{stage}',
  actions: agentActions,
  pushes,
}

const customerEndpoint: Endpoint = {
  name: 'customer',
  summary: "Where customers' pages connect.",
  host: '{api}.execute-api.{region}.{domain}',
  pathname: '/{stage}',
  query: { license_id: 'The license whose agents the customer talks to.' },
  actions: customerActions,
  pushes: customerPushes,
}

/** A document's text, of the tables as they are. */
const documentText = async (make: (version: string) => Json): Promise<string> => {
  const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const { version } = z.parse(z.object({ version: z.string() }), manifest)
  return `${JSON.stringify(make(version), null, 2)}\n`
}

const asyncapiText = () => documentText((version) => asyncapi(version, [agentEndpoint, customerEndpoint]))
const openapiText = () => documentText((version) => openapi(version, agentEndpoint))

const table = (head: string, what: string, rows: readonly (readonly [string, string])[]): string =>
  [`| ${head} | ${what} |`, '| --- | --- |', ...rows.map(([name, text]) => `| \`${name}\` | ${text} |`)].join(
    '\n',
  )

const actionTable = (actions: readonly ActionSpec[]): string =>
  table(
    'action',
    'what it does',
    actions.map(({ name, summary }) => [name, summary] as const),
  )

const pushTable = (pushed: Endpoint['pushes']): string =>
  table(
    'push',
    'what it says, and to whom',
    Object.entries(pushed).map(([name, { summary, to }]) => [name, `${summary} To ${to}.`] as const),
  )

/** A text with `section` between its marks `<!-- name -->` and `<!-- /name -->`. */
export const between = (text: string, name: string, section: string): string => {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`There is no ${begin} … ${end}`)
  return `${before}${begin}\n\n${section}\n\n${end}${after}`
}

/** docs/protocol.md with the text between its marks made of the action tables and the pushes. */
const protocolText = async (): Promise<string> => {
  const sections = {
    actions: actionTable(agentActions),
    pushes: pushTable(pushes),
    'customer-actions': actionTable(customerActions),
    'customer-pushes': pushTable(customerPushes),
  }
  let text = await readFile(protocolFile, 'utf8')
  for (const [name, section] of Object.entries(sections)) text = between(text, name, section)
  return format(text, { parser: 'markdown', printWidth: 110 })
}

/** The cells of each row of docs/benchmark.md whose first one is made of `name`. */
const measuredRows = (text: string, name: RegExp): { name: string; cells: string[] }[] =>
  text.split('\n').flatMap((line) => {
    const [, first = '', ...cells] = line.split('|').map((cell) => cell.trim())
    const found = name.exec(first)?.[1]
    return found === undefined ? [] : [{ name: found, cells }]
  })

const numberOf = (cell: string | undefined): number => {
  const value = Number(cell?.replaceAll(/[$,]/g, '') || Number.NaN)
  if (Number.isNaN(value)) throw new Error(`docs/benchmark.md has no number where there was one: ${cell}`)
  return value
}

/** docs/floods.md with the costs of the worst minute, of what the benchmark measured. */
const floodsText = async (): Promise<string> => {
  const benchmark = await readFile(benchmarkFile, 'utf8')
  const measured = Object.fromEntries(
    measuredRows(benchmark, /^`((?:agent|customer)\/\w+)`$/).map(({ name, cells }): [string, Taken] => [
      name,
      { rru: numberOf(cells[6]), wru: numberOf(cells[7]), pushes: numberOf(cells[9]) },
    ]),
  )
  // the unit price, and how much of it for a message in a chat of two
  const index = measuredRows(benchmark, /^`(index)`, /)
    .map(({ cells }) => numberOf(cells[0]) * numberOf(cells[1]))
    .reduce((sum, dollars) => sum + dollars, 0)
  const rows = worstMinute(1000, measured, index)
  const total = rows.reduce((sum, { dollars }) => sum + dollars, 0)
  const requests = rows.reduce((sum, row) => sum + row.requests, 0)
  const lines = [
    '| routes | requests in the minute | dollars per million | dollars |',
    '| --- | --: | --: | --: |',
    ...rows.map((row) =>
      [
        '',
        row.routes,
        row.requests.toLocaleString('en'),
        row.dollarsPerMillion.toFixed(2),
        row.dollars.toFixed(2),
        '',
      ].join(' | '),
    ),
    `| **all** | ${requests.toLocaleString('en')} | ${((total / requests) * 1e6).toFixed(2)} | **${total.toFixed(2)}** |`,
  ]
  const text = between(await readFile(floodsFile, 'utf8'), 'worst-minute', lines.join('\n'))
  return format(text, { parser: 'markdown', printWidth: 110 })
}

/** docs/architecture.md with the house as the imports draw it. */
const architectureText = async (): Promise<string> =>
  format(between(await readFile(architectureFile, 'utf8'), 'floors', houseDiagram(root)), {
    parser: 'markdown',
    printWidth: 110,
  })

const busEventTable = (): string => {
  const names = (isOut: boolean) =>
    Object.entries(isBusEvent)
      .flatMap(([name, is]) => (is === isOut ? [`\`${name}\``] : []))
      .join(', ')
  return [`Events are: ${names(true)}.`, '', `No events are: ${names(false)}.`].join('\n')
}

const eventCostTable = (): string => {
  const spelled = (dollars: number) => dollars.toFixed(2)
  const own = eventTerms.filter(({ unit }) => unit !== 'webhookPosts')
  const rows = [
    ...own.map((term) => [term.name, spelled(dollarsOfEvents(term))]),
    ['**an event**', `**${spelled(dollarsPerMillionEvents())}**`],
  ]
  const more = eventTerms
    .filter(({ unit }) => unit === 'webhookPosts')
    .map((term) => [term.name, spelled(dollarsOfEvents(term))])
  return [
    '| what | dollars |',
    '| --- | --- |',
    ...[...rows, ...more].map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')
}

/** docs/events.md with what its tables say of pushes and prices. */
const eventsText = async (): Promise<string> => {
  const names = await format(busEventTable(), { parser: 'markdown', printWidth: 140, proseWrap: 'always' })
  const text = between(await readFile(eventsFile, 'utf8'), 'bus-events', names)
  return format(between(text, 'event-costs', eventCostTable()), {
    parser: 'markdown',
    printWidth: 110,
    embeddedLanguageFormatting: 'off',
  })
}

/** The generated files, and what they hold when they are up to date. */
export const generated: Readonly<Record<string, () => Promise<string>>> = {
  [asyncapiFile]: asyncapiText,
  [openapiFile]: openapiText,
  [eventsFile]: eventsText,
  [protocolFile]: protocolText,
  [floodsFile]: floodsText,
  [architectureFile]: architectureText,
}

if (process.argv[1] === import.meta.filename)
  for (const [file, text] of Object.entries(generated)) await writeFile(file, await text())
