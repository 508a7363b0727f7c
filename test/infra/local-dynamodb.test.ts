import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  ConditionalCheckFailedException,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import type { DynamoDBStreamEvent } from 'aws-lambda'
import { afterAll, describe, expect, it } from 'vitest'
import { createTable } from '../../infra/local/engine/create-table.ts'
import { fleetingFile, fleetingFolder } from '../../infra/local/engine/embedded-file.ts'
import { localClientConfig, startEngine } from '../../infra/local/engine/engine.ts'
import { startStream } from '../../infra/local/stream/streams.ts'
import { freshTable, startEngines } from '../support/engines.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

const key = (pk: string, sk: string) => ({ pk: { S: pk }, sk: { S: sk } })

describe.each(engines)('$label', ({ endpoint }) => {
  it('creates the table of the stack, once', async () => {
    const { client, tableName: TableName } = await freshTable(endpoint)
    await client.send(new PutItemCommand({ TableName, Item: key('A', '1') }))
    await createTable(client, TableName)
    const { Table } = await client.send(new DescribeTableCommand({ TableName }))
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    })
    const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName }))
    expect(TimeToLiveDescription).toMatchObject({ AttributeName: 'ttl', TimeToLiveStatus: 'ENABLED' })
    const { Item } = await client.send(new GetItemCommand({ TableName, Key: key('A', '1') }))
    expect(Item).toBeDefined()
  })

  it('creates the table once for two at a time', async () => {
    const client = new DynamoDBClient(localClientConfig(endpoint))
    const tableName = `test-${crypto.randomUUID()}`
    await Promise.all([createTable(client, tableName), createTable(client, tableName)])
    await client.send(new PutItemCommand({ TableName: tableName, Item: key('A', '1') }))
  })

  it('lets one of 50 conditional puts through, and shows the others what stood in the way', async () => {
    const { client, tableName: TableName } = await freshTable(endpoint)
    const put = (writer: number) =>
      client.send(
        new PutItemCommand({
          TableName,
          Item: { ...key('LOG', '1'), writer: { N: String(writer) } },
          ConditionExpression: 'attribute_not_exists(pk)',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      )
    const puts = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => put(n)))
    const winner = puts.findIndex(({ status }) => status === 'fulfilled')
    const losses = puts.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(losses).toHaveLength(49)
    for (const loss of losses) {
      expect(loss).toBeInstanceOf(ConditionalCheckFailedException)
      expect(loss.Item).toEqual({ ...key('LOG', '1'), writer: { N: String(winner) } })
    }
  })

  it('cancels a transaction with a reason and the item for each part', async () => {
    const { client, tableName: TableName } = await freshTable(endpoint)
    await client.send(new PutItemCommand({ TableName, Item: { ...key('A', '1'), version: { N: '3' } } }))
    const wanted = {
      ExpressionAttributeValues: { ':v': { N: '2' } },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    } as const
    const sent = client.send(
      new TransactWriteItemsCommand({
        TransactItems: [
          { Put: { TableName, Item: key('A', '2') } },
          {
            ConditionCheck: { TableName, Key: key('A', '1'), ConditionExpression: 'version = :v', ...wanted },
          },
          {
            Update: {
              TableName,
              Key: key('A', '3'),
              UpdateExpression: 'SET x = :v',
              ConditionExpression: 'attribute_exists(pk)',
              ...wanted,
            },
          },
        ],
      }),
    )
    const error = await sent.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(TransactionCanceledException)
    const { CancellationReasons } = error as TransactionCanceledException
    expect(CancellationReasons?.map(({ Code }) => Code)).toEqual([
      'None',
      'ConditionalCheckFailed',
      'ConditionalCheckFailed',
    ])
    expect(CancellationReasons?.map(({ Item }) => Item)).toEqual([
      undefined,
      { ...key('A', '1'), version: { N: '3' } },
      undefined,
    ])
    const { Item } = await client.send(
      new GetItemCommand({ TableName, Key: key('A', '2'), ConsistentRead: true }),
    )
    expect(Item).toBeUndefined()
  })

  it('runs a transaction with the same token once', async () => {
    const { client, tableName: TableName } = await freshTable(endpoint)
    const command = new TransactWriteItemsCommand({
      ClientRequestToken: 'once',
      TransactItems: [
        {
          Update: {
            TableName,
            Key: key('A', '1'),
            UpdateExpression: 'ADD n :one',
            ExpressionAttributeValues: { ':one': { N: '1' } },
          },
        },
      ],
    })
    await client.send(command)
    await client.send(command)
    const { Item } = await client.send(
      new GetItemCommand({ TableName, Key: key('A', '1'), ConsistentRead: true }),
    )
    expect(Item?.['n']).toEqual({ N: '1' })
  })

  it('reads the newest entries backwards', async () => {
    const { client, tableName: TableName } = await freshTable(endpoint)
    await Promise.all(
      [1, 2, 3, 4].map((n) => client.send(new PutItemCommand({ TableName, Item: key('CHAT', `LOG#${n}`) }))),
    )
    const { Items } = await client.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :log)',
        ExpressionAttributeValues: { ':pk': { S: 'CHAT' }, ':log': { S: 'LOG#' } },
        ScanIndexForward: false,
        ConsistentRead: true,
        Limit: 2,
      }),
    )
    expect(Items).toEqual([key('CHAT', 'LOG#4'), key('CHAT', 'LOG#3')])
  })

  it('updates nested paths', async () => {
    const { client, tableName: TableName } = await freshTable(endpoint)
    const item = {
      ...key('A', '1'),
      users: { M: { ann: { M: { present: { BOOL: false } } } } },
      tags: { L: [{ S: 'a' }] },
    }
    await client.send(new PutItemCommand({ TableName, Item: item }))
    const { Attributes } = await client.send(
      new UpdateItemCommand({
        TableName,
        Key: key('A', '1'),
        UpdateExpression:
          'SET #users.#id.present = :yes, tags = list_append(tags, :more), version = if_not_exists(version, :zero) + :one',
        ConditionExpression: 'attribute_exists(pk) AND #users.#id.present = :no',
        ExpressionAttributeNames: { '#users': 'users', '#id': 'ann' },
        ExpressionAttributeValues: {
          ':yes': { BOOL: true },
          ':no': { BOOL: false },
          ':more': { L: [{ S: 'b' }] },
          ':zero': { N: '0' },
          ':one': { N: '1' },
        },
        ReturnValues: 'ALL_NEW',
      }),
    )
    expect(Attributes).toEqual({
      ...key('A', '1'),
      users: { M: { ann: { M: { present: { BOOL: true } } } } },
      tags: { L: [{ S: 'a' }, { S: 'b' }] },
      version: { N: '1' },
    })
  })

  it('is reachable from this machine alone', async ({ skip }) => {
    const addresses = Object.values(networkInterfaces()).flatMap((known) => known ?? [])
    const outside = addresses.find(({ internal, family }) => !internal && family === 'IPv4')
    if (!outside) return skip('no address but loopback')
    await expect(fetch(`http://${outside.address}:${new URL(endpoint).port}`)).rejects.toThrow()
  })
})

const names = engines.map(({ name }) => name).filter((name) => name !== 'endpoint')

// DynamoDB Local starts four times in it, each time some seconds beside other work
describe.each(names)('a directory with data of the engine %s', { timeout: 120_000 }, (name) => {
  it('outlives a parent that was killed, as no process does, and its stream goes on', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'engine-'))
    const env = { ...process.env, DYNAMODB_ENGINE: name }
    try {
      const parent = spawn(process.execPath, ['--input-type=module', '-e', keepOneItem, dir], { env })
      const endpoint = await firstLine(parent.stdout)
      parent.kill('SIGKILL')
      await expect
        .poll(
          () =>
            fetch(endpoint).then(
              () => 'up',
              () => 'down',
            ),
          { timeout: 5000, interval: 20 },
        )
        .toBe('down')

      const engine = await startEngine({ dir, env })
      const client = new DynamoDBClient(localClientConfig(engine.endpoint))
      await createTable(client, 'kept')
      const { Item } = await client.send(new GetItemCommand({ TableName: 'kept', Key: key('A', '1') }))
      expect(Item).toEqual(key('A', '1'))
      await client.send(new PutItemCommand({ TableName: 'kept', Item: key('A', '2') }))
      await engine.stop()
      await engine.stop()
      await expect(fetch(engine.endpoint)).rejects.toThrow()

      // Unforced, a Java that is there is the choice.
      const { DYNAMODB_ENGINE: _, DYNAMODB_ENDPOINT: __, ...unforced } = process.env
      const again = await startEngine({ dir, env: name === 'java' ? unforced : env })
      expect(again.name).toBe(name)
      const { records, stream, put } = await streamOf(again.endpoint, 'kept')
      await put('3')
      await stream.settled()
      expect(records).toEqual(['3'])
      await stream.stop()

      // as by a power cut: what it has answered is there
      await again.kill()
      await expect(fetch(again.endpoint)).rejects.toThrow()
      const last = await startEngine({ dir, env })
      const after = new DynamoDBClient(localClientConfig(last.endpoint))
      const kept = await after.send(new GetItemCommand({ TableName: 'kept', Key: key('A', '3') }))
      expect(kept.Item).toMatchObject(key('A', '3'))
      await last.stop()
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
})

describe.runIf(names.includes('embedded'))('the file of the embedded engine', () => {
  const env = { ...process.env, DYNAMODB_ENGINE: 'embedded' }

  it('has an index by which a write finds the end of the stream', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'engine-'))
    const engine = await startEngine({ dir, env })
    const file = new DatabaseSync(join(dir, 'embedded.db'), { readOnly: true })
    const plan = file
      .prepare(
        'EXPLAIN QUERY PLAN SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?',
      )
      .all('any')
    file.close()
    await engine.stop()
    rmSync(dir, { recursive: true })
    expect(plan).toMatchObject([{ detail: expect.stringMatching(/^SEARCH .+ INDEX stream_order/) }])
  })

  it('has no name where nothing is to be kept, so that nothing is left of it', async () => {
    const engine = await startEngine({ env })
    const file = fleetingFile(fleetingFolder(), Number(new URL(engine.endpoint).port))
    const names = readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)))
    // what it is asked for next goes by what it has open
    await freshTable(engine.endpoint)
    await engine.stop()
    expect(names).toEqual([])
  })
})

async function streamOf(endpoint: string, tableName: string) {
  const records: (string | undefined)[] = []
  const handler = async ({ Records }: DynamoDBStreamEvent) =>
    void records.push(...Records.map(({ dynamodb }) => dynamodb?.Keys?.['sk']?.S))
  const stream = await startStream({ endpoint, tableName, workers: [{ name: 'w', handler }] })
  const client = new DynamoDBClient(localClientConfig(endpoint))
  const put = (sk: string) => client.send(new PutItemCommand({ TableName: tableName, Item: key('A', sk) }))
  return { records, stream, put }
}

const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
const keepOneItem = `
  import { DynamoDBClient, PutItemCommand } from ${JSON.stringify(import.meta.resolve('@aws-sdk/client-dynamodb'))}
  import { createTable } from ${here('../../infra/local/engine/create-table.ts')}
  import { localClientConfig, startEngine } from ${here('../../infra/local/engine/engine.ts')}
  const { endpoint } = await startEngine({ dir: process.argv[1] })
  const client = new DynamoDBClient(localClientConfig(endpoint))
  await createTable(client, 'kept')
  await client.send(new PutItemCommand({ TableName: 'kept', Item: { pk: { S: 'A' }, sk: { S: '1' } } }))
  console.log(endpoint)
  setInterval(() => {}, 1000)
`

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return text.trim()
}

describe('the choice of an engine', () => {
  const without = { PATH: '/nonexistent' }

  it('uses an endpoint that is set, and leaves it running', async () => {
    const [running] = engines
    const engine = await startEngine({ env: { DYNAMODB_ENDPOINT: running!.endpoint } })
    expect(engine).toMatchObject({ name: 'endpoint', endpoint: running!.endpoint })
    await engine.stop()
    await freshTable(running!.endpoint)
  })

  it('says that nothing answers at the endpoint', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.close()
    await once(server, 'close')
    await expect(startEngine({ env: { DYNAMODB_ENDPOINT: endpoint } })).rejects.toThrow(
      `No DynamoDB engine answers at ${endpoint} (DYNAMODB_ENDPOINT).`,
    )
  })

  it.each([
    ['java without a Java', { ...without, DYNAMODB_ENGINE: 'java' }, 'Install Java 17 or newer'],
    ['endpoint without an address', { DYNAMODB_ENGINE: 'endpoint' }, 'DYNAMODB_ENDPOINT is not set'],
    ['an engine that does not exist', { DYNAMODB_ENGINE: 'redis' }, 'java, embedded or endpoint'],
  ])('refuses %s', async (_, env, sentence) => {
    await expect(startEngine({ env })).rejects.toThrow(sentence)
  })

  it.runIf(names.includes('embedded'))(
    'falls back to the embedded engine where there is no Java',
    async () => {
      const engine = await startEngine({ env: without })
      expect(engine.name).toBe('embedded')
      await engine.stop()
    },
  )
})
