import type { MiddlewareObj } from '@middy/core'
import { enqueueJob, type Job } from '../jobs/job-queue.ts'
import { config } from '../platform/config.ts'
import { withinDeadline } from '../platform/deadline.ts'
import { log, logInvalidItem } from '../platform/log.ts'
import { answeredWith } from '../platform/metrics.ts'
import type { ActionSpec } from '../protocol/action.ts'
import { type ErrorDetail, InternalError, ProtocolError } from '../protocol/errors.ts'
import { openTable, type Table, tableClient } from '../table/client.ts'
import { limitFrame } from './count-request.ts'
import type { HttpRequest } from './http.ts'
import type { Incoming, Receiving, Result } from './incoming.ts'
import { type FrameReceived, receiveFrame } from './parse-frame.ts'

/** What a request is taken for. */
export interface Opened {
  incoming?: Incoming
}

const client = tableClient()

/**
 * Opens the table and the queue for a request, which counts for the agents' endpoint unless told otherwise.
 */
export const receivingFor = (
  { connection }: Incoming,
  signal: AbortSignal,
  endpoint: Receiving['endpoint'] = 'agent',
): Receiving & Table => ({
  ...openTable({ client, tableName: config.tableName(), signal, onInvalidItem: logInvalidItem }),
  connection,
  endpoint,
  enqueue: (job: Job, delayS: number) => enqueueJob(job, delayS, signal),
})

/** Counts a request with faults: else they would be what costs a stranger nothing. */
const countFaults = (incoming: Incoming): Promise<void> =>
  withinDeadline(async ({ signal }) => {
    const ctx = receivingFor(incoming, signal)
    const arrive = () => incoming.arrive(ctx)
    if (incoming.connection !== undefined) return limitFrame(ctx, arrive)
    // whose token it is comes before what else is wrong
    const arrived = await arrive()
    await limitFrame(ctx, async () => arrived)
  })

const refuseFaults = async (incoming: Incoming, faults: readonly ErrorDetail[]): Promise<never> => {
  await countFaults(incoming)
  throw new ProtocolError('validation', { details: faults })
}

/** How requests over HTTP are taken, by the functions that serve them: `receiveHttp`. */
export type ReceiveHttp = (request: HttpRequest) => Incoming

/** Takes what comes in for an action: frames, and over HTTP where it is served there. */
export const opening =
  ({ name }: Pick<ActionSpec, 'name'>, receiveHttp: ReceiveHttp | undefined) =>
  (received: FrameReceived | HttpRequest): Incoming => {
    const { requestContext } = received
    if ('connectionId' in requestContext) return receiveFrame(name, { ...received, requestContext })
    if (receiveHttp === undefined) throw new InternalError(`${name} is not served over HTTP`)
    return receiveHttp({ ...received, requestContext })
  }

/**
 * Requests in, answers out: the one place that reads what came in, by whichever way, and turns whatever was
 * thrown into an answer.
 */
export const receive = <Received>(
  open: (received: Received) => Incoming,
): MiddlewareObj<Received & Opened, Result> => ({
  before: async ({ event }) => {
    event.incoming = open(event)
    const { faults } = event.incoming
    if (faults.length > 0) await refuseFaults(event.incoming, faults)
  },
  onError: (request) => {
    const { error, event } = request
    const known = error instanceof ProtocolError ? error : new ProtocolError('internal')
    answeredWith(known.type)
    if (known.type === 'internal') log.error('A request failed', { cause: error })
    request.response = (event.incoming ?? open(event)).refuse(known)
  },
})
