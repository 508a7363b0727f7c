import type { Faults, PostFault } from '../../infra/local/gateway/settings.ts'
import type { Around } from '../../infra/local/handlers.ts'
import type { Call, Fault } from '../support/engine-proxy.ts'
import type { Dice } from './dice.ts'
import { type Fate, followLambdas } from './lambdas.ts'

type Choice<T> = readonly [weight: number, kind: string, fault: T]

/** On how many of its calls something goes wrong. */
const rates = {
  engine: 0.05,
  post: 0.05,
  bus: 0.1,
  killed: 0.03,
  /** Of actions. Each takes its client 15 s. */
  frozen: 0.001,
  disconnect: 0.5,
  /** Batches of stream and queue that come twice, or out of order. */
  repeated: 0.1,
  shuffled: 0.3,
}

const writes = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'TransactWriteItems', 'BatchWriteItem'])

const anyCall: readonly Choice<Fault>[] = [
  [2, 'throttled', { errorType: 'ProvisionedThroughputExceededException' }],
  [2, 'ThrottlingException', { errorType: 'ThrottlingException' }],
  [3, 'error 500', { errorType: 'InternalServerError' }],
  [3, 'error 500 after the call was done', { errorType: 'InternalServerError', afterWrite: true }],
  [2, 'connection reset before the call', { reset: true }],
  [2, 'connection reset after the call was done', { reset: true, afterWrite: true }],
  [2, 'timeout after the call was done', { reset: true, afterWrite: true, delayMs: 700 }],
  [4, 'slow answer', { delayMs: 150 }],
]
const singleWrite: readonly Choice<Fault>[] = [
  [4, 'TransactionConflictException', { errorType: 'TransactionConflictException' }],
]
const cancelled = (dice: Dice, code: string, { request }: Pick<Call, 'request'>): Fault => {
  const { TransactItems: items } = request as { TransactItems?: unknown[] }
  const which = dice.below(items?.length ?? 1)
  const reasons = (items ?? [{}]).map((_, index) => ({ Code: index === which ? code : 'None' }))
  return { errorType: 'TransactionCanceledException', body: { CancellationReasons: reasons } }
}

const posts: readonly Choice<PostFault | 'gone'>[] = [
  [3, 'push 429', { status: 429, errorType: 'LimitExceededException' }],
  [3, 'push delivered, then 500', { status: 500, deliver: true }],
  [2, 'push 500', { status: 500 }],
  [1, 'push lost', { lose: true }],
  // the socket is closed then: a living one is never 410
  [1, 'push 410', 'gone'],
  // each takes its request a second, and all that follows to this connection goes by the queue for a minute
  [0.04, 'push hangs', { hang: true }],
  [2, 'slow push', { delayMs: 100 }],
]

/** Records of a stream in another order, each item's own kept. */
const reordered = (dice: Dice, records: readonly any[]): any[] => {
  const keyOf = ({ dynamodb }: any) => JSON.stringify(dynamodb?.Keys)
  const items = new Map<string, any[]>()
  for (const record of records) items.set(keyOf(record), [...(items.get(keyOf(record)) ?? []), record])
  return dice.shuffled(records.map(keyOf)).map((key) => items.get(key)?.shift())
}

/** Everything that goes wrong, counted by its kind. */
export const openFaults = (dice: Dice) => {
  const counts = new Map<string, number>()
  const totals = { engine: 0, posts: 0, invocations: 0 }
  let isOn = false
  let isFreezing = true
  let closeSocket: (connection: string) => void = () => undefined
  const met = (kind: string): void => {
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  const chosen = <T>(choices: readonly Choice<T>[]): T => {
    const [, kind, fault] = dice.weighted(choices.map((choice) => [choice[0], choice] as const))
    met(kind)
    return fault
  }

  const fateOf = (name: string): Fate | undefined => {
    totals.invocations += 1
    if (!isOn) return undefined
    const isAction = /^(agent|customer)\//.test(name)
    if (isAction && isFreezing && dice.chance(rates.frozen)) {
      met('Lambda frozen until after its deadline')
      return { atCall: 1 + dice.below(6), how: 'frozen' }
    }
    if (!dice.chance(rates.killed)) return undefined
    // an action's first calls are its reads, then come its write and its posts
    const how = dice.chance(0.5) ? 'killed' : 'killed after'
    return { atCall: 1 + dice.below(isAction ? 12 : 8), how }
  }
  const lambdas = followLambdas(fateOf)

  const around: Around = async ({ name, event }, run) => {
    const of = (given: unknown) =>
      lambdas.around({ name, event: given }, run).catch((error: unknown) => {
        if (error instanceof Error && error.message.includes('killed')) met(`${kindOf(name)} killed`)
        throw error
      })
    const { Records: records } = event as { Records?: unknown[] }
    if (!isOn || records === undefined) return of(event)
    const isStream = name !== 'worker/later'
    let given = event
    if (records.length > 1 && dice.chance(rates.shuffled)) {
      met(isStream ? 'stream records out of order between items' : 'queue messages out of order')
      given = { Records: isStream ? reordered(dice, records) : dice.shuffled(records) }
    }
    if (dice.chance(rates.repeated)) {
      met(isStream ? 'stream batch repeated' : 'queue batch repeated')
      await of(structuredClone(given)).catch(() => undefined)
    }
    return of(given)
  }

  const engine = async (call: Pick<Call, 'operation' | 'request' | 'lambda'>): Promise<Fault | undefined> => {
    const thawed = lambdas.thawed(call.lambda)
    if (thawed !== undefined) await thawed
    // what the test itself reads and writes
    if (call.lambda === undefined) return undefined
    totals.engine += 1
    if (!isOn || !dice.chance(rates.engine)) return undefined
    if (call.operation === 'TransactWriteItems') {
      const kinds = ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']
      return chosen([
        ...anyCall,
        ...kinds.map((code): Choice<Fault> => [
          3,
          `TransactionCanceled: ${code}`,
          cancelled(dice, code, call),
        ]),
        [
          2,
          'TransactionInProgress after the call was done',
          { errorType: 'TransactionInProgressException', afterWrite: true },
        ],
      ])
    }
    const single = writes.has(call.operation) && call.operation !== 'BatchWriteItem'
    return chosen(single ? [...anyCall, ...singleWrite] : anyCall)
  }

  const gateway: Faults = {
    post: ({ connectionId }) => {
      totals.posts += 1
      if (!isOn || !dice.chance(rates.post)) return undefined
      const fault = chosen(posts)
      if (fault !== 'gone') return fault
      closeSocket(connectionId)
      return { status: 410, errorType: 'GoneException' }
    },
    disconnect: () => {
      if (!isOn || !dice.chance(rates.disconnect)) return undefined
      return chosen<ReturnType<NonNullable<Faults['disconnect']>>>([
        [1, '$disconnect late, after a reconnect', { delayMs: 500 + dice.below(3000) }],
        [1, '$disconnect missing', { lose: true }],
        [1, '$disconnect twice', { times: 2 }],
        [1, '$disconnect twice and late', { times: 2, delayMs: 300 + dice.below(1500) }],
      ])
    },
  }

  const bus = (): string | undefined => {
    if (!isOn || !dice.chance(rates.bus)) return undefined
    met('event refused by the bus')
    return 'ThrottlingException'
  }

  return {
    around,
    engine,
    gateway,
    bus,
    lambdas,
    totals,
    met,
    counts,
    /** From now on things go wrong, or no more. */
    turn: (on: boolean) => {
      isOn = on
      if (!on) lambdas.thawAll()
    },
    freezeNoMore: () => {
      isFreezing = false
    },
    /** What closes a socket that is answered 410. */
    closing: (close: (connection: string) => void) => {
      closeSocket = close
    },
    stop: lambdas.stop,
  }
}
export type OpenFaults = ReturnType<typeof openFaults>

const kindOf = (name: string): string => {
  if (name.startsWith('worker/')) return `the ${name.slice(7)} worker`
  return name.startsWith('socket/') ? `$${name.slice(7)}` : 'an action'
}
