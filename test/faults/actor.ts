import { setTimeout as wait } from 'node:timers/promises'
import { App, type Recorder, type Reply } from './app.ts'
import type { Dice } from './dice.ts'
import type { Scene } from './scene.ts'

export interface Context {
  recorder: Recorder
  dice: Dice
  scene: Scene
  url: string
  /** The loopback address that the app comes from. */
  from: string
  /** Takes one of the requests that the run is to make; false: there are none left. */
  take(): boolean
  /** Waits until there is room for one more request at a time. */
  turn<T>(work: () => Promise<T>): Promise<T>
  /** How often sockets were closed or cut by their own side. */
  ended(how: string): void
}

/** What an actor does in one step, as one request. */
export type Step = readonly [action: string, payload: object]

/**
 * An app or a tab: logs in, asks for one thing after the other, sometimes two at once, and comes again when
 * it is cut off.
 */
export abstract class Actor {
  protected readonly ctx: Context
  protected app: App | undefined
  abstract readonly as: 'agent' | 'customer'
  abstract readonly user: string | undefined
  /** How long it waits at least from one step to the next. */
  protected readonly pauseMs: number = 0

  constructor(ctx: Context) {
    this.ctx = ctx
  }

  get socket(): App | undefined {
    return this.app
  }

  protected abstract credentials(): Promise<object>
  protected abstract next(): Step | undefined
  protected abstract loggedIn(payload: any): void
  /** A login that was refused. */
  protected refusedLogin(_error: string): void {}
  /** What an answer means for what is known. */
  protected abstract answered(step: Step, reply: Reply): void

  /** Opens a connection and logs in on it, however often that takes. */
  async comeOn(): Promise<void> {
    const { recorder, scene, url, from, dice, turn } = this.ctx
    for (let tries = 0; this.app?.isOpen !== true || this.app.record.isLoggedIn !== true; tries += 1) {
      if (tries > 0) await wait(20 + dice.below(200))
      if (this.app?.isOpen !== true)
        this.app = await App.open(recorder, url, { license: scene.license.id, as: this.as, from })
      const { app } = this
      if (!app.isOpen) continue
      app.onPush = (push) => scene.hear(push)
      app.record.user = this.user
      const given = await this.credentials()
      const reply = await turn(() => app.call('login', given))
      if (reply.kind === 'success') this.loggedIn(reply.payload)
      if (reply.kind === 'refused') {
        this.refusedLogin(reply.error)
        // this socket may hold another's session, or wait to be closed
        await app.close()
      }
    }
  }

  async run(): Promise<void> {
    const { dice, take, ended } = this.ctx
    for (;;) {
      await this.comeOn()
      if (!take()) return
      if (dice.chance(0.012)) {
        await this.leave()
      } else if (dice.chance(0.008)) {
        ended('cut off')
        this.app?.cut()
      } else if (dice.chance(0.08)) await Promise.all([this.#step(), this.#step()])
      else await this.#step()
      await wait(this.pauseMs)
    }
  }

  /** Goes away for a while, on purpose. */
  protected async leave(): Promise<void> {
    this.ctx.ended('closed by its app')
    await this.app?.close()
  }

  async #step(): Promise<void> {
    const step = this.next()
    if (step === undefined) return
    const [action, payload] = step
    for (let tries = 1; ; tries += 1) {
      const reply = await this.ask(action, payload)
      this.answered(step, reply)
      const repeatable = JSON.stringify(payload).includes('custom_id')
      // with its `custom_id` it is safe to send again, also on another connection
      if (reply.kind !== 'unknown' || !repeatable || tries === 6 || this.ctx.dice.chance(0.1)) return
      if (!this.ctx.take()) return
      await this.comeOn()
    }
  }

  protected ask(action: string, payload: object): Promise<Reply> {
    return this.ctx.turn(async () => this.app?.call(action, payload) ?? { kind: 'unknown', error: 'closed' })
  }
}

const says = ['message', 'message', 'message', 'custom', 'filled_form', 'annotation'] as const

/** An event of some type under a `custom_id` that nobody else uses. */
export const someEvent = (dice: Dice, scene: Scene, recipients?: 'all' | 'agents'): object => {
  const tag = scene.tag(recipients === 'agents' ? 'hid-' : 'e')
  const common = { custom_id: tag, ...(recipients === undefined ? {} : { recipients }) }
  const type = dice.one(says) ?? 'message'
  switch (type) {
    case 'message':
      return { type, text: tag, ...common }
    case 'annotation':
      return { type, annotation_type: 'note', text: tag, ...common }
    case 'custom':
      return { type, content: { said: tag }, ...common }
    case 'filled_form':
      return { type, fields: [{ type: 'text', name: 'n', label: tag }], ...common }
  }
}
