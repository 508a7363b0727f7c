import middy, { type MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { enqueueJob, type Job } from '../jobs/job-queue.ts'
import { config } from '../platform/config.ts'
import { withinDeadline } from '../platform/deadline.ts'
import { log, logInvalidItem } from '../platform/log.ts'
import { answeredWith, measured } from '../platform/metrics.ts'
import { type Frame, readFrame, refused } from '../protocol/envelope.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { openTable, tableClient } from '../table/client.ts'
import { readSocket } from '../table/sockets.ts'
import { limitFrame } from './count-request.ts'

/** A message as the gateway hands it over, as far as it is used; the stack adds the frame it has read. */
export interface Message {
  requestContext: { connectionId: string; requestId?: string }
  body?: string
  frame?: Frame
}
type Layer = MiddlewareObj<Message, APIGatewayProxyStructuredResultV2>

const client = tableClient()

/** Counts a frame that is no request: else they would be what costs a stranger nothing. */
const countFault = ({ requestContext: { connectionId: connection } }: Message): Promise<void> =>
  withinDeadline(async ({ signal }) => {
    const { read, write } = openTable({
      client,
      tableName: config.tableName(),
      signal,
      onInvalidItem: logInvalidItem,
    })
    const enqueue = (job: Job, delayS: number) => enqueueJob(job, delayS, signal)
    await limitFrame({ connection, write, enqueue }, () => readSocket(read, connection, Date.now()))
  })

/**
 * Frames in, frames out: the one place that reads an envelope and turns whatever was thrown into an answer.
 */
export const parseFrame = (route: string | undefined): Layer => ({
  before: async ({ event }) => {
    event.frame = readFrame(event.body ?? '', route)
    if (event.frame.faults.length === 0) return
    await countFault(event)
    throw new ProtocolError('validation', { details: event.frame.faults })
  },
  onError: (request) => {
    const { error, event } = request
    const known = error instanceof ProtocolError ? error : new ProtocolError('internal')
    answeredWith(known.type)
    if (known.type === 'internal') log.error('A request failed', { cause: error })
    request.response = { statusCode: 200, body: refused(event.frame?.echo ?? {}, known) }
  },
})

/** Answers every frame that no action's route takes (`$default`). */
export const refuseFrames = () =>
  measured(
    'socket',
    'default',
    middy<Message, APIGatewayProxyStructuredResultV2>()
      .use(parseFrame(undefined))
      .handler(() => Promise.reject(new ProtocolError('validation'))),
  )
