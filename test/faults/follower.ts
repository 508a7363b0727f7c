import { setTimeout as wait } from 'node:timers/promises'
import { App, type Recorder } from './app.ts'
import type { Dice } from './dice.ts'
import type { FollowerRecord } from './history.ts'

interface Position {
  n: number
  m: number
}

interface FollowerOptions {
  url: string
  /** The loopback address that it comes from. */
  from: string
  license: string
  as: 'agent' | 'customer'
  dice: Dice
  /** How long it stays at least until it is cut off; up to 3.4 times that. */
  stayMs: number
  /** What it logs in with. */
  login(): Promise<object>
}

/**
 * An app that keeps nothing but how far it has read each chat, and is cut off again and again. What a push
 * does not continue, and what it finds after a reconnect, it reads with `after_order`.
 */
export class Follower {
  readonly #recorder: Recorder
  readonly #options: FollowerOptions
  #app: App | undefined
  #user: string | undefined
  #customerToken: string | undefined
  readonly #positions = new Map<string, Position>()
  readonly #held: FollowerRecord['held'] = {}
  /** Chats whose last thread is active, as far as it knows. */
  readonly #active = new Set<string>()
  #work: Promise<void> = Promise.resolve()
  readonly #stopping = new AbortController()
  readonly figures = { cuts: 0, reads: 0, fromPushes: 0, fromReads: 0 }

  constructor(recorder: Recorder, options: FollowerOptions) {
    this.#recorder = recorder
    this.#options = options
  }

  get app(): App | undefined {
    return this.#app
  }

  get record(): FollowerRecord {
    const { license, as } = this.#options
    return { license, as, user: this.#user ?? '', held: structuredClone(this.#held) }
  }

  /** Comes and is cut off until `stop`. */
  async run(): Promise<void> {
    const { dice, stayMs } = this.#options
    while (!this.#stopping.signal.aborted) {
      await this.connect()
      await pause(stayMs + dice.below(2.4 * stayMs), this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      this.figures.cuts += 1
      this.#app?.cut()
      await this.#work
      await pause(dice.below(0.6 * stayMs), this.#stopping.signal)
    }
  }

  stop(): void {
    this.#stopping.abort()
  }

  /**
   * Logs in on a new connection, and reads what it missed: in the chats that the login lists, and in those
   * that were active when it went. `all`: also in those that were closed then.
   */
  async connect({ all = false }: { all?: boolean } = {}): Promise<void> {
    const { url, from, license, as, login } = this.#options
    for (;;) {
      const app = await App.open(this.#recorder, url, { license, as, from })
      if (app === undefined) continue
      app.record.user = this.#user
      this.#app = app
      app.onPush = (push) => this.#later(() => this.#follow(push))
      const given = this.#customerToken === undefined ? await login() : { token: this.#customerToken }
      const reply = await app.call('login', as === 'agent' ? { ...given, reconnect: true } : given)
      if (reply.kind !== 'success') {
        app.cut()
        await pause(50)
        continue
      }
      this.#user = app.record.user
      this.#customerToken = reply.payload.token
      const listed: string[] = (reply.payload.chats_summary ?? reply.payload.last_chats_summary).map(
        ({ id }: any) => id,
      )
      for (const chat of new Set([...listed, ...this.#active, ...(all ? this.#positions.keys() : [])]))
        this.#later(() => this.#readOn(chat))
      await this.#work
      return
    }
  }

  /** Comes into its chat, or back into it, and says so. */
  async speak(): Promise<void> {
    const events = [{ type: 'message', text: 'I am here' }]
    if (this.#options.as === 'customer') await this.#app?.call('start_chat', { chat: { thread: { events } } })
  }

  /**
   * All that there is: also the chats that began and ended while it was away, which a login does not list.
   */
  async finish(): Promise<void> {
    await this.#work
    do await this.connect({ all: true })
    while (this.#app?.isOpen !== true)
    if (this.#options.as === 'customer') return
    for (let page = 1; ; page += 1) {
      const reply = await this.#app.call('get_filtered_chats', { pagination: { page, limit: 100 } })
      if (reply.kind !== 'success') throw new Error(`The chats were not listed: ${reply.error}`)
      const ids: string[] = reply.payload.chats_summary.map(({ id }: any) => id)
      for (const id of ids) this.#later(() => this.#readOn(id))
      if (page * 100 >= reply.payload.pagination.total) break
    }
    await this.#work
  }

  #later(work: () => Promise<void>): void {
    this.#work = this.#work.then(work)
  }

  async #follow({ action, payload }: any): Promise<void> {
    if (action === 'thread_closed') this.#active.delete(payload.chat_id)
    if (action === 'incoming_event') await this.#hear(payload.chat_id, payload.thread_id, payload.event)
    if (action === 'incoming_chat_thread') {
      const { id, thread } = payload.chat
      this.#active.add(id)
      for (const event of thread.events) await this.#hear(id, thread.id, event)
      if (thread.events.length === 0 && !this.#positions.has(id)) await this.#readOn(id)
    }
  }

  async #hear(chat: string, thread: string, event: any): Promise<void> {
    const at = this.#positions.get(chat)
    const n = Number(thread.split('_')[1])
    const { order } = event
    if (at !== undefined && (n < at.n || (n === at.n && order <= at.m))) return
    if (at === undefined || n !== at.n || order !== at.m + 1) {
      await this.#readOn(chat)
      return
    }
    this.#keep(chat, n, event)
    this.figures.fromPushes += 1
  }

  #keep(chat: string, n: number, event: any): void {
    const threads = (this.#held[chat] ??= {})
    ;(threads[n] ??= []).push(`${event.id} ${event.text ?? ''}`)
    this.#positions.set(chat, { n, m: event.order })
  }

  /** Reads from the last order on, through as many threads as there are. */
  async #readOn(chat: string): Promise<void> {
    let { n, m } = this.#positions.get(chat) ?? { n: 1, m: 0 }
    for (;;) {
      const reply = await this.#app?.call('get_chat_threads', {
        ...{ chat_id: chat, thread_ids: [`${chat}_${n}`], after_order: m, limit: 100 },
      })
      // cut off, or without access: the next connection goes on from here
      if (reply === undefined || reply.kind === 'refused') return
      if (reply.kind === 'unknown') {
        if (this.#app?.isOpen !== true) return
        continue
      }
      this.figures.reads += 1
      if (reply.payload.chat.threads[0]?.active === true) this.#active.add(chat)
      else this.#active.delete(chat)
      const { threads, threads_summary: summary } = reply.payload.chat
      const [thread] = threads
      for (const event of thread?.events ?? []) {
        this.#keep(chat, n, event)
        m = event.order
        this.figures.fromReads += 1
      }
      if (thread?.has_more === true) continue
      const last = Math.max(...summary.map(({ thread_id: id }: any) => Number(id.split('_')[1])))
      if (n >= last) return
      n += 1
      m = 0
    }
  }
}

/** Ends with its time or with the signal. */
const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => undefined)
