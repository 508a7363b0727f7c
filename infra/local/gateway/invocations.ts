import type { IncomingMessage } from 'node:http'
import type { InFlight } from '../in-flight.ts'
import { answerFrame, outcomeOf, routeKeyOf } from './answers.ts'
import {
  connectEvent,
  disconnectEvent,
  errorFrame,
  type GatewayEvent,
  messageEvent,
  type Origin,
} from './events.ts'
import { type Admission, admission } from './handshake.ts'
import { type Ending, invoke } from './invoke.ts'
import type { GatewaySettings, Route } from './settings.ts'

/** Which Lambda an event goes to, when, and what its answer means. */
export class Invocations {
  readonly #settings: GatewaySettings
  readonly #work: InFlight
  readonly #lateDisconnects = new Set<() => void>()
  #isClosed = false

  constructor(settings: GatewaySettings, work: InFlight) {
    this.#settings = settings
    this.#work = work
  }

  /** Runs `$connect`, where there is one. */
  async connect(origin: Origin, request: IncomingMessage): Promise<Admission> {
    const { routes, clock } = this.#settings
    const route = routes.get('$connect')
    if (route === undefined) return { admitted: true, protocol: undefined }
    const event = connectEvent(origin, request, clock.now())
    return admission(await this.#invoke('$connect', route, event), event)
  }

  /** Runs the Lambda of a message; resolves with the text that goes out for it, if any. */
  async message(origin: Origin, body: string): Promise<string | undefined> {
    const { routes, clock, jitter, limits } = this.#settings
    const key = routeKeyOf(body, routes)
    const event = messageEvent(origin, key, body, clock.now())
    const route = routes.get(key)
    if (route === undefined) return errorFrame('Forbidden', event)
    const wait = jitter()
    if (wait > 0) await this.pause(wait)
    return answerFrame(await this.#invoke(key, route, event), event, route, limits)
  }

  /** Runs `$disconnect`; one that a fault makes late is not waited for. */
  async disconnect(origin: Origin, code: number, reason: string): Promise<void> {
    const { routes, clock, faults } = this.#settings
    const route = routes.get('$disconnect')
    if (route === undefined) return
    const event = disconnectEvent(origin, code, reason, clock.now())
    const { lose, times = 1, delayMs } = (await faults.disconnect?.(event)) ?? {}
    if (lose) return
    const run = async () => {
      const events = Array.from({ length: times }, () => structuredClone(event))
      await Promise.all(events.map((each) => this.#invoke('$disconnect', route, each)))
    }
    if (delayMs === undefined) await run()
    else this.#later(delayMs, run)
  }

  /** Calls off every late `$disconnect`: some never come. */
  close(): void {
    this.#isClosed = true
    for (const callOff of this.#lateDisconnects) callOff()
  }

  /** Waits on the gateway's clock. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#settings.clock.after(ms, resolve))
  }

  #later(ms: number, run: () => Promise<void>): void {
    if (this.#isClosed) return
    const callOff = this.#settings.clock.after(ms, () => {
      this.#lateDisconnects.delete(callOff)
      void this.#work.track(run())
    })
    this.#lateDisconnects.add(callOff)
  }

  async #invoke(key: string, route: Route, event: GatewayEvent): Promise<Ending> {
    const { apiId: api, clock, faults, onRequest } = this.#settings
    const { delayMs, fail } = (await faults.invocation?.({ route: key, event })) ?? {}
    if (delayMs !== undefined) await this.pause(delayMs)
    const time = clock.now()
    const ran = fail === 'before' ? undefined : await this.#run(key, route, event)
    const ending = ran && fail === undefined ? ran : failedByFault
    if (onRequest !== undefined) {
      const { connectionId, requestId } = event.requestContext
      const ms = clock.now() - time
      onRequest({ time, api, route: key, connectionId, requestId, ms, ...outcomeOf(ending, route) })
    }
    return ending
  }

  #run(key: string, { handler, functionName }: Route, event: GatewayEvent): Promise<Ending> {
    const { apiId, clock, limits } = this.#settings
    const call = { handler, functionName: functionName ?? `${apiId}-${key.replace('$', '')}`, event }
    const { answer, over } = invoke(call, clock, limits)
    void this.#work.track(over)
    return answer
  }
}

const failedByFault: Ending = { how: 'failed', error: new Error('A fault made this invocation fail') }
