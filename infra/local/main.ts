import { Command } from 'commander'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join, relative, resolve } from 'node:path'
import { build } from '../build.ts'
import { startConsole } from '../console/server.ts'
import { endCrashedRun } from './crash-recovery.ts'
import { type Demo, openDemo } from './demo.ts'
import { startEngine } from './engine/engine.ts'
import { requestLine } from './gateway/request-log.ts'
import { bundlesIn } from './handlers.ts'
import { listenOn } from './listen-on.ts'
import { announce, localDir, localDist, lockLocalDir } from './local-dir.ts'
import { parsePort } from './port-option.ts'
import { parseUrl } from './url-option.ts'
import { openCustomerKey } from './secrets/customer-key.ts'
import { openTokenKey } from './secrets/token-key.ts'
import { startStack } from './stack.ts'

const tableName = 'agent-chat'
const issuer = 'http://127.0.0.1/agent-chat'
const audience = 'agent-chat'

interface Flags {
  port: number
  customerPort?: number
  httpPort?: number
  /** False: there is none. */
  console: boolean
  consolePort?: number
  fresh: boolean
  json: boolean
  dist?: string
  eventsTo?: string
}

const program = new Command('npm start --')
  .description('Runs the whole backend on this machine. Data are kept in .local between runs.')
  .option('--port <number>', 'where agents connect; 0: any free port', parsePort, 4000)
  .option(
    '--customer-port <number>',
    'where customers connect; by default the port after that of agents',
    parsePort,
  )
  .option(
    '--http-port <number>',
    'where actions are asked for over HTTP; by default the port after that of the console',
    parsePort,
  )
  .option(
    '--console-port <number>',
    'where the console is served; by default the port after that of customers',
    parsePort,
  )
  .option('--no-console', 'serve no console')
  .option('--fresh', 'begin with no data', false)
  .option(
    '--json',
    'print one line of JSON when ready; requests are then logged to .local/requests.log',
    false,
  )
  .option(
    '--dist <folder>',
    'run the bundles of this folder, as npm run build makes them, instead of building',
  )
  .option(
    '--events-to <url>',
    'post the events of chats and customers there, as a webhook gets them; the demo license has events then',
    parseUrl,
  )
  .addHelpText(
    'after',
    `
Environment:
  DYNAMODB_ENGINE       java, embedded or endpoint; by default the first that there is
  DYNAMODB_ENDPOINT     where an engine runs already
  AGENT_CHAT_LOCAL_DIR  the folder for the data, in place of .local; one stack runs on it at a time
  FCM_SERVICE_ACCOUNT   a file with the service account that sends mobile notifications

Ctrl-C ends it within five seconds, a second one at once.`,
  )

const ending: (() => Promise<unknown>)[] = []
/** Ends everything in the reverse order of its start. */
const end = async (): Promise<void> => {
  for (const stop of ending.toReversed()) await stop()
}

/** The last port has none after it: then, as after any free one, any free one. */
const portAfter = (port: number): number => (port === 0 ? 0 : (port + 1) % 65_536)

/** The port that was asked for, else the one after another, or any where that is taken. */
const takePortAfter = async ({ port }: Flags, asked: number | undefined, other: number) => {
  const take = async (wanted: number) => ({ port: wanted, free: await takePort(wanted) })
  if (asked !== undefined) return take(asked)
  return take(portAfter(port === 0 ? 0 : other)).catch(() => take(0))
}

/** What sends mobile notifications; undefined: none are sent. */
const readServiceAccount = async (): Promise<string | undefined> => {
  const file = process.env['FCM_SERVICE_ACCOUNT']
  return file ? readFile(file, 'utf8') : undefined
}

const run = async (flags: Flags): Promise<void> => {
  const { port: wanted, fresh, json, dist, eventsTo } = flags
  const wantedToo = flags.customerPort ?? portAfter(wanted)
  await lockLocalDir()
  const freePorts = [await takePort(wanted), await takePort(wantedToo)]
  const consolePort = flags.console ? await takePortAfter(flags, flags.consolePort, wantedToo) : undefined
  const httpPort = await takePortAfter(flags, flags.httpPort, consolePort?.port ?? wantedToo)
  freePorts.push(httpPort.free)
  const data = join(localDir, 'data')
  if (fresh) await rm(data, { recursive: true, force: true })
  await mkdir(data, { recursive: true })
  const engine = await startEngine({ dir: data })
  ending.push(() => engine.stop())
  void engine.untilEnded.then((reason) =>
    stopWith(
      1,
      `The stack ends, since its table is gone: ${engine.label}: ${reason}. Give the command again.`,
    ),
  )
  if (dist === undefined) await build(localDist)
  const tokens = { key: await openTokenKey(localDir), issuer, audience }
  const customerKey = await openCustomerKey(localDir)

  const requests = json ? createWriteStream(join(localDir, 'requests.log'), { flags: 'a' }) : process.stdout
  const serviceAccount = await readServiceAccount()
  const stack = await startStack({
    endpoint: engine.endpoint,
    tableName,
    ...tokens,
    port: wanted,
    customerPort: wantedToo,
    httpPort: httpPort.port,
    customerKey,
    // as deployed; all browsers of this machine have one address
    rates: { startChat: 5, sendEvent: 60, other: 120, addressFactor: 50, licenseStarts: 600 },
    handlers: bundlesIn(dist === undefined ? localDist : resolve(dist)),
    prepare: async (table, engineOf) => {
      await endCrashedRun(table, engineOf)
      for (const free of freePorts) await free()
    },
    indexedUpTo: join(data, 'indexed.json'),
    ...(serviceAccount && { fcm: { serviceAccount } }),
    ...(eventsTo !== undefined && { events: { to: eventsTo } }),
    gateway: { onRequest: (entry) => requests.write(`${requestLine(entry)}\n`) },
  })
  ending.push(() => stack.stop())
  const clock = setInterval(() => void stack.tick().catch(complain), 60_000)
  ending.push(async () => clearInterval(clock))

  const { agentUrl: agent_url, customerUrl: customer_url, httpUrl: http_url, tokenUrl: token_url } = stack
  ending.push(
    await announce({ agent_url, endpoint: engine.endpoint, table: tableName, issuer, audience, token_url }),
  )
  const demo = await openDemo(stack.table, tokens, { events: eventsTo !== undefined })
  const ready: Ready = { agent_url, customer_url, http_url, token_url, ...demo }
  if (consolePort !== undefined) {
    await consolePort.free()
    const { url, stop } = await startConsole({ agent_url, customer_url, ...demo }, consolePort.port)
    ending.push(stop)
    ready.console_url = url
  }
  process.stdout.write(json ? `${JSON.stringify(ready)}\n` : welcome(ready, engine.label))
}

/** What is printed once all is ready. */
interface Ready extends Demo {
  agent_url: string
  customer_url: string
  http_url: string
  /** Where bots get their tokens. */
  token_url: string
  console_url?: string
}

/**
 * Takes a port before anything is begun, so that a second start sees that this one is under way. The function
 * returned frees it, for the gateway.
 */
const takePort = async (wanted: number): Promise<() => Promise<void>> => {
  const server = createServer()
  await listenOn(server, wanted, '127.0.0.1')
  return async () => {
    const closed = once(server.close(), 'close')
    server.closeAllConnections()
    await closed
  }
}

const welcome = (
  { agent_url, customer_url, http_url, console_url, license_id, agents }: Ready,
  engine: string,
): string =>
  [
    `Ready. Agents connect to ${agent_url}`,
    `    customers connect to ${customer_url}?license_id=${license_id}`,
    `    actions over HTTP at ${http_url}/v1/agent/action/<action>`,
    ...(console_url === undefined ? [] : [`    the console is at    ${console_url}`]),
    `  table    ${engine}`,
    `  license  ${license_id}`,
    ...agents.map(({ id, permission, token }) => `  ${id.padEnd(8)} ${permission.padEnd(14)} ${token}`),
    `Try it:  npx wscat -c ${agent_url}   then send   {"action":"login","payload":{"token":"<a token>"}}`,
    `         npx wscat -c "${customer_url}?license_id=${license_id}"   then send   {"action":"login"}`,
    `Ctrl-C ends it. Data stay in ${relative(process.cwd(), localDir) || '.'}; --fresh begins anew.`,
    '',
  ].join('\n')

const complain = (error: unknown): void => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}

/** How long a stop may take. */
const stopMs = 5000
/** When the stop began. */
let stopping: number | undefined

/**
 * Ends this process once everything has ended, or its time is up; what is then left ends with this process.
 */
const stopWith = (code: number, why?: string): void => {
  if (stopping !== undefined) return
  stopping = Date.now()
  if (why !== undefined) complain(why)
  setTimeout(() => {
    complain(`Not all had ended after ${stopMs / 1000} s: the rest was killed.`)
    process.exit(1)
  }, stopMs)
  void end()
    .catch(complain)
    .finally(() => process.exit(code))
}

/** Within so long it is the same Ctrl-C: a terminal sends it to npm too, which sends it on. */
const sameSignalMs = 500

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (stopping !== undefined && Date.now() - stopping > sameSignalMs) process.exit(1)
    stopWith(0)
  })
// npm may be killed without a word to what it started
const parent = process.ppid
if (process.env['npm_lifecycle_event'] !== undefined)
  setInterval(() => process.ppid !== parent && stopWith(0), 1000).unref()

try {
  await run(program.parse().opts<Flags>())
} catch (error) {
  stopWith(1, error instanceof Error ? error.message : String(error))
}
