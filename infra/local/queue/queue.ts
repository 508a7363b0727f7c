import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Accepted, answerSqs, md5 } from './sqs-protocol.ts'

/** The time, and a callback after a time; the callback can be called off. */
export type Clock = { now(): number; after(ms: number, fn: () => void): () => void }

type DeadLetter = { messageId: string; body: string; receiveCount: number; error: unknown }

export type LocalQueue = {
  /** For `QueueUrl` of the SDK's client, which takes its host for the endpoint. */
  url: string
  /** Resolves when nothing waits to be handled, tried again or, if asked for, delayed. */
  settled(options?: { includeDelayed?: boolean }): Promise<void>
  /** Whether nothing waits to be handled or tried again. */
  isSettled(): boolean
  /** Makes all delayed messages due and resolves when they are handled. */
  flush(): Promise<void>
  /** Drops all delayed messages. */
  discard(): void
  /** Hands nothing out any more until the function returned is called. */
  hold(): () => void
  deadLetters(): DeadLetter[]
  /** How many messages are delayed, waiting, with the handler, or to be tried again. */
  pending(): number
  /** How many messages the handler was given since the start. */
  handedOut(): number
  stop(): Promise<void>
}

type Message = Accepted & {
  sentAt: number
  firstReceivedAt: number | undefined
  receiveCount: number
  error: unknown
}
type Delayed = { message: Message; isRetry: boolean; cancel: () => void }

const batchSize = 10
const maxConcurrency = 5 // what Lambda's pollers begin with

const systemClock: Clock = {
  now: Date.now,
  after(ms, fn) {
    const timer = setTimeout(fn, ms).unref()
    return () => clearTimeout(timer)
  },
}

/**
 * An SQS queue on loopback with a Lambda behind it: takes `SendMessage` and `SendMessageBatch` of the SDK's
 * client and hands messages to the handler, which may see one more than once.
 *
 * @param retryDelayMs how long a failed message stays invisible, 1 s by default
 * @param delayScale multiplies the delays of messages and retries, so that 0.01 makes 20 s of 200 ms
 */
export async function startQueue(settings: {
  name: string
  handler: (event: SQSEvent) => Promise<SQSBatchResponse | void>
  port?: number
  clock?: Clock
  maxReceiveCount?: number
  retryDelayMs?: number
  delayScale?: number
}): Promise<LocalQueue> {
  const { name, handler, port = 0, clock = systemClock } = settings
  const { maxReceiveCount = 5, retryDelayMs = 1000, delayScale = 1 } = settings
  const delayed = new Set<Delayed>()
  const ready: Message[] = []
  const running = new Set<Promise<void>>()
  const dead: DeadLetter[] = []
  let waiters: { includeDelayed: boolean; resolve: () => void }[] = []
  let inFlight = 0
  let handedOut = 0
  let stopped = false
  let held = false
  let drainScheduled = false

  const server = createServer((request, response) => {
    text(request).then(
      (body) => {
        const target = String(request.headers['x-amz-target'] ?? '')
        const answer = answerSqs({ target, body, queueUrl: url }, (messages) => messages.forEach(enqueue))
        response.writeHead(answer.status, {
          'content-type': 'application/x-amz-json-1.0',
          'x-amzn-requestid': randomUUID(),
          ...answer.headers,
        })
        response.end(answer.body)
      },
      () => response.destroy(), // the client went away
    )
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The queue got no port')
  const url = `http://127.0.0.1:${address.port}/000000000000/${name}`

  function enqueue(accepted: Accepted) {
    const message = {
      ...accepted,
      sentAt: clock.now(),
      firstReceivedAt: undefined,
      receiveCount: 0,
      error: undefined,
    }
    if (accepted.delayS === 0) makeReady(message)
    else delay(message, accepted.delayS * 1000, false)
  }

  function delay(message: Message, ms: number, isRetry: boolean) {
    if (stopped) return
    const entry: Delayed = { message, isRetry, cancel: () => {} }
    delayed.add(entry)
    entry.cancel = clock.after(ms * delayScale, () => release(entry))
  }

  function release(entry: Delayed) {
    if (!delayed.delete(entry)) return
    entry.cancel()
    makeReady(entry.message)
  }

  function makeReady(message: Message) {
    ready.push(message)
    if (drainScheduled) return
    drainScheduled = true
    setImmediate(drain) // what arrives together is handed out together
  }

  function drain() {
    drainScheduled = false
    while (!stopped && !held && ready.length > 0 && running.size < maxConcurrency) {
      const batch = ready.splice(0, batchSize)
      inFlight += batch.length
      handedOut += batch.length
      const run = deliver(batch).finally(() => {
        running.delete(run)
        inFlight -= batch.length
        drain()
        wakeWaiters()
      })
      running.add(run)
    }
  }

  async function deliver(batch: Message[]) {
    for (const message of batch) {
      message.receiveCount++
      message.firstReceivedAt ??= clock.now()
    }
    for (const message of await failedOf(batch)) {
      if (message.receiveCount < maxReceiveCount) delay(message, retryDelayMs, true)
      else
        dead.push({
          messageId: message.messageId,
          body: message.body,
          receiveCount: message.receiveCount,
          error: message.error,
        })
    }
  }

  async function failedOf(batch: Message[]): Promise<Message[]> {
    try {
      const answer = await handler({ Records: batch.map((message) => toRecord(message, name)) })
      const failed = new Set(answer?.batchItemFailures?.map(({ itemIdentifier }) => itemIdentifier))
      const messages = batch.filter(({ messageId }) => failed.has(messageId))
      // Lambda takes an identifier that is not in the batch for a failure of the whole batch.
      return messages.length === failed.size ? messages : batch
    } catch (error) {
      for (const message of batch) message.error = error
      return batch
    }
  }

  const isSettled = (includeDelayed: boolean) =>
    ready.length === 0 && inFlight === 0 && [...delayed].every(({ isRetry }) => !isRetry && !includeDelayed)

  function wakeWaiters() {
    const done = waiters.filter(({ includeDelayed }) => isSettled(includeDelayed))
    waiters = waiters.filter((waiter) => !done.includes(waiter))
    for (const { resolve } of done) resolve()
  }

  async function settled({ includeDelayed = false } = {}) {
    if (isSettled(includeDelayed)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    waiters.push({ includeDelayed, resolve })
    await promise
  }

  return {
    url,
    settled,
    isSettled: () => isSettled(false),
    async flush() {
      for (const entry of Array.from(delayed)) release(entry)
      await settled()
    },
    discard() {
      for (const { cancel } of delayed) cancel()
      delayed.clear()
    },
    hold() {
      held = true
      return () => {
        held = false
        drain()
      }
    },
    deadLetters: () => [...dead],
    pending: () => delayed.size + ready.length + inFlight,
    handedOut: () => handedOut,
    async stop() {
      stopped = true
      for (const { cancel } of delayed) cancel()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await Promise.all([closed, ...running])
    },
  }
}

function toRecord(message: Message, queueName: string): SQSRecord {
  return {
    messageId: message.messageId,
    receiptHandle: randomUUID(),
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receiveCount),
      SentTimestamp: String(message.sentAt),
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt ?? message.sentAt),
    },
    messageAttributes: message.attributes,
    md5OfBody: md5(message.body),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queueName}`,
    awsRegion: 'us-east-1',
  }
}
