import type { Context } from 'aws-lambda'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ErrorType } from '../protocol/errors.ts'
import { cleaned } from './cause.ts'
import { config } from './config.ts'

// Numbers for people who run this: one line of the log per run, which CloudWatch reads its metrics from
// (embedded metric format). A library's metrics of one line all share their dimensions; here each has its own
// few.

/** What a function serves: the actions of an endpoint, the gateways' own routes, or nobody who waits. */
export type Kind = 'agent' | 'customer' | 'socket' | 'http' | 'worker'

// Each value of each dimension is a metric that is paid for, so ids of any kind are none.
const byKind = [['kind']]
const byAction = [['kind'], ['kind', 'action']]
const measures = {
  /** How long a run took; how many values it has is how many runs there were. */
  latency: { unit: 'Milliseconds', dimensions: byAction },
  /** How long a run was busy with posts to connections. */
  fan_out: { unit: 'Milliseconds', dimensions: byKind },
  errors: { unit: 'Count', dimensions: [['kind'], ['error']] },
  /** Frames that a connection has taken. */
  pushes_sent: { unit: 'Count', dimensions: byKind },
  /** Frames left to the delay queue. */
  pushes_late: { unit: 'Count', dimensions: byKind },
  /** Connections found to be gone. */
  pushes_gone: { unit: 'Count', dimensions: byKind },
  /** Frames that were given up: somebody has missed them. */
  pushes_failed: { unit: 'Count', dimensions: byKind },
  /** Lost races: how often the run read and wrote again. How many values it has is how many runs lost one. */
  retries: { unit: 'Count', dimensions: byKind },
  /** Runs that ran out of time for another attempt. */
  retries_given_up: { unit: 'Count', dimensions: byKind },
  /** Records of a stream or a queue that failed, and come again. */
  records_failed: { unit: 'Count', dimensions: [['kind', 'action']] },
} as const
export type Measure = keyof typeof measures
type Timed = 'fan_out'

interface Run {
  kind: Kind
  action: string
  /** The request's id in the gateway's access log; a worker's in Lambda's. */
  request: string | undefined
  connection: string | undefined
  error?: ErrorType
  values: Map<Measure, number[]>
}

const running = new AsyncLocalStorage<Run>()

/** Adds to a sum of the run under way. */
export const count = (name: Exclude<Measure, 'latency' | Timed>, n = 1): void => {
  const values = running.getStore()?.values
  if (n > 0) values?.set(name, [(values.get(name)?.[0] ?? 0) + n])
}

// CloudWatch takes no more values of a metric on one line
const mostValues = 100

/** Measures how long a part of the run under way takes. */
export const timed = async <T>(name: Timed, part: () => Promise<T>): Promise<T> => {
  const startedAt = performance.now()
  try {
    return await part()
  } finally {
    const values = running.getStore()?.values
    values?.set(name, [...(values.get(name) ?? []), msSince(startedAt)].slice(0, mostValues))
  }
}

/** Notes that the run under way is answered with an error. */
export const answeredWith = (error: ErrorType): void => {
  const run = running.getStore()
  if (run === undefined) return
  run.error = error
  run.values.set('errors', [1])
}

/** Which run a line of the log is about. */
export const runUnderWay = (): Pick<Run, 'request' | 'connection' | 'kind' | 'action'> | undefined => {
  const run = running.getStore()
  if (run === undefined) return undefined
  const { request, connection, kind, action } = run
  return { request, connection, kind, action }
}

/** Of what the gateway and event sources hand over: what names a run. */
interface Invoked {
  requestContext?: { connectionId?: string; requestId?: string }
}
type Invoking = Pick<Context, 'awsRequestId'>

/**
 * A function's handler with what is measured of its runs. An error that it throws is logged by Lambda as it
 * is, with all its fields: it leaves without what people wrote.
 */
export const measured =
  <Event, Result, Ctx extends Invoking = Invoking>(
    kind: Kind,
    action: string,
    handler: (event: Event, context: Ctx) => Promise<Result>,
  ) =>
  (event: Event & Invoked, context: Ctx): Promise<Result> => {
    const { connectionId, requestId } = event.requestContext ?? {}
    const run: Run = {
      kind,
      action,
      values: new Map(),
      request: requestId ?? context.awsRequestId,
      connection: connectionId,
    }
    const startedAt = performance.now()
    return running.run(run, async () => {
      try {
        return await handler(event, context)
      } catch (error) {
        answeredWith('internal')
        throw cleaned(error)
      } finally {
        run.values.set('latency', [msSince(startedAt)])
        write(run)
      }
    })
  }

const msSince = (startedAt: number): number => Math.round((performance.now() - startedAt) * 10) / 10

/** Functions that are not deployed, as on one's own machine, have nobody who reads this. */
const write = (run: Run): void => {
  const deployment = config.deployment()
  if (deployment !== undefined)
    process.stdout.write(`${JSON.stringify(lineOf(run, deployment, Date.now()))}\n`)
}

const lineOf = ({ values, ...fields }: Run, deployment: string, nowMs: number) => ({
  // without these two Lambda adds its own
  level: 'INFO',
  timestamp: new Date(nowMs).toISOString(),
  ...fields,
  ...Object.fromEntries(
    [...values].map(([name, [first, ...more]]) => [name, more.length > 0 ? [first, ...more] : first]),
  ),
  _aws: {
    Timestamp: nowMs,
    CloudWatchMetrics: [...Map.groupBy(values.keys(), (name) => measures[name].dimensions)].map(
      ([Dimensions, names]) => ({
        Namespace: namespaceOf(deployment),
        Dimensions,
        Metrics: names.map((Name) => ({ Name, Unit: measures[Name].unit })),
      }),
    ),
  },
})

/** Where a deployment's metrics are. */
export const namespaceOf = (deployment: string): string => `AgentChat/${deployment}`
