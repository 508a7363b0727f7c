import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { listenOn } from '../listen-on.ts'
import { Deliveries, type DeliverySettings } from './deliveries.ts'
import { type Answer, answerSqs } from './sqs-protocol.ts'

export type LocalQueue = Pick<
  Deliveries,
  'settled' | 'isSettled' | 'flush' | 'discard' | 'hold' | 'deadLetters' | 'pending' | 'given' | 'stop'
> & {
  /** For `QueueUrl` of the SDK's client, which takes its host for the endpoint. */
  url: string
  /** Answers a request from within this process. `target`: its `x-amz-target`. */
  answer(target: string, body: string): Answer
}

/**
 * An SQS queue on loopback with a Lambda behind it: takes `SendMessage` of the SDK's client and hands
 * messages to the handler.
 */
export async function startQueue(settings: DeliverySettings & { port?: number }): Promise<LocalQueue> {
  const deliveries = new Deliveries(settings)
  const answer = (target: string, body: string): Answer => {
    const answered = answerSqs({ target, body, queueUrl: url }, (message) => deliveries.add(message))
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': randomUUID() }
    return { ...answered, headers: { ...headers, ...answered.headers } }
  }
  const server = createServer((request, response) => {
    text(request).then(
      (asked) => {
        const { status, headers, body } = answer(String(request.headers['x-amz-target'] ?? ''), asked)
        response.writeHead(status, headers).end(body)
      },
      () => response.destroy(), // the client went away
    )
  })
  const port = await listenOn(server, settings.port ?? 0, '127.0.0.1')
  const url = `http://127.0.0.1:${port}/000000000000/${settings.name}`
  return {
    url,
    answer,
    settled: (options) => deliveries.settled(options),
    isSettled: () => deliveries.isSettled(),
    flush: () => deliveries.flush(),
    discard: () => deliveries.discard(),
    hold: () => deliveries.hold(),
    deadLetters: () => deliveries.deadLetters(),
    pending: () => deliveries.pending(),
    given: () => deliveries.given(),
    stop: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await Promise.all([closed, deliveries.stop()])
    },
  }
}
