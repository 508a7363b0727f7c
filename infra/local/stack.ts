import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { setTimeout as wait } from 'node:timers/promises'
import * as z from 'zod/mini'
import type { ActionSpec } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import { dist as builtDist, handlers } from '../build.ts'
import { indexed, newEntries, ofAccounts } from '../stack/stream-filters.ts'
import { createTable } from './engine/create-table.ts'
import { localClientConfig } from './engine/engine.ts'
import { type FunctionServer, startFunctionServer } from './function-server.ts'
import { type Gateway, type GatewayOptions, type Route, startGateway } from './gateway/gateway.ts'
import {
  type Around,
  bundlesIn,
  type Handler,
  type LoadHandlers,
  openHandlers,
  type Settings,
} from './handlers.ts'
import { startQueue } from './queue/queue.ts'
import { newCustomerKey } from './secrets/customer-key.ts'
import { startKeyServer } from './secrets/key-server.ts'
import { startSecretServer } from './secrets/secret-server.ts'
import type { TokenKey } from './secrets/token-key.ts'
import { openCheckpoint } from './stream/checkpoint.ts'
import { type LocalStream, startStream } from './stream/streams.ts'

export interface StackOptions {
  /** The engine as the Lambdas reach it; with `engine`, what runs behind a proxy. */
  endpoint: string
  engine?: string
  tableName: string
  key: TokenKey
  issuer: string
  audience: string
  /** Where agents connect. 0: any free port. */
  port: number
  /** Where customers connect; any free port if absent. */
  customerPort?: number
  /** What customers' tokens are signed with, random text of 32 characters or more; a new one if absent. */
  customerKey?: string
  /**
   * What a customer may ask for in a minute, by action, how many times that its address, and how many threads
   * a license's customers may begin; 0, and all if absent: no limit.
   */
  rates?: {
    startChat: number
    sendEvent: number
    other: number
    addressFactor: number
    licenseStarts?: number
  }
  /** What an agent may ask for in a minute; as `rates`. */
  agentRates?: { startChat: number; sendEvent: number; other: number }
  /** What the functions are; the bundles of `dist/` if absent. */
  handlers?: LoadHandlers
  /** Runs once the table is there, before anyone can connect. */
  prepare?(table: Table, engine: { client: DynamoDBClient; tableName: string }): Promise<void>
  /** Seconds until an agent or customer without a socket is offline. */
  presenceGraceS?: number
  /** Sends mobile notifications: with this service account's JSON, to `endpoint` in place of Google's. */
  fcm?: { serviceAccount: string; endpoint?: string }
  /** `false`: nothing is indexed, so that searches find nothing. */
  index?: boolean
  /**
   * A file that says up to where the index has come, so that the next stack on the same data goes on there.
   */
  indexedUpTo?: string
  /** `false`: the table has no stream, so that no worker hears what is written to it. */
  stream?: boolean
  /** Multiplies every delay of the delay queue. */
  delayScale?: number
  /** Milliseconds until a message that the delay queue's worker failed with comes again. */
  queueRetryMs?: number
  /** Milliseconds between polls of the table's stream. */
  streamPollMs?: number
  /** Runs every Lambda, as a test wants it: twice, not to its end, on another event. */
  around?: Around
  /** Of both endpoints. */
  gateway?: Pick<GatewayOptions, 'clock' | 'limits' | 'jitter' | 'faults' | 'onRequest'>
}

export interface LocalStack {
  /** The agents' endpoint. */
  gateway: Gateway
  /** The customers' endpoint. */
  customers: Gateway
  queue: Awaited<ReturnType<typeof startQueue>>
  /** What is invoked asynchronously. */
  functions: FunctionServer
  stream: LocalStream
  table: Table
  /** What the functions find in their environment; a test may change it. */
  settings: Settings
  agentUrl: string
  /** Without its query string: clients add `?license_id=`. */
  customerUrl: string
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
const fcmSecretId = 'fcm'
const customerKeyId = 'customer-key'
const noLimits: NonNullable<StackOptions['rates']> = {
  startChat: 0,
  sendEvent: 0,
  other: 0,
  addressFactor: 0,
}
/** What differs between the endpoints. */
interface Endpoint {
  /** The bundles' folder. */
  readonly audience: string
  readonly actions: readonly ActionSpec[]
  /** The bundle of `$connect`. */
  readonly connect: string
}

/** What a worker on a stream or a queue answers: which records are to come again. */
const BatchResponse = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) })

/**
 * Everything that `cdk deploy` makes, on this machine: the same bundles behind the local gateway, the table's
 * stream and the delay queue with their workers, the clock.
 */
export const startStack = async (options: StackOptions): Promise<LocalStack> => {
  const { endpoint, engine = endpoint, tableName, key, issuer, audience } = options
  const client = new DynamoDBClient(localClientConfig(engine))
  await createTable(client, tableName, { stream: options.stream !== false })
  const table = openTable({ client, tableName })
  await options.prepare?.(table, { client, tableName })
  const keyServer = await startKeyServer(key)
  const secrets = await startSecretServer({
    [customerKeyId]: options.customerKey ?? newCustomerKey(),
    ...(options.fcm && { [fcmSecretId]: options.fcm.serviceAccount }),
  })

  // servers are there before the functions, whose settings have their addresses
  let functionsOf: ReturnType<typeof openHandlers> | undefined
  const handler =
    (name: string): Handler =>
    (event, context) => {
      if (functionsOf === undefined) throw new Error(`${name} was invoked before the stack was ready`)
      return functionsOf.handler(name)(event, context)
    }
  const batch = async (name: string, event: unknown) =>
    BatchResponse.parse(await handler(`worker/${name}`)(event))
  const queue = await startQueue({
    name: 'later',
    handler: (event) => batch('later', event),
    ...(options.delayScale === undefined ? {} : { delayScale: options.delayScale }),
    ...(options.queueRetryMs === undefined ? {} : { retryDelayMs: options.queueRetryMs }),
  })

  const functions = await startFunctionServer({ fan_out: handler('worker/fan_out') })

  const route = (name: string, twoWay: boolean): Route => ({
    twoWay,
    handler: handler(name),
    functionName: name,
  })
  const startEndpoint = (apiId: string, port: number, of: Endpoint): Promise<Gateway> =>
    startGateway({
      apiId,
      stage: 'v1',
      port,
      routes: new Map<string, Route>([
        ['$connect', route(of.connect, false)],
        ['$disconnect', route('socket/disconnect', false)],
        ['$default', route('socket/default', true)],
        ...of.actions.map(({ name }): [string, Route] => [name, route(`${of.audience}/${name}`, true)]),
      ]),
      ...options.gateway,
    })
  const gateway = await startEndpoint('agents', options.port, {
    audience: 'agent',
    actions: agentActions,
    connect: 'socket/connect',
  })
  const customers = await startEndpoint('customers', options.customerPort ?? 0, {
    audience: 'customer',
    actions: customerActions,
    connect: 'socket/connect-customer',
  })
  const { startChat, sendEvent, other, addressFactor, licenseStarts = 0 } = options.rates ?? noLimits
  const settings: Settings = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_DYNAMODB: endpoint,
    AWS_ENDPOINT_URL_SQS: new URL(queue.url).origin,
    TABLE_NAME: tableName,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    AGENT_CALLBACK_URL: gateway.callbackUrl,
    CUSTOMER_CALLBACK_URL: customers.callbackUrl,
    CUSTOMER_KEY_SECRET_ID: customerKeyId,
    RATE_START_CHAT: String(startChat),
    RATE_SEND_EVENT: String(sendEvent),
    RATE_OTHER: String(other),
    RATE_ADDRESS_FACTOR: String(addressFactor),
    RATE_LICENSE_START_CHAT: String(licenseStarts),
    AGENT_RATE_START_CHAT: String(options.agentRates?.startChat ?? 0),
    AGENT_RATE_SEND_EVENT: String(options.agentRates?.sendEvent ?? 0),
    AGENT_RATE_OTHER: String(options.agentRates?.other ?? 0),
    LATER_QUEUE_URL: queue.url,
    FAN_OUT_URL: functions.urlOf('fan_out'),
    TOKEN_ISSUER: issuer,
    TOKEN_AUDIENCE: audience,
    TOKEN_JWKS_URL: keyServer.url,
    PRESENCE_GRACE_S: String(options.presenceGraceS ?? 20),
    // one process, one clock
    CLOCK_SKEW_MS: '0',
    ...(options.fcm !== undefined && { FCM_SECRET_ID: fcmSecretId }),
    ...(options.fcm?.endpoint !== undefined && { FCM_ENDPOINT: options.fcm.endpoint }),
  }
  functionsOf = openHandlers((options.handlers ?? bundlesIn(builtDist))(settings), options.around)
  // before another build may replace them
  await Promise.all(handlers().map(functionsOf.load))
  const streamOptions: Parameters<typeof startStream>[0] = {
    endpoint: engine,
    tableName,
    ...(options.streamPollMs === undefined ? {} : { pollMs: options.streamPollMs }),
    workers: [
      {
        name: 'notify',
        filter: [...ofAccounts, ...(options.fcm === undefined ? [] : [newEntries])],
        handler: (event) => batch('notify', event),
        // as deployed
        maxAttempts: 11,
      },
      ...(options.index === false
        ? []
        : [
            {
              name: 'index',
              filter: indexed,
              handler: (event: unknown) => batch('index', event),
              // as deployed: it is rather tried again than given up on
              maxAttempts: 10,
              ...(options.indexedUpTo !== undefined && {
                // threads that follow their chat do so by the queue
                checkpoint: openCheckpoint(options.indexedUpTo, () => queue.settled()),
              }),
            },
          ]),
    ],
  }
  const stream = options.stream === false ? noStream : await startStream(streamOptions)

  const idle = async () => {
    await gateway.idle()
    // what it does may reach agents
    await customers.idle()
    await gateway.idle()
    await functions.idle()
  }
  return {
    gateway,
    customers,
    queue,
    functions,
    stream,
    table,
    settings,
    agentUrl: gateway.url,
    customerUrl: customers.url,
    rotateCustomerKey: (value = newCustomerKey()) => secrets.rotate(customerKeyId, value),
    tick: async (atMs) => {
      await handler('worker/clock')(atMs === undefined ? {} : { time: new Date(atMs).toISOString() })
    },
    disconnect: async (connection) => {
      await handler('socket/disconnect')({ requestContext: { connectionId: connection } })
    },
    settled: async () => {
      await idle()
      for (;;) {
        await queue.settled()
        await idle()
        const before = queue.handedOut()
        await stream.settled()
        // what the stream's workers put off has written, too
        if (queue.isSettled() && queue.handedOut() === before) return
      }
    },
    stop: async () => {
      await Promise.all([gateway.close(), customers.close()])
      // what is not indexed by now is not handed out by the next run
      if (options.index !== false)
        await Promise.race([
          stream.settled().catch(() => {}),
          wait(longestSettlingMs, undefined, { ref: false }),
        ])
      await stream.stop()
      await queue.stop()
      await functions.stop()
      await keyServer.stop()
      await secrets.stop()
      client.destroy()
    },
  }
}
