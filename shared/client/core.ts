import { ChatError } from './chat-error.ts'
import type { Environment } from './environment.ts'
import { findSent } from './find-sent.ts'
import { Line, LineLost } from './line.ts'
import type { Listeners } from './listeners.ts'
import { answerMs, Requests } from './requests.ts'

/** `waiting`: for another try to connect. `closed`: for good, by the app or by the server. */
export type State = 'connecting' | 'online' | 'waiting' | 'closed'

export interface ClientEvents {
  state: State
  /** After each login but the first: whether all that was missed is known, or the app started over. */
  recovered: { recovered: boolean }
  /** The server will have no more of this client: why. */
  ended: { error: ChatError }
}

/** The first one; one after which something may have been missed; or one that prolongs a session. */
export type Login = 'first' | 'again' | 'renewal'

interface CoreOptions<Pushes> {
  kind: 'agent' | 'customer'
  url: string
  environment: Environment
  pingEveryMs: number
  listeners: Listeners<Pushes & ClientEvents>
  /**
   * What the client logs in with; asked anew for each login. `isRefused`: what it gave the last time was not
   * taken.
   */
  credentials: (isReconnect: boolean, isRefused: boolean) => Promise<object>
  /** Returns when the client is to log in again (ms), if it knows. */
  loggedIn: (answer: unknown, login: Login) => number | undefined
  ping: () => Promise<void>
  pushed: (name: string, payload: object) => void
}

const pongMs = 10_000
const longestPauseMs = 30_000
const longestTimerMs = 2 ** 31 - 1

/** Errors of a login that no other try would change. */
const final = new Set([
  'auth',
  'license_expired',
  'license_not_found',
  'customer_banned',
  'too_many_connections',
])
/** Reasons of a disconnect after which the client may come back. */
const passing = new Set(['access_token_expired', 'agent_disconnected_by_server'])

/** A session that lasts over connections: logs in, stays alive, comes back. */
export class Core<Pushes> {
  readonly line: Line
  readonly requests: Requests
  readonly ended = new AbortController()
  readonly #options: CoreOptions<Pushes>
  #state: State = 'connecting'
  #online = Promise.withResolvers<void>()
  #tries = 0
  #logins = 0
  #isLoggingIn = false
  /** Pushes may have been missed since the last login. */
  #isCutOff = true
  readonly #stops = { pause: () => {}, ping: () => {}, renewal: () => {}, onOnline: () => {} }

  constructor(options: CoreOptions<Pushes>) {
    this.#options = options
    const { url, environment, kind } = options
    this.line = new Line(url, environment, {
      opened: () => void this.#logIn(),
      pushed: (name, payload) => this.#pushed(name, payload),
      lost: () => this.#lost(),
    })
    this.requests = new Requests(kind, {
      line: this.line,
      environment,
      online: () => this.#online.promise,
      renew: () => {
        this.#leave()
        this.#isCutOff = true
        void this.#logIn()
        return true
      },
      findSent: (payload) => findSent(this.line, payload),
    })
    this.#online.promise.catch(() => {})
    this.#stops.onOnline = environment.onOnline?.(() => this.#networkIsBack()) ?? (() => {})
    this.line.open()
  }

  get state(): State {
    return this.#state
  }

  close(reason = new ChatError({ type: 'closed', message: 'The client was closed' })): void {
    if (this.#state === 'closed') return
    this.#leave()
    this.#set('closed')
    this.#online.promise.catch(() => {})
    this.#online.reject(reason)
    for (const stop of Object.values(this.#stops)) stop()
    this.line.drop()
    this.ended.abort()
  }

  #set(state: State): void {
    if (this.#state === state) return
    this.#state = state
    this.#emit('state', state)
  }

  #emit<Name extends keyof ClientEvents>(name: Name, payload: ClientEvents[Name]): void {
    // the names of a client's own events are those of no push
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
    this.#options.listeners.emit(name, payload as (Pushes & ClientEvents)[Name])
  }

  /** Nothing is sent until the next login. */
  #leave(): void {
    this.#stops.ping()
    this.#stops.renewal()
    if (this.#state !== 'online') return
    this.#online = Promise.withResolvers<void>()
    this.#online.promise.catch(() => {})
    this.#set('connecting')
  }

  async #logIn(isRefused = false): Promise<void> {
    if (this.#isLoggingIn && !isRefused) return
    this.#isLoggingIn = true
    try {
      const payload = await this.#options.credentials(this.#logins > 0, isRefused)
      const answer = await this.line.call('login', payload, answerMs)
      if (this.#state === 'closed') return
      const login = this.#logins === 0 ? 'first' : this.#isCutOff ? 'again' : 'renewal'
      this.#logins += 1
      this.#tries = 0
      this.#isCutOff = false
      this.#online.resolve()
      this.#set('online')
      const renewAt = this.#options.loggedIn(answer, login)
      this.#pingLater()
      if (renewAt !== undefined) this.#renewAt(renewAt)
    } catch (error) {
      if (error instanceof ChatError && final.has(error.type)) {
        // a token may have run out on its way
        if (error.type === 'auth' && !isRefused) return await this.#logIn(true)
        this.#end(error)
      } else this.line.drop()
    } finally {
      this.#isLoggingIn = false
    }
  }

  #end(error: ChatError): void {
    if (this.#state === 'closed') return
    this.close(error)
    this.#emit('ended', { error })
  }

  #renewAt(atMs: number): void {
    const { environment } = this.#options
    const inMs = Math.min(Math.max(atMs - environment.now(), 1000), longestTimerMs)
    // one that is online keeps sending meanwhile
    this.#stops.renewal = environment.delay(() => void this.#logIn(), inMs)
  }

  #pingLater(): void {
    this.#stops.ping()
    const { environment, pingEveryMs } = this.#options
    this.#stops.ping = environment.delay(() => void this.#ping(), pingEveryMs)
  }

  /** One that is not answered soon has no connection, whatever the socket says. */
  async #ping(): Promise<void> {
    try {
      await this.#options.ping()
      if (this.#state === 'online') this.#pingLater()
    } catch (error) {
      if (!(error instanceof LineLost)) this.#pingLater()
    }
  }

  ping(payload: object): Promise<unknown> {
    return this.line.call('ping', payload, pongMs)
  }

  #networkIsBack(): void {
    if (this.#state === 'waiting') {
      this.#stops.pause()
      this.#connect()
    } else if (this.#state === 'online') void this.#ping()
  }

  #connect(): void {
    this.#set('connecting')
    this.line.open()
  }

  #lost(): void {
    if (this.#state === 'closed') return
    this.#leave()
    this.#isCutOff = true
    this.#set('waiting')
    const { environment } = this.#options
    const most = Math.min(500 * 2 ** this.#tries, longestPauseMs)
    this.#tries += 1
    // all clients of a server that restarts come back over some time
    const pauseMs = most / 2 + (environment.random() * most) / 2
    this.#stops.pause = environment.delay(() => this.#connect(), pauseMs)
  }

  #pushed(name: string, payload: object): void {
    const isEnd = name === 'agent_disconnected' || name === 'customer_disconnected'
    this.#options.pushed(name, payload)
    if (!isEnd) return
    const reason = 'reason' in payload ? String(payload.reason) : ''
    if (passing.has(reason)) this.line.drop()
    else this.#end(new ChatError({ type: 'closed', message: `The server ended the session: ${reason}` }))
  }
}
