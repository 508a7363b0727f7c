import { httpActions } from '../../shared/protocol/agent/index.ts'
import type { Reply, Wants } from './app.ts'
import { Actor, type Context, someEvent, type Step } from './actor.ts'
import type { AgentRecord } from './history.ts'
import { HttpApp } from './http-app.ts'

/** As many chats of a license are active at most: a login reads them all. */
const mostActive = 8

const overHttp: ReadonlySet<string> = new Set(httpActions.map(({ name }) => name))

/** An agent's app, whose system asks over HTTP for some of what it wants. */
export class AgentApp extends Actor {
  readonly as = 'agent'
  readonly agent: AgentRecord
  readonly #token: Promise<string>
  readonly #http: HttpApp
  /** The same at each login: of one that has no answer nobody knows whether it counts. */
  readonly #wants: Wants
  #cursor = ''
  /** The tags that it has given, and nobody has taken yet. */
  readonly #given: object[] = []

  constructor(
    ctx: Context & { httpUrl: string },
    agent: AgentRecord,
    token: Promise<string>,
    wants: Wants = ctx.dice.chance(0.4) ? { chats: 'my' } : {},
  ) {
    super(ctx)
    this.agent = agent
    this.#token = token
    this.#wants = wants
    const of = { license: ctx.scene.license.id, user: agent.id }
    this.#http = new HttpApp(ctx.recorder, { ...of, url: ctx.httpUrl, token })
  }

  /** Every fifth request of a license's agents that may go over HTTP does. */
  protected override ask(action: string, payload: object): Promise<Reply> {
    return overHttp.has(action) && this.ctx.scene.isFifth()
      ? this.ctx.turn(() => this.#http.call(action, payload))
      : super.ask(action, payload)
  }

  /** Follows some chat, with or without access. */
  async follow(): Promise<void> {
    const chat = this.ctx.scene.any()
    if (chat !== undefined) await this.ask('follow_chat', { chat_id: chat.id })
  }

  /** With or without a word, and now and then without waiting for its answer. */
  protected override async leave(): Promise<void> {
    const { dice, ended } = this.ctx
    if (dice.chance(0.5)) return super.leave()
    ended('logged out')
    const asked = this.ask('logout', {})
    if (dice.chance(0.8)) {
      await asked
      await this.ask('get_filtered_chats', {})
    }
    await this.app?.close()
    await asked
  }

  get user(): string {
    return this.agent.id
  }

  protected async credentials(): Promise<object> {
    return { token: await this.#token, reconnect: this.ctx.dice.chance(0.5), ...this.#wants }
  }

  protected loggedIn({ chats_summary: chats, cursor }: any): void {
    this.#cursor = cursor
    for (const { id, users, last_thread_summary: last } of chats)
      this.ctx.scene.show({ id, users, thread: { ...last, events: [] } })
  }

  protected next(): Step | undefined {
    const { dice, scene } = this.ctx
    const { active } = scene
    if (active.length < 3) return this.#start()
    const own = scene.own(this.user)
    const any = scene.any()
    if (any === undefined) return this.#start()
    if (own === undefined)
      return dice.chance(0.2) ? this.#start() : ['join_chat', { chat_id: any.id, agent_ids: [this.user] }]
    const others = scene.license.agents.map(({ id }) => id)
    const some = () => dice.shuffled(others).slice(0, 1 + dice.below(2))
    const scopes = () => ({
      groups: scene.license.groups.filter((_, __, { length }) => dice.chance(1 / length)),
      agents: dice.chance(0.3) ? some() : [],
    })
    const thread = any.thread ?? `${any.id}_1`
    const event = dice.one(own.events) ?? `${own.id}_1_1`
    const say = (recipients?: 'all' | 'agents'): Step => [
      'send_event',
      { chat_id: own.id, event: someEvent(dice, scene, recipients) },
    ]
    const value = scene.tag('p')
    const properties = { test: { [`k${dice.below(8)}`]: value } }
    const customer = dice.one([...scene.customers])
    const choices: [number, () => Step | undefined][] = [
      [34, () => say()],
      [12, () => say('agents')],
      [5, () => ['get_chat_threads', { chat_id: any.id }]],
      [16, () => ['send_typing_indicator', { chat_id: own.id, is_typing: dice.chance(0.5) }]],
      [6, () => ['mark_event_as_seen', { chat_id: own.id, event_id: event }]],
      [3, () => ['update_last_seen_timestamp', { chat_id: own.id }]],
      [5, () => ['join_chat', { chat_id: any.id, agent_ids: dice.chance(0.6) ? [this.user] : some() }]],
      [3, () => ['supervise_chat', { chat_id: any.id, agent_ids: dice.chance(0.5) ? [] : some() }]],
      [2, () => [dice.chance(0.7) ? 'follow_chat' : 'unfollow_chat', { chat_id: any.id }]],
      [2, () => ['remove_from_chat', { chat_id: own.id }]],
      [
        3,
        () => [
          'transfer_chat',
          {
            chat_id: own.id,
            target: dice.one([
              undefined,
              { type: 'agent', ids: some() },
              { type: 'group', ids: [1 + dice.below(2)] },
            ]),
            ignore_agents_availability: dice.chance(0.5),
          },
        ],
      ],
      [1, () => ['list_agents_for_transfer', { chat_id: any.id }]],
      [2, () => ['remove_from_chat', { chat_id: any.id, agent_ids: some() }]],
      [
        0.5,
        () =>
          any.customer === undefined
            ? undefined
            : ['remove_from_chat', { chat_id: any.id, customer_ids: [any.customer] }],
      ],
      [active.length > mostActive ? 12 : 2.5, () => ['close_thread', { chat_id: any.id }]],
      [active.length > mostActive ? 0 : 3, () => this.#start()],
      [3, () => ['update_chat_scopes', { chat_id: any.id, add_scopes: scopes() }]],
      [3, () => ['update_chat_scopes', { chat_id: any.id, remove_scopes: scopes() }]],
      [3, () => ['update_chat_properties', { chat_id: any.id, properties, tag: value }]],
      [
        2,
        () => [
          'update_chat_thread_properties',
          { chat_id: any.id, thread_id: thread, properties, tag: value },
        ],
      ],
      // a word that no customer may see
      [2, () => ['tag_thread', { chat_id: any.id, thread_id: thread, tag: scene.tag('hid-t') }]],
      [
        1,
        () => {
          const given = this.#given.shift()
          return given && ['untag_thread', given]
        },
      ],
      [0.6, () => (customer === undefined ? undefined : ['get_customer', { customer_id: customer }])],
      [
        3,
        () =>
          customer === undefined
            ? undefined
            : ['update_customer', { customer_id: customer, customer: { properties: { plan: value } } }],
      ],
      [
        1.5,
        () => [
          'send_broadcast',
          { content: { said: scene.tag('b') }, scopes: dice.chance(0.5) ? {} : { groups: [1] } },
        ],
      ],
      [
        0.3,
        () =>
          customer === undefined ? undefined : ['ban_customer', { customer_id: customer, ban: { days: 1 } }],
      ],
      [0.6, () => (customer === undefined ? undefined : ['unban_customer', { customer_id: customer }])],
      [
        2,
        () => [
          'update_agent',
          { routing_status: dice.chance(0.7) ? 'accepting_chats' : 'not_accepting_chats' },
        ],
      ],
      [
        1,
        () => [
          'get_archives',
          { filters: { query: dice.one(['Chat', 'joined', value]) }, pagination: { page: 1, limit: 10 } },
        ],
      ],
      [1, () => ['get_filtered_chats', { pagination: { page: 1, limit: 10 } }]],
      [5, () => ['ping', {}]],
      [1, () => ['list_group_statuses', {}]],
      [2, () => ['sync', { cursor: this.#cursor }]],
    ]
    return dice.weighted(choices)()
  }

  #start(): Step {
    const { dice, scene } = this.ctx
    const customer = dice.one([...scene.customers])
    const scopes = dice.weighted([
      [3, {}],
      [2, { groups: [1] }],
      [1, { groups: [2] }],
      [1, { agents: [this.user] }],
    ])
    const events = [someEvent(dice, scene)]
    return customer !== undefined && dice.chance(0.4)
      ? ['start_chat', { chat: { users: [{ id: customer, type: 'customer' }], thread: { events } } }]
      : ['start_chat', { initial_events: events, chat: { scopes } }]
  }

  protected answered([action, payload]: Step, reply: Reply): void {
    const { scene } = this.ctx
    const { chat_id: id } = payload as { chat_id?: string }
    if (reply.kind === 'refused') {
      if (id !== undefined && reply.error === 'authorization') scene.chats.get(id)?.members.delete(this.user)
      if (id !== undefined && reply.error === 'chat_inactive')
        scene.show({
          id,
          thread: { ...scene.chats.get(id), id: scene.chats.get(id)?.thread, active: false, events: [] },
        })
      return
    }
    if (reply.kind !== 'success') return
    const { payload: told } = reply
    if (action === 'start_chat') scene.show(told.chat)
    if (action === 'tag_thread') this.#given.push(payload)
    if (action === 'send_event' && id !== undefined) scene.said(id, told.thread_id, told.event.id)
    if (action === 'get_chat_threads') scene.show({ ...told.chat, thread: told.chat.threads[0] })
  }
}
