import { setTimeout as wait } from 'node:timers/promises'
import {
  type AgentClient,
  ChatError,
  createAgentClient,
  createCustomerClient,
  type CustomerClient,
  type Environment,
} from '../../shared/client/client.ts'
import { App, type Recorder } from './app.ts'
import type { Dice } from './dice.ts'
import type { FollowerRecord } from './history.ts'

/** An agent logs in with a token; who has none is a customer of this name. */
export type Login = { token: () => Promise<string>; name?: never } | { token?: never; name: string }

type FollowerOptions = Login & {
  url: string
  /** The loopback address that it comes from. */
  from: string
  license: string
  dice: Dice
}

/** So often it tests its connection, which moves its cursor on. */
const pingEveryMs = 2500

/** How long it stays, and how long it is away at most. */
const staysMs = { least: 2500, most: 8500 }
const awayMs = 1500
/** Of how many stays it is cut off at once, in the middle of its login or of what it reads then. */
const shortStays = { share: 0.3, mostMs: 400 }

/**
 * An app that is the product's client, and whose network is taken away again and again. It does nothing to
 * recover but what the client does by itself.
 */
export class Follower {
  readonly #recorder: Recorder
  readonly #options: FollowerOptions
  readonly #storage = new Map<string, string>()
  readonly #stopping = new AbortController()
  readonly figures = { cuts: 0, recovered: 0, startedOver: 0, reopened: 0, reads: 0, events: 0 }
  #client: AgentClient | CustomerClient | undefined
  #app: App | undefined
  #user: string | undefined
  #since = 0
  #isDown = false
  #back = () => {}
  #wakers: (() => void)[] = []
  #pings = 0

  constructor(recorder: Recorder, options: FollowerOptions) {
    this.#recorder = recorder
    this.#options = options
  }

  get app(): App | undefined {
    return this.#app
  }

  get record(): FollowerRecord {
    return {
      ...{ license: this.#options.license, as: this.#as, user: this.#user ?? '' },
      since: this.#since,
      startedOver: this.figures.startedOver,
      chats: structuredClone(this.#client?.chats.all() ?? []),
    }
  }

  /** Opens its app, or opens it anew where the server will have no more of it. */
  async open(): Promise<void> {
    this.#since = performance.now()
    const client = this.#create()
    this.#client = client
    const on: Pick<AgentClient, 'on'>['on'] = client.on as AgentClient['on']
    on('state', () => this.#wake())
    on('recovered', ({ recovered }) => {
      this.figures[recovered ? 'recovered' : 'startedOver'] += 1
      this.#wake()
    })
    on('incoming_event', () => void (this.figures.events += 1))
    on('ended', () => {
      this.figures.reopened += 1
      // somebody opens it again after a while
      void wait(200).then(() => this.open())
    })
    await this.#until(() => this.#client?.state === 'online')
  }

  #create(): AgentClient | CustomerClient {
    const { url, license, token, name } = this.#options
    const common = { url, pingEveryMs, environment: this.#environment }
    if (token !== undefined) return createAgentClient({ ...common, token })
    const storage = {
      getItem: (key: string) => this.#storage.get(key) ?? null,
      setItem: (key: string, value: string) => void this.#storage.set(key, value),
      removeItem: (key: string) => void this.#storage.delete(key),
    }
    return createCustomerClient({ ...common, licenseId: license, storage, customer: { name } })
  }

  get #as(): 'agent' | 'customer' {
    return this.#options.token === undefined ? 'customer' : 'agent'
  }

  get #environment(): Partial<Environment> {
    const { license, from, dice } = this.#options
    const as = this.#as
    return {
      random: () => dice.number(),
      onOnline: (back) => {
        this.#back = back
        return () => {}
      },
      connect: (url, listener) => {
        if (this.#isDown) {
          setImmediate(listener.closed)
          return { send: () => {}, close: () => {} }
        }
        const app = new App(this.#recorder, url, { license, as, from, hears: listener })
        app.record.user = this.#user
        this.#app = app
        return {
          send: (text) => {
            const { request_id: id, action, payload } = JSON.parse(text)
            if (action === 'get_chat_threads' || action === 'sync') this.figures.reads += 1
            void app.call(action, payload, id).then(({ kind }) => {
              this.#user = app.record.user
              if (action === 'ping' && kind === 'success') this.#pings += 1
              this.#wake()
            })
          },
          close: () => app.cut(),
        }
      },
    }
  }

  /** Is cut off and comes back until `stop`. */
  async run(): Promise<void> {
    const { dice } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const isShort = dice.chance(shortStays.share)
      const stayMs = isShort
        ? dice.below(shortStays.mostMs)
        : staysMs.least + dice.below(staysMs.most - staysMs.least)
      await pause(stayMs, signal)
      if (signal.aborted) return
      this.figures.cuts += 1
      this.leave()
      await pause(dice.below(awayMs), signal)
      this.#comeBack()
    }
  }

  /** Its network goes away. */
  leave(): void {
    this.#isDown = true
    this.#app?.cut()
  }

  #comeBack(): void {
    this.#isDown = false
    this.#back()
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Comes into its chat, or back into it, and says so; an agent only follows. */
  async speak(): Promise<void> {
    if (this.#options.token !== undefined) return
    const events = [{ type: 'message' as const, text: 'I am here' }]
    const client = this.#client as CustomerClient
    await client.request('start_chat', { chat: { thread: { events } } }).catch((error: unknown) => {
      if (!(error instanceof ChatError)) throw error
    })
  }

  /** Is cut off once more, recovers, and has read all that it knows to be missing. */
  async finish(): Promise<void> {
    const { figures } = this
    const recoveries = () => figures.recovered + figures.startedOver + figures.reopened
    const isOnline = () => this.#client?.state === 'online'
    if (!this.#isDown) {
      this.#back()
      await this.#until(isOnline)
    }
    const before = recoveries()
    this.leave()
    await this.#until(() => this.#client?.state === 'waiting')
    this.#comeBack()
    // one that is opened anew has nothing to recover
    await this.#until(() => recoveries() > before && isOnline())
    // what could not be read is tried again with each ping
    for (let reads = -1; reads < figures.reads;) {
      reads = figures.reads
      const pings = this.#pings
      this.#back()
      await this.#until(() => this.#pings > pings && this.#app?.open === 0)
    }
  }

  close(): void {
    this.#client?.close()
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => void this.#wakers.push(resolve))
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake()
  }
}

/** Ends with its time or with the signal. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => undefined)
