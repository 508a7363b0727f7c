import { Command, InvalidArgumentError } from 'commander'
import { parsePort } from '../local/port-option.ts'
import { startConsole } from './server.ts'

interface Flags {
  agentUrl: string
  customerUrl?: string
  license?: string
  port: number
}

const parseUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && ['ws:', 'wss:'].includes(url.protocol)) return `${url.origin}${url.pathname}`
  throw new InvalidArgumentError('An endpoint is an address that begins with wss:// (or ws://).')
}

const program = new Command('npm run console --')
  .description(
    'Serves the console on this machine, for a stack that is deployed. Agents log in with a token.',
  )
  .requiredOption('--agent-url <url>', 'where agents connect', parseUrl)
  .option('--customer-url <url>', 'where customers connect; with --license', parseUrl)
  .option('--license <id>', 'whose customers the widgets are; with --customer-url')
  .option('--port <number>', 'where the console is served; 0: any free port', parsePort, 4002)

const { agentUrl, customerUrl, license, port } = program.parse().opts<Flags>()
if ((customerUrl === undefined) !== (license === undefined))
  program.error(
    'error: --customer-url and --license belong together: give both, or neither for agents alone.',
  )
try {
  const { url, stop } = await startConsole(
    { agent_url: agentUrl, customer_url: customerUrl, license_id: license, agents: [] },
    port,
  )
  process.stdout.write(`The console is at ${url}\nCtrl-C ends it.\n`)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
