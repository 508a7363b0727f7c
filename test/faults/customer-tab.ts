import type { Reply } from './app.ts'
import { Actor, type Context, someEvent, type Step } from './actor.ts'

/** A customer as all its tabs know it. */
export interface Person {
  id?: string | undefined
  token?: string | undefined
  chat?: string | undefined
  thread?: string | undefined
}

/** A tab of a customer's. */
export class CustomerTab extends Actor {
  readonly as = 'customer'
  readonly person: Person
  /** So slow that no customer, with all its tabs, comes near its limits in a minute. */
  protected override readonly pauseMs = 2000

  constructor(ctx: Context, person: Person) {
    super(ctx)
    this.person = person
  }

  get user(): string | undefined {
    return this.person.id
  }

  protected async credentials(): Promise<object> {
    const { token } = this.person
    const name = `Kim ${this.ctx.scene.license.marker}`
    return token === undefined ? { customer: { name } } : { token }
  }

  protected loggedIn({ customer_id: id, token, last_chats_summary: [chat] }: any): void {
    // two tabs that came at once without a token are two customers: the last one stays
    Object.assign(this.person, { id, token, chat: chat?.id })
    this.ctx.scene.customers.add(id)
  }

  protected override refusedLogin(error: string): void {
    // until the gateway has noticed which of them are gone
    if (error === 'too_many_connections') return
    // banned, or its token is no good: a visitor who throws it away is a new customer
    if (this.person.id !== undefined) this.ctx.scene.customers.delete(this.person.id)
    Object.assign(this.person, { id: undefined, token: undefined, chat: undefined, thread: undefined })
  }

  protected next(): Step | undefined {
    const { dice, scene } = this.ctx
    const { chat } = this.person
    // another tab has become somebody else
    if (this.app?.record.user !== this.person.id) {
      this.app?.cut()
      return undefined
    }
    const start = (): Step => ['start_chat', { chat: { thread: { events: [someEvent(dice, scene)] } } }]
    if (chat === undefined) return start()
    const thread = this.person.thread ?? `${chat}_1`
    const event = dice.one(scene.chats.get(chat)?.events ?? []) ?? `${chat}_1_1`
    const value = scene.tag('p')
    const properties = { test: { [`k${dice.below(8)}`]: value } }
    const choices: [number, () => Step][] = [
      [40, () => ['send_event', { chat_id: chat, event: someEvent(dice, scene) }]],
      [14, () => ['send_sneak_peek', { chat_id: chat, sneak_peek_text: scene.tag('s') }]],
      [14, () => ['send_typing_indicator', { chat_id: chat, is_typing: true }]],
      [6, () => ['mark_event_as_seen', { chat_id: chat, event_id: event }]],
      [3, () => ['update_last_seen_timestamp', { chat_id: chat }]],
      [4, start],
      [1.5, () => ['close_thread', { chat_id: chat }]],
      [4, () => ['get_chat_threads', { chat_id: chat }]],
      [2, () => ['get_chats_summary', {}]],
      [2, () => ['list_group_statuses', {}]],
      [2, () => ['get_chat_threads_summary', { chat_id: chat }]],
      [2, () => ['update_chat_properties', { chat_id: chat, properties, tag: value }]],
      [
        2,
        () => ['update_chat_thread_properties', { chat_id: chat, thread_id: thread, properties, tag: value }],
      ],
      [1.5, () => ['update_chat_scopes', { chat_id: chat, add_scopes: { groups: [1 + dice.below(2)] } }]],
      [5, () => ['update_customer', { customer: { properties: { plan: value } } }]],
      [5, () => ['ping', {}]],
    ]
    return dice.weighted(choices)()
  }

  protected answered([action]: Step, reply: Reply): void {
    if (reply.kind !== 'success') return
    const { payload: told } = reply
    if (action === 'start_chat')
      Object.assign(this.person, { chat: told.chat.id, thread: told.chat.thread.id })
    if (action === 'send_event') this.person.thread = told.thread_id
  }

  /** Comes into its chat, or back into it, and says so. */
  async comeIn(): Promise<void> {
    const { dice, scene } = this.ctx
    for (;;) {
      await this.comeOn()
      const step: Step = ['start_chat', { chat: { thread: { events: [someEvent(dice, scene)] } } }]
      const reply = await this.ask(...step)
      this.answered(step, reply)
      if (reply.kind === 'success') return
      if (reply.kind === 'refused') await this.app?.close()
    }
  }
}
