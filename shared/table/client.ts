import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  TransactionCanceledException,
  TransactionConflictException,
  TransactionInProgressException,
} from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  BatchWriteCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { setTimeout as wait } from 'node:timers/promises'
import type { Family } from '../protocol/action.ts'
import { InternalError } from '../protocol/errors.ts'
import type {
  Attributes,
  CancellationReason,
  OnInvalidItem,
  Range,
  Reader,
  WriteOutcome,
  Writer,
} from './ops.ts'
import { type BatchedWrite, batchedWrite, plain, queryExpression, transactItem, withKey } from './requests.ts'
import { isThrottled, retryTransient } from './transient-errors.ts'

// without `info` the SDK spares filtering the input and the output of each call for a log that nobody keeps
const logger = Object.assign(Object.create(null), {
  trace: () => {},
  debug: () => {},
  warn: () => {},
  error: () => {},
})

/**
 * The engine's client, one per process. A hundred chats are read side by side: over the default 50 sockets
 * they would take three turns.
 */
export const tableClient = (): DynamoDBClient =>
  new DynamoDBClient({
    logger,
    requestHandler: new NodeHttpHandler({
      httpAgent: { maxSockets: 128, keepAlive: true },
      httpsAgent: { maxSockets: 128, keepAlive: true },
      socketAcquisitionWarningTimeout: 60_000,
    }),
  })

export interface Table<F extends Family = Family> {
  read: Reader<Family>
  write: Writer<F>
}

export interface TableOptions {
  client: DynamoDBClient
  tableName: string
  /** Aborts every call of this table that is under way, and refuses later ones. */
  signal?: AbortSignal
  onInvalidItem?: OnInvalidItem
}

/** The table for one request or one run: reads and writes as data, aborted together. `F`: what it takes. */
export const openTable = <F extends Family = Family>({
  client,
  tableName,
  signal,
  onInvalidItem,
}: TableOptions): Table<F> => {
  const documents = DynamoDBDocumentClient.from(client, {
    // a map with a key `constructor`, which properties may have, is taken for a class instance
    marshallOptions: { removeUndefinedValues: true, convertClassInstanceToMap: true },
  })
  const calls: Calls = {
    documents,
    TableName: tableName,
    options: signal === undefined ? {} : { abortSignal: signal },
    waiting: signal === undefined ? {} : { signal },
  }
  return {
    read: {
      get: get(calls),
      query: query(calls),
      batchGet: batchGet(calls),
      ...(onInvalidItem && { onInvalidItem }),
    },
    write: { write: write(calls), batch: batch(calls), transact: transact(calls) },
  }
}

/** What each call of a table needs. */
interface Calls {
  documents: DynamoDBDocumentClient
  TableName: string
  options: { abortSignal?: AbortSignal }
  /** For the pauses between calls. */
  waiting: { signal?: AbortSignal }
}

const get =
  ({ documents, TableName, options }: Calls): Reader<Family>['get'] =>
  async (key, { strong = false } = {}) => {
    const command = new GetCommand({ TableName, Key: { pk: key.pk, sk: key.sk }, ConsistentRead: strong })
    return (await retryTransient(() => documents.send(command, options))).Item
  }

const query =
  ({ documents, TableName, options }: Calls): Reader<Family>['query'] =>
  async (range: Range) => {
    const found: Attributes[] = []
    let start: Attributes | undefined
    do {
      const command = new QueryCommand({
        TableName,
        ...queryExpression(range),
        ScanIndexForward: range.backwards !== true,
        ConsistentRead: range.strong === true,
        ...(range.limit === undefined ? {} : { Limit: range.limit - found.length }),
        ...(range.only === undefined ? {} : { ProjectionExpression: range.only }),
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      })
      const page = await retryTransient(() => documents.send(command, options))
      found.push(...(page.Items ?? []))
      start = page.LastEvaluatedKey
    } while (start !== undefined && (range.limit === undefined || found.length < range.limit))
    return found
  }

const batchGet =
  ({ documents, TableName, options }: Calls): Reader<Family>['batchGet'] =>
  async (keys, { strong = false } = {}) => {
    const wanted = [...new Map(keys.map(({ pk, sk }) => [`${pk}\n${sk}`, { pk, sk }])).values()]
    const chunks = Array.from({ length: Math.ceil(wanted.length / 100) }, (_, i) =>
      wanted.slice(i * 100, i * 100 + 100),
    )
    const found = await Promise.all(
      chunks.map(async (chunk) => {
        const items: Attributes[] = []
        let left: Record<string, unknown>[] | undefined = chunk
        // over 16 MB, or throttled in part: what is left over comes back and is asked for again
        while (left !== undefined && left.length > 0) {
          const command = new BatchGetCommand({
            RequestItems: { [TableName]: { Keys: left, ConsistentRead: strong } },
          })
          const page: {
            Responses?: Record<string, Attributes[]> | undefined
            UnprocessedKeys?: Record<string, { Keys?: Attributes[] | undefined }> | undefined
          } = await retryTransient(() => documents.send(command, options))
          items.push(...(page.Responses?.[TableName] ?? []))
          left = page.UnprocessedKeys?.[TableName]?.Keys
        }
        return items
      }),
    )
    return found.flat()
  }

const write =
  ({ documents, TableName, options, waiting }: Calls): Writer['write'] =>
  async (op, { returns } = {}): Promise<WriteOutcome> => {
    const returned =
      returns === undefined
        ? {}
        : { ReturnValues: returns === 'old' ? ('ALL_OLD' as const) : ('ALL_NEW' as const) }
    const onFailure = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const
    for (let tries = 1; ; tries += 1)
      try {
        const { Attributes: attributes } = await send()
        return { done: true, attributes }
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return { done: false, found: plain(error.Item) }
        const conflict = error instanceof TransactionConflictException
        // a put that lost a race is made anew by its caller, of what it reads then
        if ('Put' in op && (conflict || isThrottled(error))) return { done: false, found: undefined }
        if (!conflict || tries === conflictTries) throw error
        await wait(Math.random() * 20 * tries, undefined, waiting)
      }
    function send(): Promise<{ Attributes?: Attributes | undefined }> {
      if ('Put' in op)
        return documents.send(new PutCommand({ TableName, ...op.Put, ...returned, ...onFailure }), options)
      if ('Update' in op)
        return documents.send(
          new UpdateCommand({ TableName, ...withKey(op.Update), ...returned, ...onFailure }),
          options,
        )
      if ('Delete' in op)
        return documents.send(
          new DeleteCommand({ TableName, ...withKey(op.Delete), ...returned, ...onFailure }),
          options,
        )
      throw new InternalError('A condition alone is written in a transaction only')
    }
  }

const batch =
  ({ documents, TableName, options, waiting }: Calls): Writer['batch'] =>
  async (ops) => {
    const chunks = Array.from({ length: Math.ceil(ops.length / 25) }, (_, i) =>
      ops.slice(i * 25, i * 25 + 25).map(batchedWrite),
    )
    // a caller that is told of a failure has no write under way any more
    const settled = await Promise.allSettled(
      chunks.map(async (chunk) => {
        let left: BatchedWrite[] | undefined = chunk
        for (let tries = 1; left !== undefined && left.length > 0; tries += 1) {
          // the ops left over were throttled
          if (tries > 1) await wait(Math.random() * Math.min(1000, 25 * 2 ** tries), undefined, waiting)
          const command = new BatchWriteCommand({ RequestItems: { [TableName]: left } })
          const answer: { UnprocessedItems?: Record<string, BatchedWrite[]> | undefined } =
            await documents.send(command, options)
          left = answer.UnprocessedItems?.[TableName]
        }
      }),
    )
    const failed = settled.find((one) => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

const transact =
  ({ documents, TableName, options }: Calls): Writer['transact'] =>
  async (ops) => {
    try {
      await documents.send(
        new TransactWriteCommand({ TransactItems: ops.map((op) => transactItem(TableName, op)) }),
        options,
      )
      return []
    } catch (error) {
      // the SDK's own repeat met the first attempt, whose outcome only a read can tell; or none was taken
      if (error instanceof TransactionInProgressException || isThrottled(error))
        return [{ index: -1, reason: 'conflict', found: undefined }]
      if (!(error instanceof TransactionCanceledException)) throw error
      const refusals = (error.CancellationReasons ?? []).flatMap(
        ({ Code, Item }, index): CancellationReason[] => {
          if (Code === 'ConditionalCheckFailed') return [{ index, reason: 'condition', found: plain(Item) }]
          return Code !== undefined && lostRaces.has(Code)
            ? [{ index, reason: 'conflict', found: undefined }]
            : []
        },
      )
      if (refusals.length === 0) throw error
      return refusals
    }
  }

// a transaction under way on an item holds it for some milliseconds
const conflictTries = 10

// the SDK retries none of these inside a cancelled transaction
const lostRaces: ReadonlySet<string> = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
])
