import { PurgeQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { afterEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../infra/local/queue/deliveries.ts'
import { type LocalQueue, startQueue } from '../../infra/local/queue/queue.ts'

let queue: LocalQueue
let client: SQSClient
afterEach(() => queue.stop())

type Handler = (event: SQSEvent) => Promise<SQSBatchResponse | void>
type Settings = Partial<Parameters<typeof startQueue>[0]> & { realTime?: boolean }

/** A queue, what its handler got, and a clock that only `pass` moves, unless the test wants real time. */
async function start(handler: Handler = async () => {}, { realTime = false, ...settings }: Settings = {}) {
  const events: SQSEvent[] = []
  const clock = manualClock()
  queue = await startQueue({
    name: 'later',
    ...(!realTime && { clock }),
    handler: async (event) => {
      events.push(event)
      return handler(event)
    },
    ...settings,
  })
  client = new SQSClient({
    endpoint: new URL(queue.url).origin,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  })
  const send = (body: string, delayS?: number) =>
    client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: body, DelaySeconds: delayS }))
  const bodies = () => events.flatMap(({ Records }) => Records.map(({ body }) => body))
  return { events, bodies, clock, send }
}

function manualClock() {
  let now = 1_700_000_000_000
  const timers = new Set<{ at: number; fn: () => void }>()
  const clock: Clock = {
    now: () => now,
    after(ms, fn) {
      const timer = { at: now + ms, fn }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
  }
  return {
    ...clock,
    timers,
    pass(ms: number) {
      now += ms
      for (const timer of [...timers]) {
        if (timer.at > now || !timers.delete(timer)) continue
        timer.fn()
      }
    },
  }
}

describe('the local queue', () => {
  it('takes a message from the SDK and hands it over as Lambda does', async () => {
    const { send, events, clock } = await start()
    const { MessageId, MD5OfMessageBody } = await send('{"say":"grüße 👋"}')
    await queue.settled()
    expect(events).toEqual([
      {
        Records: [
          {
            messageId: MessageId,
            receiptHandle: expect.any(String),
            body: '{"say":"grüße 👋"}',
            attributes: {
              ApproximateReceiveCount: '1',
              SentTimestamp: String(clock.now()),
              SenderId: expect.any(String),
              ApproximateFirstReceiveTimestamp: String(clock.now()),
            },
            messageAttributes: {},
            md5OfBody: MD5OfMessageBody,
            eventSource: 'aws:sqs',
            eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:later',
            awsRegion: 'us-east-1',
          },
        ],
      },
    ])
    expect(queue.pending()).toBe(0)
  })

  it('delays a message by its DelaySeconds', async () => {
    const { send, bodies, clock } = await start()
    await send('in 20 s', 20)
    await send('now', 0)
    await queue.settled()
    expect(bodies()).toEqual(['now'])
    clock.pass(19_999)
    await queue.settled()
    expect(bodies()).toEqual(['now'])
    expect(queue.pending()).toBe(1)
    clock.pass(1)
    await queue.settled({ includeDelayed: true })
    expect(bodies()).toEqual(['now', 'in 20 s'])
    expect(queue.pending()).toBe(0)
  })

  it('makes delays shorter by its scale, on real time too', async () => {
    const { bodies } = await start(undefined, { delayScale: 0.001, realTime: true })
    await client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'x', DelaySeconds: 20 }))
    await queue.settled({ includeDelayed: true })
    expect(bodies()).toEqual(['x'])
  })

  it('delivers everything delayed on a flush', async () => {
    const { send, bodies, clock } = await start()
    await send('a', 900)
    await send('b', 1)
    await queue.flush()
    expect(bodies().toSorted()).toEqual(['a', 'b'])
    expect(clock.timers.size).toBe(0)
  })

  it('hands over together what waits together, each with its own delay', async () => {
    const { events, bodies, send } = await start()
    const release = queue.hold()
    await send('1')
    await send('2', 5)
    await send('3')
    release()
    await queue.settled()
    expect(events.map(({ Records }) => Records.map(({ body }) => body))).toEqual([['1', '3']])
    await queue.flush()
    expect(bodies()).toEqual(['1', '3', '2'])
  })

  it('hands out at most ten messages at once, and five batches side by side', async () => {
    let running = 0
    let most = 0
    const gate = Promise.withResolvers<void>()
    const full = Promise.withResolvers<void>()
    const { events, send } = await start(async () => {
      most = Math.max(most, ++running)
      if (running === 5) full.resolve()
      await gate.promise
      running--
    })
    await Promise.all(Array.from({ length: 80 }, (_, n) => send(`${n}`, 1)))
    const flushed = queue.flush()
    await full.promise
    gate.resolve()
    await flushed
    expect(most).toBe(5)
    expect(events.map(({ Records }) => Records.length)).toEqual(Array(8).fill(10))
  })

  it('brings a failed message again, and after the last receive puts it aside', async () => {
    const { send, events, clock } = await start(() => Promise.reject(new Error('down')), {
      retryDelayMs: 30_000,
    })
    await send('x')
    const settled = queue.settled()
    for (let receive = 1; receive <= 5; receive++) {
      await expect.poll(() => events.length).toBe(receive)
      await expect.poll(() => clock.timers.size).toBe(receive === 5 ? 0 : 1)
      clock.pass(30_000)
    }
    await settled
    const counts = events.map(({ Records }) => Records[0]?.attributes.ApproximateReceiveCount)
    expect(counts).toEqual(['1', '2', '3', '4', '5'])
    expect(queue.deadLetters()).toMatchObject([{ body: 'x', receiveCount: 5, error: new Error('down') }])
    expect(queue.pending()).toBe(0)
  })

  it('brings only the reported messages again', async () => {
    const fails = async ({ Records }: SQSEvent) => ({
      batchItemFailures: Records.filter(
        ({ body, attributes }) => body === 'bad' && attributes.ApproximateReceiveCount === '1',
      ).map(({ messageId }) => ({ itemIdentifier: messageId })),
    })
    const { bodies, send } = await start(fails, { realTime: true, retryDelayMs: 1 })
    const release = queue.hold()
    for (const body of ['good', 'bad', 'fine']) await send(body)
    release()
    await queue.settled()
    expect(bodies()).toEqual(['good', 'bad', 'fine', 'bad'])
    expect(queue.deadLetters()).toEqual([])
  })

  it('brings the whole batch again when an unknown message is reported', async () => {
    const { bodies, send } = await start(
      async ({ Records }) => ({
        batchItemFailures:
          Records[0]?.attributes.ApproximateReceiveCount === '1' ? [{ itemIdentifier: 'unknown' }] : [],
      }),
      { realTime: true, retryDelayMs: 1 },
    )
    await send('x')
    await queue.settled()
    expect(bodies()).toEqual(['x', 'x'])
  })

  it('settles only when the handler is done', async () => {
    const gate = Promise.withResolvers<void>()
    const { send, events } = await start(() => gate.promise)
    await send('x')
    let isSettled = false
    const settled = queue.settled().then(() => {
      isSettled = true
    })
    await expect.poll(() => events.length).toBe(1)
    expect(isSettled).toBe(false)
    gate.resolve()
    await settled
  })

  it.each([
    ['an empty body', { MessageBody: '' }, 'MissingParameter'],
    ['a delay over 15 minutes', { MessageBody: 'x', DelaySeconds: 901 }, 'InvalidParameterValue'],
    ['a negative delay', { MessageBody: 'x', DelaySeconds: -1 }, 'InvalidParameterValue'],
    ['a body over 1 MiB', { MessageBody: 'é'.repeat(524_289) }, 'InvalidParameterValue'],
    ['a control character', { MessageBody: '\u0000' }, 'InvalidMessageContents'],
  ])('refuses %s', async (_, message, name) => {
    const { bodies } = await start()
    await expect(
      client.send(new SendMessageCommand({ QueueUrl: queue.url, ...message })),
    ).rejects.toMatchObject({ name, $metadata: { httpStatusCode: 400 } })
    expect(queue.pending()).toBe(0)
    expect(bodies()).toEqual([])
  })

  it('takes a body of 1 MiB', async () => {
    const { send, bodies } = await start()
    await send('é'.repeat(524_288))
    await queue.settled()
    expect(bodies()[0]).toHaveLength(524_288)
  })

  it('refuses what the product does not send', async () => {
    await start()
    const MessageAttributes = { kind: { DataType: 'String', StringValue: 'check' } }
    await expect(
      client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'x', MessageAttributes })),
    ).rejects.toMatchObject({ name: 'SerializationException' })
    await expect(client.send(new PurgeQueueCommand({ QueueUrl: queue.url }))).rejects.toMatchObject({
      name: 'UnsupportedOperation',
    })
  })

  it('does not know other queues', async () => {
    await start()
    const sent = client.send(
      new SendMessageCommand({ QueueUrl: queue.url.replace('later', 'other'), MessageBody: 'x' }),
    )
    await expect(sent).rejects.toMatchObject({ name: 'QueueDoesNotExist' })
  })

  it('delivers nothing after it was stopped', async () => {
    const { send, bodies, clock } = await start()
    await send('x', 5)
    await queue.stop()
    clock.pass(5000)
    expect(bodies()).toEqual([])
    queue = await startQueue({ name: 'later', handler: async () => {} })
  })
})
