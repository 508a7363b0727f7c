import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { build } from '../../infra/build.ts'
import { between } from '../../infra/docs.ts'
import { startEngine } from '../../infra/local/engine/engine.ts'
import { writePage } from '../support/pages.ts'
import { chartOf } from './chart.ts'
import { type Figures, type PartName, type PartOptions, parts } from './parts.ts'
import { archivesTable, pageText, readmeText } from './report.ts'
import { reportOf } from './results.ts'
import { scaleChart, scaleText } from './scale-page.ts'

const root = join(import.meta.dirname, '../..')
/** What `--only` takes, and the parts that make it up. */
const groups: Readonly<Record<string, readonly PartName[]>> = {
  actions: ['bundles', 'actions-counted', 'actions-timed'],
  'fan-out': ['fan-out', 'fan-out-cloud'],
  throughput: ['throughput'],
  archives: ['archives'],
  cost: ['messages'],
  scale: ['scale'],
}
const usualSizes = [100, 1000, 10_000]

const sizes = (text: string): number[] => {
  const found = text.split(',').map(Number)
  // of ten threads that have a rare word, each is in another tenth
  if (found.every((size) => Number.isInteger(size) && size >= 100 && size % 10 === 0)) return found
  throw new InvalidArgumentError('Sizes are whole tens from 100 on, with commas between them.')
}

interface Flags {
  json: boolean
  only?: string
  archives?: number[]
}

const isPart = (name: string): name is PartName => Object.hasOwn(parts, name)

/** Runs a part in a process of its own, on the engine that `env` names. */
const runPart = async (name: PartName, options: PartOptions, env: NodeJS.ProcessEnv): Promise<unknown> => {
  const startedAt = performance.now()
  const child = fork(join(import.meta.dirname, 'parts.ts'), [name, JSON.stringify(options)], {
    env,
    // functions log there
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let figures: unknown
  child.on('message', (message) => (figures = message))
  const [code] = await once(child, 'exit')
  if (code !== 0 || figures === undefined) throw new Error(`${name} ended with ${code}`)
  process.stderr.write(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`)
  return figures
}

const run = async ({ json, only, archives }: Flags): Promise<void> => {
  const startedAt = performance.now()
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-bench-'))
  const options: PartOptions = {
    ...{ dist: join(dir, 'dist'), floorDist: join(dir, 'floor') },
    archives: { sizes: archives ?? usualSizes, full: archives !== undefined },
  }
  const wanted = only ?? (archives === undefined ? undefined : 'archives')
  const names = wanted === undefined ? Object.keys(parts).filter(isPart) : (groups[wanted] ?? [])
  let engine = ''
  const figures: Partial<Record<PartName, unknown>> = {}
  try {
    await build(options.dist)
    await build(options.floorDist, { floor: join(import.meta.dirname, 'floor.ts') })
    for (const name of names) {
      // of its own: what the part before has stored does not slow it
      const table = await startEngine()
      engine = table.label.replace(/,.*/, '')
      const env = {
        ...process.env,
        ...{
          DYNAMODB_ENGINE: 'endpoint',
          DYNAMODB_ENDPOINT: table.endpoint,
          POWERTOOLS_LOG_LEVEL: 'CRITICAL',
        },
      }
      figures[name] = await runPart(name, options, env).finally(() => table.stop())
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  if (wanted !== undefined) {
    process.stdout.write(
      !json && figures.archives !== undefined
        ? `${archivesTable(figures.archives as Figures['archives'])}\n`
        : `${JSON.stringify(figures, null, 2)}\n`,
    )
    return
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const report = reportOf(figures as Figures, { engine, command: 'npm run bench', seconds })
  await writeAll(report)
  await writeScale((figures as Figures).scale)
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${readmeText(report)}\n`)
  process.stderr.write(`${seconds} s in all\n`)
}

/** The page, the chart and the part of the README that these figures make. */
const writeAll = async (report: ReturnType<typeof reportOf>): Promise<void> => {
  const [readme, page, chart] = ['README.md', 'docs/benchmark.md', 'docs/benchmark.svg'].map((file) =>
    join(root, file),
  ) as [string, string, string]
  await writeFile(chart, chartOf(report))
  await writePage(page, pageText(report))
  await writePage(readme, between(await readFile(readme, 'utf8'), 'bench', readmeText(report)))
}

/** The tables of docs/scale.md, and its chart. */
const writeScale = async (figures: Figures['scale']): Promise<void> => {
  const page = join(root, 'docs/scale.md')
  await writeFile(join(root, 'docs/scale.svg'), scaleChart(figures))
  await writePage(page, between(await readFile(page, 'utf8'), 'scale', scaleText(figures)))
}

await new Command('npm run bench --')
  .description(
    'Measures the local stack, and writes the figures to README.md, docs/benchmark.md, docs/scale.md and their charts.',
  )
  .option('--json', 'print everything as one JSON document', false)
  .addOption(
    new Option('--only <part>', 'measure this alone and print it; files stay as they are').choices(
      Object.keys(groups),
    ),
  )
  .option(
    '--archives <sizes>',
    'search archives of these sizes alone, in every way, and print the table: 1000,10000,100000',
    sizes,
  )
  .action(run)
  .parseAsync()
