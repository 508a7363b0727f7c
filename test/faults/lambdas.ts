import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import type { Around } from '../../infra/local/handlers.ts'

/**
 * What becomes of an invocation at one of its calls to the table, the queue or a connection; 1: the first.
 */
export interface Fate {
  atCall: number
  /**
   * `killed`: the Lambda dies before the call is made; `killed after`: once its answer is there. `frozen`:
   * this call and all that follow are held; the proxy lets them go once the Lambda is invoked again after its
   * deadline.
   */
  how: 'killed' | 'killed after' | 'frozen'
}

interface Invocation {
  id: string
  name: string
  fate: Fate | undefined
  calls: number
  isDead: boolean
  isOver: boolean
  died: PromiseWithResolvers<never>
}

const connections = /\/(@|%40)connections\//

/**
 * Calls that leave the Lambda; not those that fetch keys and secrets, which all share in this one process.
 */
const isCall = (request: ClientRequest): boolean => {
  const target = String(request.getHeader('x-amz-target') ?? '')
  const services = ['DynamoDB_', 'AmazonSQS', 'AWSEvents']
  return services.some((one) => target.startsWith(one)) || connections.test(request.path)
}

const described = (request: ClientRequest): string =>
  `${request.method} ${request.path} ${String(request.getHeader('x-amz-target') ?? '')}`

/**
 * Follows every Lambda that runs in this process by the calls that it makes, wherever they come from: some
 * die at one of them, some freeze, and none may make one after its answer.
 */
export const followLambdas = (fateOf: (name: string) => Fate | undefined) => {
  const running = new AsyncLocalStorage<Invocation>()
  const ranOn: string[] = []
  const unheard: string[] = []
  const cold = new Map<Invocation, () => void>()
  const frozen = new Map<string, Promise<void>>()
  let count = 0

  /** A call that is not made. */
  const drop = (request: ClientRequest): void => {
    // whoever made it may have given it up already, and hears nothing
    request.on('error', () => undefined)
    request.destroy(new Error('This Lambda is dead'))
  }
  const die = (invocation: Invocation): void => {
    invocation.isDead = true
    invocation.died.reject(new Error('This Lambda was killed'))
  }
  const freeze = (invocation: Invocation): void => {
    const { promise, resolve } = Promise.withResolvers<void>()
    frozen.set(invocation.id, promise)
    cold.set(invocation, resolve)
  }
  const thaw = (which: (invocation: Invocation) => boolean): void => {
    for (const [invocation, resolve] of cold)
      if (which(invocation)) {
        cold.delete(invocation)
        resolve()
      }
  }

  const onCreated = (message: unknown): void => {
    const invocation = running.getStore()
    const { request } = message as { request: ClientRequest }
    if (invocation === undefined || !isCall(request)) return
    if (invocation.isDead) {
      drop(request)
      return
    }
    if (invocation.isOver) ranOn.push(`${invocation.name} went on with ${described(request)}`)
    request.setHeader('x-lambda', invocation.id)
    invocation.calls += 1
    const { fate } = invocation
    if (fate?.atCall !== invocation.calls) return
    if (fate.how === 'killed') {
      die(invocation)
      drop(request)
    } else if (fate.how === 'killed after') request.once('response', () => die(invocation))
    else freeze(invocation)
  }
  subscribe('http.client.request.created', onCreated)
  // it would end the process of a Lambda, with everything that it is about to do
  const onUnheard = (reason: unknown): void => {
    unheard.push(
      `${running.getStore()?.name ?? 'something'}: ${reason instanceof Error ? reason.stack : String(reason)}`,
    )
  }
  process.on('unhandledRejection', onUnheard)

  const around: Around = ({ name, event }, run) => {
    thaw((one) => one.name === name && one.isOver)
    const invocation: Invocation = {
      ...{ id: `${name} ${(count += 1)}`, name, fate: fateOf(name), calls: 0, isDead: false, isOver: false },
      died: Promise.withResolvers<never>(),
    }
    const ended = running.run(invocation, () => run(event))
    // of one that is dead nobody hears any more
    ended.catch(() => undefined)
    invocation.died.promise.catch(() => undefined)
    return Promise.race([ended, invocation.died.promise]).finally(() => {
      invocation.isOver = true
    })
  }

  return {
    around,
    ranOn,
    unheard,
    thawAll: () => thaw(() => true),
    /** Resolves once the Lambda that makes a call may go on with it. */
    thawed: (lambda: string | undefined): Promise<void> | undefined =>
      lambda === undefined ? undefined : frozen.get(lambda),
    stop: () => {
      unsubscribe('http.client.request.created', onCreated)
      process.off('unhandledRejection', onUnheard)
      thaw(() => true)
    },
  }
}
