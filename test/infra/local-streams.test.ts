import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { DeleteItemCommand, PutItemCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb'
import type { DynamoDBRecord } from 'aws-lambda'
import { afterAll, afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { openCheckpoint } from '../../infra/local/stream/checkpoint.ts'
import { type LocalStream, startStream } from '../../infra/local/stream/streams.ts'
import { runWorker, type StreamWorker } from '../../infra/local/stream/stream-worker.ts'
import { freshTable, startEngines } from '../support/engines.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

describe.each(engines)('the stream of $label', ({ endpoint }) => {
  let running: LocalStream | undefined
  afterEach(() => running?.stop())

  async function start(...workers: StreamWorker[]) {
    const table = await freshTable(endpoint)
    const stream = await startStream({ endpoint, tableName: table.tableName, workers })
    running = stream
    const put = (pk: string, sk: string, more = {}) =>
      table.client.send(
        new PutItemCommand({ TableName: table.tableName, Item: { pk: { S: pk }, sk: { S: sk }, ...more } }),
      )
    return { ...table, stream, put }
  }

  it('hands records over as Lambda does', async () => {
    const { records, worker } = collector()
    const { put, stream, client, tableName } = await start(worker)
    await put('A', '1', {
      n: { N: '1' },
      bytes: { B: Buffer.from('hello') },
      list: { L: [{ M: { deep: { SS: ['x'] } } }] },
    })
    await put('A', '1', { n: { N: '2' } })
    await client.send(
      new DeleteItemCommand({ TableName: tableName, Key: { pk: { S: 'A' }, sk: { S: '1' } } }),
    )
    await stream.settled()
    expect(records.map(({ eventName }) => eventName)).toEqual(['INSERT', 'MODIFY', 'REMOVE'])
    expect(records[0]).toMatchObject({
      eventID: expect.any(String),
      eventSource: 'aws:dynamodb',
      eventSourceARN: expect.stringContaining(tableName),
      dynamodb: {
        Keys: { pk: { S: 'A' }, sk: { S: '1' } },
        NewImage: { n: { N: '1' }, bytes: { B: 'aGVsbG8=' }, list: { L: [{ M: { deep: { SS: ['x'] } } }] } },
        SequenceNumber: expect.stringMatching(/^\d+$/),
        StreamViewType: 'NEW_AND_OLD_IMAGES',
        ApproximateCreationDateTime: expect.any(Number),
      },
    })
    expect(records[0]?.dynamodb).not.toHaveProperty('OldImage')
    expect(records[1]?.dynamodb).toMatchObject({ OldImage: { n: { N: '1' } }, NewImage: { n: { N: '2' } } })
    expect(records[2]?.dynamodb).toMatchObject({ OldImage: { n: { N: '2' } } })
    expect(records[2]?.dynamodb).not.toHaveProperty('NewImage')
    expect(JSON.parse(JSON.stringify(records[0]))).toEqual(records[0])
  })

  it('shows what is empty as what it is, at every level', async () => {
    const { records, worker } = collector()
    const { put, stream } = await start(worker)
    const empty = { map: { M: {} }, list: { L: [] }, text: { S: '' } }
    const more = { ...empty, nested: { M: empty }, listed: { L: [{ M: {} }, { L: [] }] } }
    await put('A', '1', more)
    await stream.settled()
    expect(records[0]?.dynamodb?.NewImage).toMatchObject(more)
  })

  it('loses nothing that is written after the start, and keeps the order', async () => {
    const { records, worker } = collector()
    const { put, stream } = await start(worker)
    for (let n = 0; n < 30; n++) await put('LOG', String(n))
    await Promise.all(Array.from({ length: 300 }, (_, n) => put(`OTHER#${n}`, '0')))
    await stream.settled()
    expect(keys(records).filter((key) => key.startsWith('LOG'))).toEqual(
      Array.from({ length: 30 }, (_, n) => `LOG/${n}`),
    )
    expect(new Set(keys(records)).size).toBe(330)
  })

  it('begins with what is written after the start', async () => {
    const { client, tableName } = await freshTable(endpoint)
    const put = (sk: string) =>
      client.send(new PutItemCommand({ TableName: tableName, Item: { pk: { S: 'A' }, sk: { S: sk } } }))
    await put('before')
    const { records, worker } = collector()
    const stream = await startStream({ endpoint, tableName, workers: [worker] })
    running = stream
    await put('after')
    await stream.settled()
    expect(keys(records)).toEqual(['A/after'])
  })

  it('goes on where its checkpoint is, with what was written while nobody read', async () => {
    const { client, tableName } = await freshTable(endpoint)
    const put = (sk: string) =>
      client.send(new PutItemCommand({ TableName: tableName, Item: { pk: { S: 'A' }, sk: { S: sk } } }))
    const dir = await mkdtemp(join(tmpdir(), 'checkpoint-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    const checkpoint = openCheckpoint(join(dir, 'place.json'), async () => {})
    /** What a worker gets, and another one without a checkpoint. */
    const run = async (during: string, handler?: StreamWorker['handler']) => {
      const [lasting, other] = [collector(), collector()]
      const worker = { ...lasting.worker, checkpoint, maxAttempts: 1, ...(handler && { handler }) }
      running = await startStream({ endpoint, tableName, workers: [worker, other.worker] })
      await put(during)
      await running.settled()
      await running.stop()
      return [keys(lasting.records), keys(other.records)]
    }
    await put('1')
    // no place is known: all there is
    expect(await run('2')).toEqual([['A/1', 'A/2'], ['A/2']])
    await put('3')
    expect(await run('4')).toEqual([['A/3', 'A/4'], ['A/4']])
    await run('5', () => Promise.reject(new Error('The table is away')))
    // what was given up on comes again
    expect(await run('6')).toEqual([['A/5', 'A/6'], ['A/6']])
    checkpoint.save({ stream: 'another', shards: {} })
    expect((await run('7'))[0]).toHaveLength(7)
  })

  it('hands a record over within 100 ms', async () => {
    let seen = Promise.withResolvers<number>()
    const { put } = await start({ name: 'w', handler: async () => seen.resolve(performance.now()) })
    const latencies: number[] = []
    for (let n = 0; n < 10; n++) {
      seen = Promise.withResolvers()
      await put('A', String(n))
      const written = performance.now()
      latencies.push((await seen.promise) - written)
    }
    // the least: what else the machine does comes on top
    expect(Math.min(...latencies)).toBeLessThan(100)
  })

  it('writes no record where a put changed nothing', async () => {
    const { records, worker } = collector()
    const { put, stream } = await start(worker)
    await put('A', '1', { v: { S: 'same' } })
    await put('A', '1', { v: { S: 'same' } })
    await stream.settled()
    expect(records).toHaveLength(1)
  })

  it('filters by event name and key', async () => {
    const prefix = collector('prefix', {
      filter: [{ dynamodb: { Keys: { pk: { S: [{ prefix: 'SOCKET#' }] } } } }],
    })
    const removed = collector('removed', {
      filter: [{ eventName: ['REMOVE'], dynamodb: { Keys: { sk: { S: [{ suffix: '2' }, 'exact'] } } } }],
    })
    const either = collector('either', {
      filter: [{ eventName: ['REMOVE'] }, { dynamodb: { Keys: { pk: { S: ['AGENT'] } } } }],
    })
    const { put, client, tableName, stream } = await start(prefix.worker, removed.worker, either.worker)
    await put('SOCKET#1', '2')
    await put('AGENT', 'exact')
    for (const [pk, sk] of [
      ['SOCKET#1', '2'],
      ['AGENT', 'exact'],
    ] as const) {
      await client.send(
        new DeleteItemCommand({ TableName: tableName, Key: { pk: { S: pk }, sk: { S: sk } } }),
      )
    }
    await stream.settled()
    const told = ({ records }: Collector) =>
      records.map(({ eventName }, index) => `${eventName} ${keys(records)[index]}`)
    expect(told(prefix)).toEqual(['INSERT SOCKET#1/2', 'REMOVE SOCKET#1/2'])
    expect(told(removed)).toEqual(['REMOVE SOCKET#1/2', 'REMOVE AGENT/exact'])
    expect(told(either)).toEqual(['INSERT AGENT/exact', 'REMOVE SOCKET#1/2', 'REMOVE AGENT/exact'])
  })

  it('settles only when a slow worker is done, and never shows its marker', async () => {
    let done = 0
    const slow = async () => {
      await wait(60)
      done++
    }
    const { records, worker } = collector()
    const { put, stream } = await start(worker, { name: 'slow', handler: slow, batchSize: 1 })
    await put('A', '1')
    await put('A', '2')
    await stream.settled()
    expect(done).toBe(2)
    await stream.settled()
    expect(keys(records)).toEqual(['A/1', 'A/2'])
  })

  it('shows a transaction whole', async () => {
    const { records, worker } = collector()
    const { client, tableName, stream } = await start(worker)
    await client.send(
      new TransactWriteItemsCommand({
        TransactItems: ['1', '2', '3'].map((sk) => ({
          Put: { TableName: tableName, Item: { pk: { S: 'T' }, sk: { S: sk } } },
        })),
      }),
    )
    await stream.settled()
    expect(keys(records).toSorted()).toEqual(['T/1', 'T/2', 'T/3'])
  })

  it('refuses to settle once stopped', async () => {
    const { stream, put } = await start({
      name: 'stuck',
      handler: () => Promise.reject(new Error('down')),
      retryDelayMs: 10_000,
    })
    await put('A', '1')
    const settled = stream.settled()
    const outcome = expect(settled).rejects.toThrow('stopped')
    await stream.stop()
    await outcome
  })
})

describe('a worker of the stream', () => {
  const record = (n: number): DynamoDBRecord => ({
    eventName: 'INSERT',
    dynamodb: { SequenceNumber: String(n), Keys: { pk: { S: String(n) } } },
  })
  const numbers = (records: DynamoDBRecord[]) =>
    records.map(({ dynamodb }) => Number(dynamodb?.SequenceNumber))

  /** What each invocation got, and what was given up, for records 1 to `count`. */
  async function run(
    count: number,
    answer: (numbers: number[], invocation: number) => number[] | void,
    more: Partial<StreamWorker> = {},
  ) {
    const invocations: number[][] = []
    const dropped: number[] = []
    const worker = runWorker({
      name: 'w',
      retryDelayMs: 1,
      async handler({ Records }) {
        invocations.push(numbers(Records))
        const failed = answer(numbers(Records), invocations.length)
        if (failed) return { batchItemFailures: failed.map((n) => ({ itemIdentifier: String(n) })) }
      },
      onFailure: ({ record }) => void dropped.push(...numbers([record])),
      ...more,
    })
    for (let n = 1; n <= count; n++) worker.push(record(n))
    const handled = Promise.withResolvers<void>()
    worker.whenHandled(handled.resolve)
    await handled.promise
    return { invocations, dropped }
  }

  it('gets at most a batch at a time, in order', async () => {
    const { invocations } = await run(5, () => {}, { batchSize: 2 })
    expect(invocations.flat()).toEqual([1, 2, 3, 4, 5])
    expect(Math.max(...invocations.map(({ length }) => length))).toBe(2)
  })

  it('gets the records from the lowest failed one again', async () => {
    const { invocations, dropped } = await run(4, (got, n) => (n === 2 ? [got[2]!, got[1]!] : []))
    expect(invocations).toEqual([[1], [2, 3, 4], [3, 4]])
    expect(dropped).toEqual([])
  })

  it('gets the whole batch again after a throw', async () => {
    const { invocations } = await run(3, (_, n) => {
      if (n === 2) throw new Error('once')
    })
    expect(invocations).toEqual([[1], [2, 3], [2, 3]])
  })

  it('takes an unknown identifier for a failure of the batch', async () => {
    const { invocations } = await run(3, (_, n) => (n === 2 ? [99] : []))
    expect(invocations).toEqual([[1], [2, 3], [2, 3]])
  })

  it('narrows a batch that always throws down to the poisonous record and goes on', async () => {
    const { invocations, dropped } = await run(
      9,
      (got) => {
        if (got.includes(6)) throw new Error('poison')
      },
      { maxAttempts: 2 },
    )
    expect(dropped).toEqual([6])
    const accepted = invocations.filter((got) => !got.includes(6)).flat()
    expect(accepted).toEqual([1, 2, 3, 4, 5, 7, 8, 9])
  })

  it('drops a record that is reported again and again, and only that', async () => {
    const { dropped, invocations } = await run(6, (got) => (got.includes(4) ? [4] : []), { maxAttempts: 3 })
    expect(dropped).toEqual([4])
    expect(invocations.filter((got) => got.includes(5))).not.toHaveLength(0)
    expect(invocations.filter((got) => got.includes(4))).toHaveLength(4) // three, and once alone
  })

  it('cannot change what another worker gets', async () => {
    const shared = record(1)
    const seen = Promise.withResolvers<string | undefined>()
    const handler: StreamWorker['handler'] = async ({ Records: [first] }) => {
      seen.resolve(first?.dynamodb?.Keys?.['pk']?.S)
      delete first?.dynamodb
    }
    runWorker({ name: 'w', handler }).push(shared)
    expect(await seen.promise).toBe('1')
    expect(shared.dynamodb).toBeDefined()
  })
})

describe('a stream whose shards change', () => {
  it('reads a shard to its end, then its children from their start', async () => {
    const engine = await startShardEngine()
    const { records, worker } = collector()
    const stream = await startStream({
      endpoint: engine.endpoint,
      tableName: 'any',
      workers: [worker],
      pollMs: 1,
    })
    engine.write('first')
    engine.split()
    engine.write('second')
    await stream.settled()
    engine.expireIterators()
    engine.write('third')
    engine.split()
    engine.write('fourth')
    await stream.settled()
    expect(keys(records)).toEqual(['first/1', 'second/1', 'third/1', 'fourth/1'])
    await stream.stop()
    engine.stop()
  })
})

/** Just enough of the streams API to close shards on demand, which real engines do every few hours. */
async function startShardEngine() {
  const shards = [
    { id: 'shardId-000000000000000000000', closed: false, records: [{ pk: 'before the start', nonce: '' }] },
  ]
  let generation = 0
  const add = (pk: string, nonce = '') => shards.at(-1)?.records.push({ pk, nonce })
  const toRecord = ({ pk, nonce }: { pk: string; nonce: string }, n: number) => ({
    eventName: 'INSERT',
    dynamodb: {
      SequenceNumber: `${n}`.padStart(21, '0'),
      Keys: { pk: { S: pk }, sk: { S: '1' } },
      NewImage: { nonce: { S: nonce } },
    },
  })
  const iterator = (shard: number, at: number) => JSON.stringify({ shard, at, generation })
  type Request = { Item: Record<string, { S: string }>; ShardId: string; ShardIterator: string } & Record<
    string,
    string
  >
  const answers: Record<string, (request: Request) => object> = {
    DescribeTable: () => ({
      Table: { LatestStreamArn: 'arn:aws:dynamodb:local:000000000000:table/any/stream/1' },
    }),
    PutItem: ({ Item }) => (add(Item['pk']!.S, Item['nonce']!.S), {}),
    DescribeStream: () => ({
      StreamDescription: {
        Shards: shards.map(({ id }, n) => ({
          ShardId: id,
          ...(n > 0 && { ParentShardId: shards[n - 1]!.id }),
        })),
      },
    }),
    GetShardIterator: ({ ShardId, ShardIteratorType: type, SequenceNumber }) => {
      const index = shards.findIndex(({ id }) => id === ShardId)
      const at = {
        TRIM_HORIZON: 0,
        LATEST: shards[index]!.records.length,
        AFTER_SEQUENCE_NUMBER: Number(SequenceNumber) + 1,
      }
      return { ShardIterator: iterator(index, at[type as keyof typeof at]) }
    },
    GetRecords: ({ ShardIterator }) => {
      const place = JSON.parse(ShardIterator)
      if (place.generation !== generation)
        throw new Error('com.amazonaws.dynamodb.v20120810#ExpiredIteratorException')
      const { records, closed } = shards[place.shard]!
      return {
        Records: records.map(toRecord).slice(place.at),
        ...(!closed && { NextShardIterator: iterator(place.shard, records.length) }),
      }
    },
  }
  const server = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).split('.')[1]!
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    try {
      response.end(JSON.stringify(answers[operation]!((await json(request)) as Request)))
    } catch (error) {
      response.writeHead(400).end(JSON.stringify({ __type: (error as Error).message }))
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    write: (pk: string) => add(pk),
    split() {
      shards.at(-1)!.closed = true
      shards.push({ id: `shardId-${String(shards.length).padStart(21, '0')}`, closed: false, records: [] })
    },
    expireIterators: () => void generation++,
    stop: () => void server.close(),
  }
}

type Collector = ReturnType<typeof collector>
function collector(name = 'collector', more: Partial<StreamWorker> = {}) {
  const records: DynamoDBRecord[] = []
  const handler: StreamWorker['handler'] = async (event) => void records.push(...event.Records)
  return { records, worker: { name, handler, ...more } }
}

const keys = (records: DynamoDBRecord[]) =>
  records.map(({ dynamodb }) => `${dynamodb?.Keys?.['pk']?.S}/${dynamodb?.Keys?.['sk']?.S}`)
