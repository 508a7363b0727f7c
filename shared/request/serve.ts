import middy from '@middy/core'
import { randomBytes } from 'node:crypto'
import * as z from 'zod/mini'
import en from 'zod/v4/locales/en.js'
import { endpointOf, isConnected } from '../delivery/connections.ts'
import { invokeFanOut } from '../delivery/fan-out.ts'
import { openOutbox } from '../delivery/outbox.ts'
import type { Job } from '../jobs/job-queue.ts'
import { type Deadline, pauseBefore, withinDeadline } from '../platform/deadline.ts'
import { log } from '../platform/log.ts'
import { measured } from '../platform/metrics.ts'
import type { ActionSpec } from '../protocol/action.ts'
import { detailsOf } from '../protocol/envelope.ts'
import { InternalError, ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Chat } from '../table/chat/chats.ts'
import { readTail, type Tail } from '../table/chat/thread-log.ts'
import type { Reader } from '../table/ops.ts'
import {
  addressOf,
  type AnySession,
  type Connected,
  expiryOf,
  isCustomers,
  type SocketItem,
} from '../table/sockets.ts'
import { authorizeRequest, reauthorize, sessionOf } from './authorize.ts'
import type { Ctx, Handler } from './context.ts'
import { countFailedLogin, type Counting, countRequest, countThread, limitFrame } from './count-request.ts'
import type { HttpRequest } from './http.ts'
import type { Incoming, Result } from './incoming.ts'
import { pace, type Paced } from './pace.ts'
import type { FrameReceived } from './parse-frame.ts'
import { chatNamedIn, prefetch, type Prefetched, tagNamedIn } from './prefetch.ts'
import type { Limiting } from './rate-limits.ts'
import { type Opened, opening, receive, type ReceiveHttp, receivingFor } from './receive.ts'
import { recordWrites, type WriteRecord, writingAfter } from './record-writes.ts'

// without a locale every issue would read "Invalid input"
z.config(en())

/**
 * Makes an action's Lambda of its contract and its handler. Reads the request; fetches the session and what
 * the contract names in one round; judges session, payload, chat and permission in this order (protocol §1);
 * runs the handler; sends its pushes; answers, once, whatever happens. With `receiveHttp` it serves both
 * APIs.
 */
export const serve = <const Spec extends ActionSpec>(
  spec: Spec,
  handler: Handler<Spec>,
  receiveHttp?: ReceiveHttp,
) =>
  measured(
    spec.by ?? 'agent',
    spec.name,
    middy<(FrameReceived | HttpRequest) & Opened, Result>()
      .use(receive(opening(spec, receiveHttp)))
      .handler(({ incoming }) =>
        withinDeadline(async (deadline) => {
          if (incoming === undefined) throw new InternalError('The request was not read')
          const result = incoming.answer(await handleRequest(spec, handler, incoming, deadline))
          const bytes = Buffer.byteLength(result.body ?? '')
          if (bytes > limits.frameBytes) throw new InternalError(`An answer of ${bytes} bytes`)
          return result
        }),
      ),
  )

/** A payload with fields under the names that count, where it has them under others. */
const withAliases = ({ aliases = {} }: ActionSpec, payload: unknown): unknown => {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return payload
  const given = Object.entries(aliases).filter(
    ([alias, name]) => Object.hasOwn(payload, alias) && !Object.hasOwn(payload, name),
  )
  return {
    ...payload,
    ...Object.fromEntries(given.map(([alias, name]) => [name, Reflect.get(payload, alias)])),
  }
}

/** Everything between the request and the answer. */
const handleRequest = async <Spec extends ActionSpec>(
  spec: Spec,
  handler: Handler<Spec>,
  incoming: Incoming,
  deadline: Deadline,
): Promise<unknown> => {
  const received = withAliases(spec, incoming.payload)
  const limiting = receivingFor(incoming, deadline.signal, spec.by)
  const { read, enqueue, connection } = limiting
  const arrive = () => incoming.arrive(limiting)
  await incoming.admit(limiting)
  if (spec.session === 'none' || spec.session === 'optional') await limitFrame(limiting, arrive)
  if (spec.session === 'none') return void parse(spec.request, received)

  let before: Chat | undefined
  let record: WriteRecord | undefined
  const counting =
    spec.session === 'required' ? countRequest(spec, limiting, arrive(), chatNamedIn(received)) : undefined
  const found =
    counting === undefined ? {} : await prefetch(read, spec, counting.socket, received, { strongTail: false })
  try {
    if (counting?.isLate === false) await counting.allowed
    const me = counting === undefined ? undefined : await sessionOrEnd(spec, found, connection, enqueue)
    const payload = parse<Spec['request']>(spec.request, received)
    const judged = me === undefined ? undefined : authorizeRequest(spec, me, found, payload)
    before = judged?.chat
    const tail = await tailOf(read, spec, judged)

    const handOver = spec.needs.includes('fan_out') ? invokeFanOut : undefined
    const allowed = counting === undefined ? limiting.write : writingAfter(counting.allowed, limiting.write)
    const tag = spec.reads.includes('threadTags') ? tagNamedIn(payload) : undefined
    record = recordWrites(allowed, { action: spec.name, deadline, enqueue, before: () => before, tag })
    const outbox = openOutbox({ read, write: allowed, deadline, handOver })
    const nonce = randomBytes(6).toString('base64url')
    const own = { connection, enqueue, read, write: record.writer, ...judged, tail, nonce, arrive, limiting }
    const all = {
      ...own,
      ...outbox,
      admitThread: (events = 0) => countThread(spec, limiting, found.socket, events),
      pace: paceOf(spec, limiting, counting, me),
      now: () => Date.now(),
      pause: (tries: number) => pauseBefore(tries, deadline),
      refresh: () => reauthorize(read, spec, arrive(), payload, nonce),
      isConnected: (of: Connected) => isConnected(endpointOf(of), of.connection, deadline.signal),
    }
    try {
      // what the contract does not declare is left out of the type; that the rest is there, no type can show
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
      const answer = await handler(all as unknown as Ctx<Spec>, payload)
      await counting?.allowed
      return answer
    } finally {
      // also where the handler threw: what it had pushed by then is written
      if (!(await outbox.flush())) await record.tellLater()
    }
  } catch (error) {
    await record?.tellLater()
    // who asks for too much is told so, whatever else is wrong with the request
    await counting?.allowed
    if (spec.session === 'login') await countFailedLogin(limiting, error, () => addressFrom(arrive))
    throw error
  } finally {
    record?.end()
    await counting?.done()
  }
}

const addressFrom = async (arrive: () => Promise<SocketItem | undefined>): Promise<string | undefined> => {
  const socket = await arrive()
  return socket && addressOf(socket)
}

/**
 * The tail that the contract reads. An eventually consistent read can be too early for a chat just started.
 */
const tailOf = async (
  read: Reader,
  { reads }: ActionSpec,
  found: Pick<Prefetched, 'chat' | 'tail'> | undefined,
): Promise<Tail | undefined> =>
  reads.includes('tail') && found?.tail === undefined && found?.chat !== undefined
    ? readTail(read, found.chat.id, true)
    : found?.tail

/** Whether what a customer repeats may be told now; agents are not held back. */
const paceOf =
  (spec: ActionSpec, limiting: Limiting, counting: Counting | undefined, me: AnySession | undefined) =>
  async (paced: Paced): Promise<boolean> =>
    counting === undefined ||
    me === undefined ||
    !isCustomers(me) ||
    pace(spec, limiting, counting.previousAt(), me, paced)

/** The session; where its time is over, its connection is closed a second after the answer that says so. */
const sessionOrEnd = async (
  spec: ActionSpec,
  found: Prefetched,
  connection: string | undefined,
  enqueue: (job: Job, delayS: number) => Promise<void>,
): Promise<AnySession> => {
  const session = found.socket?.session
  const reason = session === undefined ? undefined : expiryOf(session, Date.now())
  // a queue that fails changes nothing about the answer; the clock closes such connections as well
  if (reason !== undefined && connection !== undefined)
    await enqueue({ job: 'end_session', connection, reason }, 1).catch((error: unknown) =>
      log.error('The end of a session could not be put off', { cause: error }),
    )
  return sessionOf(spec, found.socket)
}

const parse = <Request extends z.core.$ZodType>(request: Request, received: unknown): z.output<Request> => {
  const parsed = z.safeParse(request, received)
  if (!parsed.success)
    throw new ProtocolError('validation', { details: detailsOf(parsed.error.issues, 'payload') })
  return parsed.data
}
