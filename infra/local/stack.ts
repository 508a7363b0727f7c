import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { setTimeout as wait } from 'node:timers/promises'
import * as z from 'zod/mini'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import { dist as builtDist, handlers } from '../build.ts'
import { indexed, newEntries, ofAccounts, ofEvents } from '../stack/stream-filters.ts'
import { type HandlerOf, startEndpoint, startHttp } from './endpoints.ts'
import { createTable } from './engine/create-table.ts'
import { localClientConfig } from './engine/engine.ts'
import { type LocalEvents, startEvents } from './events/events.ts'
import { type FunctionServer, startFunctionServer } from './function-server.ts'
import type { Gateway } from './gateway/gateway.ts'
import type { HttpApi } from './gateway/http-api.ts'
import { bundlesIn, openHandlers, type Settings } from './handlers.ts'
import { startQueue } from './queue/queue.ts'
import { newCustomerKey } from './secrets/customer-key.ts'
import { startKeyServer } from './secrets/key-server.ts'
import { startSecretServer } from './secrets/secret-server.ts'
import type { StackOptions } from './stack-options.ts'
import { customerKeyId, eventBus, fcmSecretId, settingsOf } from './stack-settings.ts'
import { openCheckpoint } from './stream/checkpoint.ts'
import type { StreamWorker } from './stream/stream-worker.ts'
import { type LocalStream, startStream } from './stream/streams.ts'

export interface LocalStack {
  /** The agents' endpoint. */
  gateway: Gateway
  /** The customers' endpoint. */
  customers: Gateway
  /** The HTTP API of agents' actions. */
  http: HttpApi
  queue: Awaited<ReturnType<typeof startQueue>>
  /** The functions that are invoked asynchronously. */
  functions: FunctionServer
  stream: LocalStream
  /** The event bus; undefined: there is none. */
  events: LocalEvents | undefined
  table: Table
  /** What the functions find in their environment; a test may change it. */
  settings: Settings
  agentUrl: string
  /** Without its query string: clients add `?license_id=`. */
  customerUrl: string
  /** Where agents' actions are asked for over HTTP; paths follow. */
  httpUrl: string
  /** Where bots get their tokens, by the client-credentials flow. */
  tokenUrl: string
  /** A new key for customers' tokens, made up unless given; the one before it still verifies. */
  rotateCustomerKey(value?: string): void
  /** Runs the clock's worker, as each minute does; `atMs` is the time that it takes it to be. */
  tick(atMs?: number): Promise<void>
  /** What either gateway does for a connection that is gone. */
  disconnect(connection: string): Promise<void>
  /**
   * Resolves when requests of both endpoints, stream and what follows from it are done; delayed jobs are not
   * waited for.
   */
  settled(): Promise<void>
  stop(): Promise<void>
}

const noStream: LocalStream = { settled: async () => {}, stop: async () => {} }
const longestSettlingMs = 3000

/** The answer of a worker on a stream or a queue: which records are to come again. */
const BatchResponse = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) })

/**
 * Everything that `cdk deploy` makes, on this machine: the same bundles behind the local gateway, the table's
 * stream and the delay queue with their workers, the clock.
 */
export const startStack = async (options: StackOptions): Promise<LocalStack> => {
  const { endpoint, engine = endpoint, tableName } = options
  const client = new DynamoDBClient(localClientConfig(engine))
  await createTable(client, tableName, { stream: options.stream !== false })
  const table = openTable({ client, tableName })
  await options.prepare?.(table, { client, tableName })

  // servers are there before the functions, whose settings have their addresses
  let functionsOf: ReturnType<typeof openHandlers> | undefined
  const handler: HandlerOf = (name) => (event, context) => {
    if (functionsOf === undefined) throw new Error(`${name} was invoked before the stack was ready`)
    return functionsOf.handler(name)(event, context)
  }
  const servers = await startServers(options, handler)
  const { gateway, customers, http, queue, functions, secrets, events } = servers
  const settings = settingsOf(options, {
    queueUrl: queue.url,
    secretsUrl: secrets.url,
    jwksUrl: servers.keyServer.url,
    fanOutUrl: functions.urlOf('fan_out'),
    eventsUrl: events?.url,
    agents: gateway,
    customers,
  })
  functionsOf = openHandlers((options.handlers ?? bundlesIn(builtDist))(settings), options.around)
  // before another build may replace them
  await Promise.all(handlers().map(functionsOf.load))
  const stream =
    options.stream === false
      ? noStream
      : await startStream({
          endpoint: engine,
          tableName,
          workers: streamWorkers(options, handler, queue),
          ...(options.streamPollMs === undefined ? {} : { pollMs: options.streamPollMs }),
        })

  return {
    gateway,
    customers,
    http,
    queue,
    functions,
    stream,
    events,
    table,
    settings,
    agentUrl: gateway.url,
    customerUrl: customers.url,
    tokenUrl: servers.keyServer.tokenUrl,
    httpUrl: http.url,
    rotateCustomerKey: (value = newCustomerKey()) => secrets.rotate(customerKeyId, value),
    tick: (atMs) => tick(handler, atMs),
    disconnect: async (connection) => {
      await handler('socket/disconnect')({ requestContext: { connectionId: connection } })
    },
    settled: () => settled(servers, stream),
    stop: async () => {
      // the next run does not hand out what this one has not indexed
      await stop(servers, stream, options.index === false ? 0 : longestSettlingMs)
      client.destroy()
    },
  }
}

const tick = async (handler: HandlerOf, atMs: number | undefined): Promise<void> => {
  await handler('worker/clock')(atMs === undefined ? {} : { time: new Date(atMs).toISOString() })
}

const batchOf = (handler: HandlerOf, worker: string) => async (event: unknown) =>
  BatchResponse.parse(await handler(`worker/${worker}`)(event))

type Servers = Awaited<ReturnType<typeof startServers>>

/** Everything that listens. */
const startServers = async (options: StackOptions, handler: HandlerOf) => {
  const keyServer = await startKeyServer(options)
  const secrets = await startSecretServer({
    [customerKeyId]: options.customerKey ?? newCustomerKey(),
    ...(options.fcm && { [fcmSecretId]: options.fcm.serviceAccount }),
  })
  const queue = await startQueue({
    name: 'later',
    handler: batchOf(handler, 'later'),
    ...(options.delayScale === undefined ? {} : { delayScale: options.delayScale }),
    ...(options.queueRetryMs === undefined ? {} : { retryDelayMs: options.queueRetryMs }),
  })
  const functions = await startFunctionServer({ fan_out: handler('worker/fan_out') })
  const gateway = await startEndpoint(options, handler, {
    apiId: 'agents',
    port: options.port,
    audience: 'agent',
    actions: agentActions,
    connect: 'socket/connect',
  })
  const customers = await startEndpoint(options, handler, {
    apiId: 'customers',
    port: options.customerPort ?? 0,
    audience: 'customer',
    actions: customerActions,
    connect: 'socket/connect-customer',
  })
  const http = await startHttp(options, handler)
  const events = options.events && (await startEvents({ bus: eventBus, to: options.events.to }))
  return { keyServer, secrets, queue, functions, gateway, customers, http, events }
}

const streamWorkers = (
  options: StackOptions,
  handler: HandlerOf,
  queue: Servers['queue'],
): StreamWorker[] => {
  const notify: StreamWorker = {
    name: 'notify',
    filter: [
      ...ofAccounts,
      ...(options.fcm === undefined || options.events !== undefined ? [] : [newEntries]),
      ...(options.events === undefined ? [] : [ofEvents]),
    ],
    handler: batchOf(handler, 'notify'),
    // as deployed
    maxAttempts: options.events === undefined ? 11 : 1001,
  }
  if (options.index === false) return [notify]
  const index: StreamWorker = {
    name: 'index',
    filter: indexed,
    handler: batchOf(handler, 'index'),
    // as deployed: it is rather tried again than given up on
    maxAttempts: 10,
    ...(options.indexedUpTo !== undefined && {
      // threads that follow their chat do so by the queue
      checkpoint: openCheckpoint(options.indexedUpTo, () => queue.settled()),
    }),
  }
  return [notify, index]
}

const settled = async (
  { gateway, customers, http, functions, queue, events }: Servers,
  stream: LocalStream,
): Promise<void> => {
  const idle = async () => {
    await http.idle()
    await gateway.idle()
    // what it does may reach agents
    await customers.idle()
    await gateway.idle()
    await functions.idle()
  }
  await idle()
  for (;;) {
    await queue.settled()
    await idle()
    const before = queue.given()
    await stream.settled()
    // what the stream's workers put off has written, too
    await events?.settled()
    if (queue.isSettled() && queue.given() === before) return
  }
}

/** Ends everything, once the stream has settled, or that takes too long. */
const stop = async (
  { gateway, customers, http, queue, functions, keyServer, secrets, events }: Servers,
  stream: LocalStream,
  settlingMs: number,
): Promise<void> => {
  await Promise.all([gateway.close(), customers.close(), http.close()])
  if (settlingMs > 0)
    await Promise.race([stream.settled().catch(() => {}), wait(settlingMs, undefined, { ref: false })])
  for (const part of [stream, queue, functions, keyServer, secrets, events]) await part?.stop()
}
