import type { Context } from 'aws-lambda'
import { randomUUID } from 'node:crypto'
import * as z from 'zod/mini'
import type { GatewayEvent } from './events.ts'
import type { HttpEvent } from './http-event.ts'
import type { Clock, LambdaHandler, Limits } from './settings.ts'

const HeaderValue = z.union([z.string(), z.number(), z.boolean()])

/** What the gateway takes for a result: any other key, or a body that is no string, is malformed. */
const LambdaResult = z.strictObject({
  statusCode: z.optional(z.int().check(z.gte(100), z.lte(599))),
  headers: z.nullish(z.record(z.string(), HeaderValue)),
  multiValueHeaders: z.nullish(z.record(z.string(), z.array(HeaderValue))),
  body: z.optional(z.string()),
  isBase64Encoded: z.optional(z.boolean()),
})
export type LambdaResult = z.infer<typeof LambdaResult>

export type Ending =
  | { readonly how: 'ended'; readonly result: LambdaResult }
  | { readonly how: 'failed'; readonly error: unknown }
  | { readonly how: 'timeout'; readonly of: 'lambda' | 'integration' }

interface Call {
  readonly handler: LambdaHandler
  readonly functionName: string
  readonly event: GatewayEvent | HttpEvent
}

interface Invocation {
  /** How it went, as far as the client is told; never rejects. */
  readonly answer: Promise<Ending>
  /**
   * Settles when the Lambda has ended, or has used up its time; never rejects, and may be later than
   * `answer`.
   */
  readonly over: Promise<Ending>
}

/** Calls a handler as Lambda would: its result goes through JSON, and its time is limited. */
export function invoke(call: Call, clock: Clock, limits: Limits): Invocation {
  const { lambdaTimeoutMs, integrationTimeoutMs } = limits
  const over = Promise.withResolvers<Ending>()
  const answer = Promise.withResolvers<Ending>()
  // Both begin before the handler does: the time that it blocks counts.
  const stops = [
    clock.after(integrationTimeoutMs, () => answer.resolve({ how: 'timeout', of: 'integration' })),
    clock.after(lambdaTimeoutMs, () => over.resolve({ how: 'timeout', of: 'lambda' })),
  ]
  void run(call, clock, limits).then(over.resolve)
  void over.promise.then((ending) => {
    for (const stop of stops) stop()
    answer.resolve(ending)
  })
  return { answer: answer.promise, over: over.promise }
}

async function run(call: Call, clock: Clock, limits: Limits): Promise<Ending> {
  try {
    const value: unknown = await call.handler(call.event, lambdaContext(call, clock, limits))
    const overTheWire: unknown = JSON.parse(JSON.stringify(value) ?? 'null')
    const result = LambdaResult.safeParse(overTheWire)
    return result.success ? { how: 'ended', result: result.data } : { how: 'failed', error: result.error }
  } catch (error) {
    return { how: 'failed', error }
  }
}

function lambdaContext({ functionName }: Call, clock: Clock, limits: Limits): Context {
  const deadline = clock.now() + limits.lambdaTimeoutMs
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${functionName}`,
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => Math.max(0, deadline - clock.now()),
    done: noCallbacks,
    fail: noCallbacks,
    succeed: noCallbacks,
  }
}

function noCallbacks(): never {
  throw new Error('nodejs24.x has no callbacks: return the result, or throw')
}
