import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { randomUUID } from 'node:crypto'
import { InFlight } from '../in-flight.ts'
import { type Accepted, md5 } from './sqs-protocol.ts'

/** The time, and a callback after a time; the callback can be called off. */
export type Clock = { now(): number; after(ms: number, fn: () => void): () => void }

export type DeadLetter = { messageId: string; body: string; receiveCount: number; error: unknown }

export interface DeliverySettings {
  /** The queue's. */
  name: string
  /** May see a message more than once. */
  handler: (event: SQSEvent) => Promise<SQSBatchResponse | void>
  clock?: Clock
  maxReceiveCount?: number
  /** How long a failed message stays invisible, 1 s by default. */
  retryDelayMs?: number
  /** Multiplies the delays of messages and retries, so that 0.01 makes 20 s of 200 ms. */
  delayScale?: number
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

/** The messages of a queue, from when they are sent until the handler is done with them. */
export class Deliveries {
  readonly #settings: Required<DeliverySettings>
  readonly #delayed = new Set<Delayed>()
  readonly #ready: Message[] = []
  readonly #dead: DeadLetter[] = []
  readonly #underWay = new InFlight()
  /** How many batches and messages are with the handler. */
  readonly #handedOut = { batches: 0, messages: 0 }
  #given = 0
  #isStopped = false
  #isHeld = false
  #willDrain = false

  constructor(settings: DeliverySettings) {
    const defaults = { clock: systemClock, maxReceiveCount: 5, retryDelayMs: 1000, delayScale: 1 }
    this.#settings = { ...defaults, ...settings }
  }

  add(accepted: Accepted): void {
    const { clock } = this.#settings
    const unread = { firstReceivedAt: undefined, receiveCount: 0, error: undefined }
    const message = { ...accepted, ...unread, sentAt: clock.now() }
    if (accepted.delayS === 0) this.#makeReady(message)
    else this.#delay(message, accepted.delayS * 1000, false)
  }

  /** Resolves when nothing waits to be handled, tried again or, if asked for, delayed. */
  settled({ includeDelayed = false } = {}): Promise<void> {
    return this.#underWay.none(() => this.#isDone(includeDelayed))
  }

  /** Whether nothing waits to be handled or tried again. */
  isSettled(): boolean {
    return this.#handedOut.messages === 0 && this.#isDone(false)
  }

  /** How many messages the handler has been given, each time one is. */
  given(): number {
    return this.#given
  }

  /** Makes all delayed messages due and resolves when they are handled. */
  async flush(): Promise<void> {
    for (const entry of Array.from(this.#delayed)) this.#release(entry)
    await this.settled()
  }

  /** Drops all delayed messages. */
  discard(): void {
    for (const { cancel } of this.#delayed) cancel()
    this.#delayed.clear()
  }

  /** Hands nothing out any more until the function returned is called. */
  hold(): () => void {
    this.#isHeld = true
    return () => {
      this.#isHeld = false
      this.#drain()
    }
  }

  deadLetters(): DeadLetter[] {
    return [...this.#dead]
  }

  /** How many messages are delayed, waiting, with the handler, or to be tried again. */
  pending(): number {
    return this.#delayed.size + this.#ready.length + this.#handedOut.messages
  }

  /** Lets what is with the handler end; nothing else is handed out any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const { cancel } of this.#delayed) cancel()
    await this.#underWay.none(() => true)
  }

  #isDone(includeDelayed: boolean): boolean {
    return this.#ready.length === 0 && [...this.#delayed].every(({ isRetry }) => !isRetry && !includeDelayed)
  }

  #delay(message: Message, ms: number, isRetry: boolean): void {
    if (this.#isStopped) return
    const { clock, delayScale } = this.#settings
    const entry: Delayed = { message, isRetry, cancel: () => {} }
    this.#delayed.add(entry)
    entry.cancel = clock.after(ms * delayScale, () => this.#release(entry))
  }

  #release(entry: Delayed): void {
    if (!this.#delayed.delete(entry)) return
    entry.cancel()
    this.#makeReady(entry.message)
  }

  #makeReady(message: Message): void {
    this.#ready.push(message)
    if (this.#willDrain) return
    this.#willDrain = true
    setImmediate(() => this.#drain()) // what arrives together is handed out together
  }

  #drain(): void {
    this.#willDrain = false
    while (!this.#isStopped && !this.#isHeld && this.#ready.length > 0) {
      if (this.#handedOut.batches === maxConcurrency) return
      void this.#underWay.track(this.#handOut(this.#ready.splice(0, batchSize)))
    }
  }

  async #handOut(batch: Message[]): Promise<void> {
    const handedOut = this.#handedOut
    handedOut.batches += 1
    handedOut.messages += batch.length
    this.#given += batch.length
    await this.#deliver(batch)
    handedOut.batches -= 1
    handedOut.messages -= batch.length
    this.#drain()
  }

  async #deliver(batch: Message[]): Promise<void> {
    const { clock, maxReceiveCount, retryDelayMs } = this.#settings
    for (const message of batch) {
      message.receiveCount++
      message.firstReceivedAt ??= clock.now()
    }
    for (const message of await this.#failedOf(batch)) {
      const { messageId, body, receiveCount, error } = message
      if (receiveCount < maxReceiveCount) this.#delay(message, retryDelayMs, true)
      else this.#dead.push({ messageId, body, receiveCount, error })
    }
  }

  async #failedOf(batch: Message[]): Promise<Message[]> {
    const { handler, name } = this.#settings
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
    messageAttributes: {},
    md5OfBody: md5(message.body),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queueName}`,
    awsRegion: 'us-east-1',
  }
}
