import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactGetItemsCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { localClientConfig } from '../../infra/local/engine/engine.ts'
import { startStream } from '../../infra/local/stream/streams.ts'
import { itemBytes } from '../support/capacity.ts'
import { type Call, type EngineProxy, sequentialDepth, startEngineProxy } from '../support/engine-proxy.ts'
import { freshTable, startEngines } from '../support/engines.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

const key = (sk: string) => ({ pk: { S: 'A' }, sk: { S: sk } })
/** An item of exactly that size. */
const sized = (sk: string, bytes: number) => {
  const item = { ...key(sk), v: { S: '' } }
  return { ...item, v: { S: 'x'.repeat(bytes - itemBytes(item)) } }
}

describe.each(engines)('the proxy before $label', ({ endpoint }) => {
  let proxy: EngineProxy
  let client: DynamoDBClient
  let TableName: string
  beforeAll(async () => {
    proxy = await startEngineProxy(endpoint)
    client = new DynamoDBClient({ ...localClientConfig(proxy.endpoint), maxAttempts: 1 })
    TableName = (await freshTable(endpoint)).tableName
    await client.send(new PutItemCommand({ TableName, Item: sized('1k', 1024) }))
    await client.send(new PutItemCommand({ TableName, Item: sized('5k', 5 * 1024) }))
  })
  afterAll(() => proxy.stop())

  const get = (sk: string, ConsistentRead = true) =>
    client.send(new GetItemCommand({ TableName, Key: key(sk), ConsistentRead }))
  const put = (sk: string, bytes = 100) =>
    client.send(new PutItemCommand({ TableName, Item: sized(sk, bytes) }))
  const query = (pk: string, ConsistentRead: boolean) =>
    client.send(
      new QueryCommand({
        TableName,
        ConsistentRead,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: pk } },
      }),
    )
  const inTransaction = (...TransactItems: object[]) =>
    client.send(new TransactWriteItemsCommand({ TransactItems }))
  const exists = { ConditionExpression: 'attribute_exists(pk)' }
  const isNew = { ConditionExpression: 'attribute_not_exists(pk)' }
  const refused = (sent: Promise<unknown>) =>
    sent.then(
      () => expect.unreachable(),
      () => undefined,
    )

  it.each<[string, () => Promise<unknown>, { rru?: number; wru?: number }]>([
    ['a strong read', () => get('1k'), { rru: 1 }],
    ['a strong read of 5 KB', () => get('5k'), { rru: 2 }],
    ['an eventual read', () => get('1k', false), { rru: 0.5 }],
    ['a strong read of nothing', () => get('none'), { rru: 1 }],
    ['a strong query over 6 KB', () => query('A', true), { rru: 2 }],
    ['an eventual query over 6 KB', () => query('A', false), { rru: 1 }],
    ['a strong query of nothing', () => query('none', true), { rru: 1 }],
    ['an eventual query of nothing', () => query('none', false), { rru: 0.5 }],
    [
      'a strong batch of reads, one of nothing',
      () =>
        client.send(
          new BatchGetItemCommand({
            RequestItems: { [TableName]: { ConsistentRead: true, Keys: ['1k', '5k', 'none'].map(key) } },
          }),
        ),
      { rru: 4 },
    ],
    [
      'an eventual batch of reads',
      () =>
        client.send(
          new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: ['1k', '5k'].map(key) } } }),
        ),
      { rru: 1.5 },
    ],
    [
      'a transaction of reads',
      () =>
        client.send(
          new TransactGetItemsCommand({
            TransactItems: ['1k', '5k', 'none'].map((sk) => ({ Get: { TableName, Key: key(sk) } })),
          }),
        ),
      { rru: 8 },
    ],
    ['a put of 1 KB', () => put('1k', 1024), { wru: 1 }],
    ['a put of 1 KB and a byte', () => put('other', 1025), { wru: 2 }],
    [
      'an update',
      () =>
        client.send(
          new UpdateItemCommand({
            TableName,
            Key: key('new'),
            UpdateExpression: 'SET x = :x',
            ExpressionAttributeValues: { ':x': { S: '1' } },
          }),
        ),
      { wru: 1 },
    ],
    [
      'a delete of 2 KB',
      () => client.send(new DeleteItemCommand({ TableName, Key: key('other') })),
      { wru: 2 },
    ],
    [
      'a delete of nothing',
      () => client.send(new DeleteItemCommand({ TableName, Key: key('none') })),
      { wru: 1 },
    ],
    [
      'a refused put',
      () => refused(client.send(new PutItemCommand({ TableName, Item: sized('1k', 100), ...isNew }))),
      { wru: 1 },
    ],
    [
      'a batch of writes',
      () =>
        client.send(
          new BatchWriteItemCommand({
            RequestItems: {
              [TableName]: [
                { PutRequest: { Item: sized('b', 1025) } },
                { DeleteRequest: { Key: key('none') } },
              ],
            },
          }),
        ),
      { wru: 3 },
    ],
    [
      'a transaction of small writes',
      () =>
        inTransaction(
          { Put: { TableName, Item: sized('t1', 100) } },
          { Put: { TableName, Item: sized('t2', 1025) } },
          { ConditionCheck: { TableName, Key: key('1k'), ...exists } },
          { Delete: { TableName, Key: key('none') } },
        ),
      { wru: 10 },
    ],
    [
      'a cancelled transaction',
      () =>
        refused(
          inTransaction(
            { Put: { TableName, Item: key('t3') } },
            { Put: { TableName, Item: key('1k'), ...isNew } },
          ),
        ),
      { wru: 4 },
    ],
  ])('prices %s', async (_, call, { rru = 0, wru = 0 }) => {
    const recorded = await proxy.record(call)
    expect(recorded).toMatchObject({ rru, wru, sequentialDepth: 1, calls: [{ rru, wru }] })
  })

  it('tells what was called', async () => {
    const { calls, result } = await proxy.record(() => get('1k'))
    expect(calls).toMatchObject([
      { operation: 'GetItem', request: { TableName, Key: key('1k') }, status: 200 },
    ])
    expect(calls[0]!.endedAt).toBeGreaterThan(calls[0]!.startedAt)
    expect(result.Item).toEqual(sized('1k', 1024))
  })

  it('tells calls side by side from calls one after the other', async () => {
    proxy.setDelay(20)
    onTestFinished(() => proxy.setDelay(0))
    const sideBySide = await proxy.record(() => Promise.all(['a', 'b', 'c', 'd'].map((sk) => get(sk))))
    expect(sideBySide).toMatchObject({ sequentialDepth: 1, rru: 4 })
    const mixed = await proxy.record(async () => {
      await Promise.all([get('a'), get('b')])
      await Promise.all([put('a'), query('none', true)])
    })
    expect(mixed).toMatchObject({ sequentialDepth: 2, rru: 3, wru: 1 })
    expect(mixed.calls).toHaveLength(4)
  })

  it('makes a call fail without performing it', async () => {
    onTestFinished(() => proxy.setFault(undefined))
    proxy.setFault(({ operation }) =>
      operation === 'PutItem' ? { errorType: 'TransactionConflictException' } : undefined,
    )
    await expect(put('spoiled')).rejects.toMatchObject({
      name: 'TransactionConflictException',
      $metadata: { httpStatusCode: 400 },
    })
    expect((await get('spoiled')).Item).toBeUndefined()
    proxy.setFault(() => ({ errorType: 'InternalServerError' }))
    await expect(put('spoiled')).rejects.toMatchObject({
      name: 'InternalServerError',
      $metadata: { httpStatusCode: 500 },
    })
    proxy.setFault(() => ({ errorType: 'ProvisionedThroughputExceededException' }))
    const { calls, wru } = await proxy.record(() => refused(put('spoiled')))
    expect(calls).toMatchObject([{ status: 400 }])
    expect(wru).toBe(0)
  })

  it('gives the reasons of a cancelled transaction', async () => {
    onTestFinished(() => proxy.setFault(undefined))
    const CancellationReasons = [{ Code: 'TransactionConflict' }, { Code: 'None' }]
    proxy.setFault(() => ({ errorType: 'TransactionCanceledException', body: { CancellationReasons } }))
    const sent = inTransaction({ Put: { TableName, Item: key('x') } })
    await expect(sent).rejects.toMatchObject({ name: 'TransactionCanceledException', CancellationReasons })
  })

  it.each([
    ['an error in place of the answer', { errorType: 'InternalServerError', afterWrite: true }],
    ['a connection cut after the write', { reset: true, afterWrite: true }],
  ])('performs the call and loses the answer: %s', async (_, fault) => {
    onTestFinished(() => proxy.setFault(undefined))
    const sk = crypto.randomUUID()
    proxy.setFault(({ operation }) => (operation === 'PutItem' ? fault : undefined))
    const { wru } = await proxy.record(() => refused(put(sk)))
    expect(wru).toBe(1)
    expect((await get(sk)).Item).toBeDefined()
  })

  it('cuts the connection before the write', async () => {
    onTestFinished(() => proxy.setFault(undefined))
    proxy.setFault(({ operation }) => (operation === 'PutItem' ? { reset: true } : undefined))
    const { calls } = await proxy.record(() => refused(put('cut')))
    expect(calls).toMatchObject([{ status: 0, wru: 0 }])
    expect((await get('cut')).Item).toBeUndefined()
  })

  it('lets the SDK retry a fault that passes', async () => {
    onTestFinished(() => proxy.setFault(undefined))
    const retrying = new DynamoDBClient(localClientConfig(proxy.endpoint))
    let left = 1
    proxy.setFault(() => (left-- > 0 ? { reset: true, afterWrite: true } : undefined))
    const { calls } = await proxy.record(() =>
      retrying.send(new PutItemCommand({ TableName, Item: key('again') })),
    )
    expect(calls.map(({ status }) => status)).toEqual([0, 200])
  })

  it('holds a call for as long as the test likes', async () => {
    onTestFinished(() => proxy.setFault(undefined))
    const gate = Promise.withResolvers<undefined>()
    const held = Promise.withResolvers<void>()
    proxy.setFault(({ operation }) => {
      if (operation !== 'PutItem') return undefined
      held.resolve()
      return gate.promise
    })
    const sent = put('held')
    await held.promise
    expect((await get('held')).Item).toBeUndefined()
    gate.resolve(undefined)
    await sent
    expect((await get('held')).Item).toBeDefined()
  })

  it('passes streams on and lists none of their calls', async () => {
    const seen: string[] = []
    const { calls } = await proxy.record(async () => {
      const stream = await startStream({
        endpoint: proxy.endpoint,
        tableName: TableName,
        workers: [
          {
            name: 'w',
            handler: async ({ Records }) =>
              void seen.push(...Records.map(({ dynamodb }) => dynamodb?.Keys?.['sk']?.S ?? '')),
          },
        ],
      })
      await put('streamed')
      await stream.settled()
      await stream.stop()
    })
    expect(seen).toEqual(['streamed'])
    expect(calls.map(({ operation }) => operation)).toEqual(['DescribeTable', 'PutItem', 'PutItem'])
  })
})

it('tells of each call as it ends, which Lambda made it and what the engine did, and follows an engine that moves', async () => {
  const [engine] = engines
  const told: Call[] = []
  const proxy = await startEngineProxy('http://127.0.0.1:9', { onCall: (call) => void told.push(call) })
  onTestFinished(() => proxy.stop())
  const client = new DynamoDBClient({ ...localClientConfig(proxy.endpoint), maxAttempts: 1 })
  const { tableName: TableName } = await freshTable(engine!.endpoint)
  client.middlewareStack.add(
    (next) => async (args) => {
      Object.assign((args.request as { headers: Record<string, string> }).headers, {
        'x-lambda': 'agent/ping 1',
      })
      return next(args)
    },
    { step: 'finalizeRequest' },
  )
  const put = () => client.send(new PutItemCommand({ TableName, Item: key('moved') }))
  await expect(put()).rejects.toThrow()
  proxy.setTarget(engine!.endpoint)
  await put()
  proxy.setFault(() => ({ reset: true }))
  await expect(put()).rejects.toThrow()
  expect(told.map(({ lambda, engine: done }) => [lambda, done?.status])).toEqual([
    ['agent/ping 1', 'unknown'],
    ['agent/ping 1', 200],
    ['agent/ping 1', undefined],
  ])
  expect(proxy.calls).toEqual([])
})

describe('the sequential depth', () => {
  it.each([
    [0, []],
    [1, [[0, 10]]],
    [
      1,
      [
        [0, 10],
        [5, 15],
        [9, 30],
      ],
    ],
    [
      2,
      [
        [0, 10],
        [0, 30],
        [11, 20],
      ],
    ],
    [
      3,
      [
        [0, 5],
        [6, 10],
        [0, 40],
        [11, 12],
        [7, 50],
      ],
    ],
  ])('is %i for %j', (depth, calls) => {
    expect(sequentialDepth(calls.map(([startedAt = 0, endedAt = 0]) => ({ startedAt, endedAt })))).toBe(depth)
  })
})

describe('the size of an item', () => {
  it.each([
    ['a key', { pk: { S: 'é' } }, 4],
    ['numbers', { a: { N: '0' }, b: { N: '12345' }, c: { N: '-1.50' } }, 2 + 5 + 4],
    ['bytes', { a: { B: new Uint8Array(7) } }, 8],
    ['sets', { a: { SS: ['a', 'bc'] }, b: { NS: ['1', '100'] } }, 4 + 5],
    ['a list', { a: { L: [{ BOOL: true }, { NULL: true }] } }, 1 + 3 + 4],
    ['a map', { a: { M: { key: { S: 'value' } } } }, 1 + 3 + 1 + 8],
  ])('counts %s', (_, item, bytes) => {
    expect(itemBytes(item as Parameters<typeof itemBytes>[0])).toBe(bytes)
  })
})
