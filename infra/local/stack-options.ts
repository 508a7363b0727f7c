import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Table } from '../../shared/table/client.ts'
import type { GatewayOptions } from './gateway/gateway.ts'
import type { Around, LoadHandlers } from './handlers.ts'
import type { TokenKey } from './secrets/token-key.ts'

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
  /** Where actions are asked for over HTTP; any free port if absent. */
  httpPort?: number
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
  /** The functions; the bundles of `dist/` if absent. */
  handlers?: LoadHandlers
  /** Runs once the table is there, before anyone can connect. */
  prepare?(table: Table, engine: { client: DynamoDBClient; tableName: string }): Promise<void>
  /** Seconds until an agent or customer without a socket is offline. */
  presenceGraceS?: number
  /** Sends mobile notifications: with this service account's JSON, to `endpoint` in place of Google's. */
  fcm?: { serviceAccount: string; endpoint?: string }
  /** There is an event bus, which posts to a receiver where it has one. */
  events?: { to?: string }
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
  /** The gateway's options, for both endpoints. */
  gateway?: Pick<GatewayOptions, 'clock' | 'limits' | 'jitter' | 'faults' | 'onRequest'>
}
