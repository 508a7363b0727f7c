import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Context } from 'aws-lambda'
import * as z from 'zod/mini'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import { dist as builtDist, handlers } from '../build.ts'
import { createTable } from './create-table.ts'
import { localClientConfig } from './dynamodb.ts'
import { type Gateway, type GatewayOptions, type Route, startGateway } from './gateway.ts'
import { startKeyServer } from './key-server.ts'
import { startQueue } from './queue.ts'
import { startSecretServer } from './secret-server.ts'
import type { FilterPattern } from './stream-records.ts'
import { startStream } from './streams.ts'
import type { TokenKey } from './token-key.ts'

export interface StackOptions {
  /** The engine as the Lambdas reach it; with `engine`, what runs behind a proxy. */
  endpoint: string
  engine?: string
  tableName: string
  key: TokenKey
  issuer: string
  audience: string
  /** 0: any free port. */
  port: number
  dist?: string
  /** Runs once the table is there, before anyone can connect. */
  prepare?(table: Table): Promise<void>
  /** Seconds until an agent without a socket is offline. */
  presenceGraceS?: number
  /** Sends mobile notifications: with this service account's JSON, to `endpoint` in place of Google's. */
  fcm?: { serviceAccount: string; endpoint?: string }
  /** Multiplies every delay of the delay queue. */
  delayScale?: number
  gateway?: Pick<GatewayOptions, 'clock' | 'limits' | 'jitter' | 'faults' | 'onRequest'>
}

export interface LocalStack {
  gateway: Gateway
  queue: Awaited<ReturnType<typeof startQueue>>
  stream: Awaited<ReturnType<typeof startStream>>
  table: Table
  agentUrl: string
  /** Runs the clock's worker, as each minute does. */
  tick(): Promise<void>
  /** What the gateway does for a connection that is gone. */
  disconnect(connection: string): Promise<void>
  /** Resolves when requests, stream and what follows from it are done; delayed jobs are not waited for. */
  settled(): Promise<void>
  stop(): Promise<void>
}

const fcmSecretId = 'fcm'
const newEntries: FilterPattern = {
  eventName: ['INSERT'],
  dynamodb: { Keys: { pk: { S: [{ prefix: 'CHAT#' }] }, sk: { S: [{ prefix: 'LOG#' }] } } },
}

/** A bundle's `handler`: of an action, which takes a context, or of a worker, which needs none. */
type Handler = (event: unknown, context?: Context) => unknown

/** The bundles of `dist`, each imported once: by `load`, or when it is first invoked. One that failed is tried again. */
export const openHandlers = (dist: string) => {
  const loaded = new Map<string, Promise<Handler>>()
  const load = (name: string): Promise<Handler> => {
    const known = loaded.get(name)
    if (known !== undefined) return known
    const handler = importHandler(join(dist, name, 'index.mjs'))
    loaded.set(name, handler)
    handler.catch(() => loaded.delete(name)) // whoever awaits it sees the failure
    return handler
  }
  const handler =
    (name: string): Handler =>
    async (event, context) =>
      (await load(name))(event, context)
  return { load, handler }
}

const importHandler = async (file: string): Promise<Handler> => {
  if (!existsSync(file)) throw new Error(`${file} is missing: npm run build makes it`)
  const { handler }: { handler: Handler } = await import(pathToFileURL(file).href)
  return handler
}

/** What a worker on a stream or a queue answers: which records are to come again. */
const BatchResponse = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) })

/**
 * Everything that `cdk deploy` makes, on this machine: the same bundles behind the local gateway, the table's stream
 * and the delay queue with their workers, the clock. The bundles read their settings from this process's environment,
 * so one process runs one stack.
 */
export const startStack = async (options: StackOptions): Promise<LocalStack> => {
  const { endpoint, engine = endpoint, tableName, key, issuer, audience } = options
  const { load, handler } = openHandlers(options.dist ?? builtDist)
  const client = new DynamoDBClient(localClientConfig(engine))
  await createTable(client, tableName)
  const table = openTable({ client, tableName })
  await options.prepare?.(table)
  const keyServer = await startKeyServer(key)
  const secrets = options.fcm && (await startSecretServer({ [fcmSecretId]: options.fcm.serviceAccount }))

  const batch = async (name: string, event: unknown) =>
    BatchResponse.parse(await handler(`worker/${name}`)(event))
  const queue = await startQueue({
    name: 'later',
    handler: (event) => batch('later', event),
    ...(options.delayScale === undefined ? {} : { delayScale: options.delayScale }),
  })

  const route = (name: string, twoWay: boolean): Route => ({
    twoWay,
    handler: handler(name),
    functionName: name,
  })
  const routes = new Map<string, Route>([
    ['$connect', route('socket/connect', false)],
    ['$disconnect', route('socket/disconnect', false)],
    ['$default', route('socket/default', true)],
    ...agentActions.map(({ name }): [string, Route] => [name, route(`agent/${name}`, true)]),
  ])
  const gateway = await startGateway({
    apiId: 'agents',
    stage: 'v1',
    port: options.port,
    routes,
    ...options.gateway,
  })
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_DYNAMODB: endpoint,
    AWS_ENDPOINT_URL_SQS: new URL(queue.url).origin,
    TABLE_NAME: tableName,
    AGENT_CALLBACK_URL: gateway.callbackUrl,
    LATER_QUEUE_URL: queue.url,
    TOKEN_ISSUER: issuer,
    TOKEN_AUDIENCE: audience,
    TOKEN_JWKS_URL: keyServer.url,
    PRESENCE_GRACE_S: String(options.presenceGraceS ?? 20),
    // one process, one clock
    CLOCK_SKEW_MS: '0',
  })
  if (secrets !== undefined)
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      FCM_SECRET_ID: fcmSecretId,
      ...(options.fcm?.endpoint !== undefined && { FCM_ENDPOINT: options.fcm.endpoint }),
    })
  // now that they find their environment, and before another build may replace them
  await Promise.all(handlers().map(load))
  const stream = await startStream({
    endpoint: engine,
    tableName,
    workers: [
      {
        name: 'notify',
        filter: [
          { dynamodb: { Keys: { pk: { S: [{ prefix: 'LICENSE#' }] } } } },
          ...(secrets === undefined ? [] : [newEntries]),
        ],
        handler: (event) => batch('notify', event),
      },
    ],
  })

  return {
    gateway,
    queue,
    stream,
    table,
    agentUrl: gateway.url,
    tick: async () => {
      await handler('worker/clock')({})
    },
    disconnect: async (connection) => {
      await handler('socket/disconnect')({ requestContext: { connectionId: connection } })
    },
    settled: async () => {
      await gateway.idle()
      // what the workers write and send comes back by stream and queue
      await stream.settled()
      await queue.settled()
      await gateway.idle()
      await stream.settled()
    },
    stop: async () => {
      await gateway.close()
      await stream.stop()
      await queue.stop()
      await keyServer.stop()
      await secrets?.stop()
      client.destroy()
    },
  }
}
