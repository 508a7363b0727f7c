import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { listenOn } from '../listen-on.ts'
import { Deliveries, type DeliverySettings } from './deliveries.ts'
import { answerSqs } from './sqs-protocol.ts'

export type LocalQueue = Pick<
  Deliveries,
  'settled' | 'isSettled' | 'flush' | 'discard' | 'hold' | 'deadLetters' | 'pending' | 'given' | 'stop'
> & {
  /** For `QueueUrl` of the SDK's client, which takes its host for the endpoint. */
  url: string
}

/**
 * An SQS queue on loopback with a Lambda behind it: takes `SendMessage` of the SDK's client and hands
 * messages to the handler.
 */
export async function startQueue(settings: DeliverySettings & { port?: number }): Promise<LocalQueue> {
  const deliveries = new Deliveries(settings)
  const server = createServer((request, response) => {
    text(request).then(
      (body) => {
        const target = String(request.headers['x-amz-target'] ?? '')
        const answer = answerSqs({ target, body, queueUrl: url }, (message) => deliveries.add(message))
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
  const port = await listenOn(server, settings.port ?? 0, '127.0.0.1')
  const url = `http://127.0.0.1:${port}/000000000000/${settings.name}`
  return {
    url,
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
