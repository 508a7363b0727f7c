import { ChatError } from './chat-error.ts'
import type { Environment } from './environment.ts'
import { type Line, LineLost } from './line.ts'

/** The gateway gives up after 29 s: a request without an answer by then has no connection. */
export const answerMs = 32_000

const mostWaiting = 1000
const mostTries = 6

interface Request {
  action: string
  payload: object
  /** It was sent, and whether it was done is not known. */
  isUncertain: boolean
  tries: number
  resolve: (answer: unknown) => void
  reject: (error: Error) => void
}

/** A lane's requests go one after the other: those about one chat share one. */
type Lane = Request[]

/** What requests go out by. Throws `ChatError`, and `LineLost` where their outcome is not known. */
export type Calls = Pick<Line, 'call'>

export interface Asking {
  line: Calls
  environment: Environment
  /** Resolves once one is logged in; rejects once the client is closed. */
  online: () => Promise<void>
  /**
   * The session, or the token, is over: sees to another; false: there is none that another try could have.
   */
  renew: () => boolean
  /** What an earlier try of sending an event has stored, if it has. */
  findSent: (payload: SendEvent) => Promise<unknown>
}

export interface SendEvent {
  chat_id: string
  event: { custom_id: string }
}

/**
 * Requests that would be done twice where they are sent twice: nothing tells the server that they are one.
 */
const onceOnly = new Set(['agent/start_chat', 'agent/send_broadcast'])

/** Requests that are answered once each, over as many connections as it takes. */
export class Requests {
  readonly #kind: 'agent' | 'customer'
  readonly #asking: Asking
  readonly #lanes = new Map<string | Request, Lane>()

  constructor(kind: 'agent' | 'customer', asking: Asking) {
    this.#kind = kind
    this.#asking = asking
  }

  add(action: string, payload: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request: Request = {
        action,
        payload: withCustomIds(payload),
        isUncertain: false,
        tries: 0,
        resolve,
        reject,
      }
      const key = chatOf(payload) ?? request
      const lane = this.#lanes.get(key)
      if (lane === undefined) {
        this.#lanes.set(key, [request])
        void this.#run(key)
      } else if (lane.length < mostWaiting) lane.push(request)
      else reject(new ChatError({ type: 'too_many_requests', message: 'Too many requests wait for a chat' }))
    })
  }

  async #run(key: string | Request): Promise<void> {
    const lane = this.#lanes.get(key) ?? []
    for (let [request] = lane; request !== undefined; [request] = lane) {
      try {
        request.resolve(await this.#answer(request))
      } catch (error) {
        request.reject(error instanceof Error ? error : new Error(String(error)))
      }
      lane.shift()
    }
    this.#lanes.delete(key)
  }

  /** Tries until there is an answer, or an error that another try would not change. */
  async #answer(request: Request): Promise<unknown> {
    for (;;) {
      await this.#asking.online()
      try {
        return await this.#try(request)
      } catch (error) {
        if (error instanceof LineLost) request.isUncertain = true
        else if (error instanceof ChatError) await this.#recover(request, error)
        else throw error
      }
      if (request.isUncertain && onceOnly.has(`${this.#kind}/${request.action}`))
        throw new ChatError({
          type: 'connection_lost',
          message: `Whether ${request.action} was done is not known: look before you send it again`,
        })
    }
  }

  async #try({ action, payload, isUncertain }: Request): Promise<unknown> {
    const { line, findSent } = this.#asking
    if (isUncertain && action === 'send_event' && isSendEvent(payload)) {
      const sent = await findSent(payload)
      if (sent !== undefined) return sent
    }
    try {
      return await line.call(action, payload, answerMs)
    } catch (error) {
      const isDone = isUncertain && action === 'close_thread' && error instanceof ChatError
      if (isDone && error.type === 'chat_inactive') return undefined
      throw error
    }
  }

  /** Waits where another try may succeed; else throws the error again. */
  async #recover(request: Request, error: ChatError): Promise<void> {
    const { environment, renew } = this.#asking
    request.tries += 1
    if (error.type === 'auth') {
      if (request.tries > mostTries || !renew()) throw error
      return
    }
    const isUnknown = error.type === 'request_timeout' || (error.type === 'internal' && request.isUncertain)
    if (isUnknown) request.isUncertain = true
    else if (error.type !== 'too_many_requests') throw error
    if (isUnknown && request.tries > mostTries) throw error
    const waitMs = secondsIn(error) * 1000 || environment.random() * 500 * 2 ** Math.min(request.tries, 6)
    await new Promise<void>((resolve) => void environment.delay(resolve, waitMs))
  }
}

/** How long the server asks to wait; 0 where it does not say. */
const secondsIn = ({ details }: ChatError): number =>
  Number(/(\d{1,5}) s\b/.exec(details[0]?.message ?? '')?.[1] ?? 0)

const chatOf = (payload: object): string | undefined =>
  'chat_id' in payload && typeof payload.chat_id === 'string' ? payload.chat_id : undefined

const isSendEvent = (payload: object): payload is SendEvent => chatOf(payload) !== undefined

/** Events with a `custom_id` each, by which the server knows one that is sent again. */
const withCustomIds = (payload: object): object =>
  Object.fromEntries(
    Object.entries(payload).map(([name, value]: [string, unknown]) => {
      if (name === 'event') return [name, withCustomId(value)]
      if ((name === 'initial_events' || name === 'events') && Array.isArray(value))
        return [name, value.map(withCustomId)]
      return [name, (name === 'chat' || name === 'thread') && isObject(value) ? withCustomIds(value) : value]
    }),
  )

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const withCustomId = (event: unknown): unknown =>
  isObject(event) ? { custom_id: crypto.randomUUID(), ...event } : event
