import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import type { Client, CustomerClient, WireError } from '../support/client.ts'
import { type License, sharedWorld } from '../support/world.ts'
import { leaksIn } from './leaks.ts'

// Agents do at random whatever they can to a customer's chat, and the customer reads along on two tabs: of
// what is not for it, it gets nothing. Who is known to it, and what is hidden, is taken from what an owner
// sees who is never in the chat.

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const world = await sharedWorld({ presenceGraceS: 0 })

/** Names and ids of which none is part of another. */
const agents = ['ann', 'ben', 'cleo', 'dan', 'eve'].map((name) => `id.${name}.`)
const nameOf = (id: string) => `Name of ${id}`
const emailOf = (id: string) => `mail.${id}@company.example`
const watcher = 'id.watcher.'
const never = 'id.never.'
const everybody = [...agents, watcher, never]
const kept = 'kept from customers'
const stranger = { name: 'Otto Stranger', email: 'otto@stranger.example' }

/** What the walk knows: what each step is about. */
interface Scene {
  license: License
  apps: Map<string, Client>
  chat_id: string
  carl: string
  token: string
  /** Another customer. */
  otto: string
  tabs: CustomerClient[]
}

interface Step {
  who: string
  action: string
  payload: object
  /** Of what there is by then, the one that it is about. */
  pick: number
}

const anyOf = <T>(...values: T[]) => fc.constantFrom(...values)
const some = (values: readonly string[], maxLength: number) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength })

const eventOf = (recipients: string | undefined) => {
  const text = recipients === 'all' || recipients === undefined ? 'told' : kept
  return anyOf(
    { type: 'message', text, recipients },
    { type: 'custom', content: { text }, recipients },
    { type: 'annotation', annotation_type: 'note', text, recipients },
    { type: 'filled_form', fields: [{ type: 'text', name: 'n', label: text }], recipients },
  )
}
const anyEvent = anyOf('all', 'agents', 'agents').chain(eventOf)

/** A step of an agent's; ids that only the scene knows are filled in when it is taken. */
const agentStep = fc.constantFrom(...agents).chain((who): fc.Arbitrary<Step> => {
  const others = some(agents, 2)
  const act = (action: string, payload: fc.Arbitrary<object>) =>
    fc.tuple(payload, fc.nat(999)).map(([filled, pick]): Step => ({ who, action, payload: filled, pick }))
  const scopes = fc.record({ groups: fc.subarray([1, 2]), agents: fc.subarray([...agents, never]) })
  return fc.oneof(
    { weight: 4, arbitrary: act('supervise_chat', fc.record({ agent_ids: others })) },
    // seldom, so that there is somebody whom the customer does not know
    { weight: 1, arbitrary: act('join_chat', fc.record({ agent_ids: others })) },
    { weight: 3, arbitrary: act('remove_from_chat', fc.record({ agent_ids: others })) },
    { weight: 1, arbitrary: act('remove_from_chat', anyOf({ customer_ids: ['<carl>'] })) },
    {
      weight: 8,
      arbitrary: act(
        'send_event',
        anyEvent.map((event) => ({ event })),
      ),
    },
    { weight: 3, arbitrary: act('mark_event_as_seen', anyOf({ event_id: '<event>' })) },
    { weight: 2, arbitrary: act('update_last_seen_timestamp', anyOf({})) },
    {
      weight: 3,
      arbitrary: act(
        'send_typing_indicator',
        fc.record({ is_typing: fc.boolean(), recipients: anyOf('all', 'agents') }),
      ),
    },
    { weight: 2, arbitrary: act('update_chat_scopes', fc.record({ add_scopes: scopes })) },
    { weight: 2, arbitrary: act('update_chat_scopes', fc.record({ remove_scopes: scopes })) },
    { weight: 2, arbitrary: act('close_thread', anyOf({})) },
    { weight: 1, arbitrary: act('update_chat_properties', anyOf({ properties: { a: { b: 'told' } } })) },
    {
      weight: 1,
      arbitrary: act(
        'start_chat',
        fc
          .array(anyEvent, { maxLength: 2 })
          .map((events) => ({ chat: { users: [{ id: '<carl>', type: 'customer' }], thread: { events } } })),
      ),
    },
    { weight: 1, arbitrary: act('send_broadcast', anyOf({ content: { text: kept } })) },
    {
      weight: 1,
      arbitrary: act(
        'update_agent',
        fc.record({ routing_status: anyOf('accepting_chats', 'not_accepting_chats') }),
      ),
    },
  )
})

const customerStep: fc.Arbitrary<Step> = anyOf<[string, object]>(
  ['send_event', { event: { type: 'message', text: 'told' } }],
  ['send_event', { event: { type: 'annotation', annotation_type: 'note', text: 'told' } }],
  ['start_chat', { chat: { thread: { events: [{ type: 'message', text: 'told' }] } } }],
  ['send_sneak_peek', { sneak_peek_text: 'I am' }],
  ['send_typing_indicator', { is_typing: true }],
  ['update_last_seen_timestamp', {}],
  ['mark_event_as_seen', { event_id: '<event>' }],
  ['close_thread', {}],
  ['update_customer', { customer: { properties: { plan: 'gold' } } }],
  ['get_chat_threads', {}],
  ['get_chat_threads', { thread_ids: ['<thread>'], after_order: 1 }],
  ['get_chat_threads_summary', {}],
  ['get_chats_summary', {}],
  ['list_group_statuses', {}],
  ['update_chat_scopes', { add_scopes: { groups: [1] } }],
  ['login', {}],
).chain(([action, payload]) => fc.nat(999).map((pick) => ({ who: 'carl', action, payload, pick })))

const anyStep = fc.oneof({ weight: 3, arbitrary: agentStep }, { weight: 1, arbitrary: customerStep })

const openScene = async (): Promise<Scene> => {
  const people = Object.fromEntries(
    everybody.map((id, index) => [
      id,
      {
        ...{ name: nameOf(id), email: emailOf(id), avatar: `https://pictures.example/${index}` },
        permission: index === 0 ? ('administrator' as const) : ('normal' as const),
        groups: [1],
      },
    ]),
  )
  const license = await world.license(
    { ...people, [watcher]: { ...people[watcher], permission: 'owner' } },
    { groups: ['Support', 'Sales'] },
  )
  const apps = new Map<string, Client>()
  for (const id of [watcher, ...agents]) {
    const app = await license.login(id)
    await app.ok('update_agent', { routing_status: 'not_accepting_chats' })
    apps.set(id, app)
  }
  const otto = await license.visit({ customer: stranger })
  await otto.client.ok('start_chat', { chat: { thread: { events: [{ type: 'message', text: kept }] } } })
  const first = await license.visit({ customer: { name: 'Carl' } })
  const second = await license.visit({ token: first.token })
  const { chat } = await first.client.ok('start_chat')
  return {
    ...{ license, apps, chat_id: chat.id, carl: first.id, token: first.token, otto: otto.id },
    tabs: [first.client, second.client],
  }
}

const filledIn = ({ chat_id, carl }: Scene, { payload, pick }: Step, events: readonly string[]): object =>
  JSON.parse(
    JSON.stringify({ chat_id, ...payload })
      .replaceAll('<carl>', carl)
      .replaceAll('<thread>', `${chat_id}_1`)
      .replaceAll('<event>', events[pick % events.length] ?? `${chat_id}_1_1`),
  )

/** What only those in the chat may do. */
const membersActions = new Set([
  ...['send_event', 'mark_event_as_seen', 'update_last_seen_timestamp', 'send_typing_indicator'],
])

/** Who takes a step: mostly somebody who may. */
const takerOf = ({ who, action, pick }: Step, staff: readonly string[]): string =>
  who !== 'carl' && membersActions.has(action) && pick % 8 > 0 ? (staff[pick % staff.length] ?? who) : who

/** Everything of a frame that has these fields, however deep. */
const within = (value: unknown, fits: (one: any) => boolean): any[] => {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.values(value).flatMap((one) => within(one, fits))
  return fits(value) ? [value, ...inner] : inner
}

const ofChat = (frame: any, chat_id: string): boolean =>
  frame.payload?.chat_id === chat_id || frame.payload?.chat?.id === chat_id

/** What an owner was told of the chat: who was ever in it as an agent, who supervised it, and its events. */
class Witness {
  readonly met = new Set<string>()
  readonly supervisors = new Set<string>()
  readonly #events = new Map<string, { id: string; recipients: string }>()

  add(frame: any, chat_id: string): void {
    if (!ofChat(frame, chat_id)) return
    for (const { id, type, present } of within(frame, (one) => 'present' in one))
      if (present && type !== 'customer') (type === 'agent' ? this.met : this.supervisors).add(id)
    for (const event of within(frame, (one) => 'recipients' in one && 'order' in one))
      this.#events.set(event.id, event)
  }

  events(recipients: 'all' | 'agents'): string[] {
    return [...this.#events.values()].filter((event) => event.recipients === recipients).map(({ id }) => id)
  }

  get unmet(): string[] {
    return everybody.filter((id) => !this.met.has(id))
  }
}

/** Reads the frames of a client from where it was read before. */
const reading = () => {
  const read = new Map<Client | CustomerClient, number>()
  return async (client: Client | CustomerClient): Promise<unknown[]> => {
    await client.caughtUp()
    const frames = client.frames.slice(read.get(client) ?? 0)
    read.set(client, client.frames.length)
    return frames.map((frame): unknown => JSON.parse(frame))
  }
}

/** All that the customer may read of its chat, once it is in it again: the ids of events and of users. */
const allOf = async (tab: CustomerClient, chat_id: string) => {
  // once it is back, an agent who is free may be given the chat
  await tab.ok('start_chat')
  await world.settled()
  const { chat } = await tab.ok('start_chat')
  const ids: string[] = []
  for (let n = 1; n <= chat.thread.order; n += 1)
    for (let after_order = 0; ;) {
      const asked = { chat_id, thread_ids: [`${chat_id}_${n}`], after_order, limit: 100 }
      const [thread] = (await tab.ok('get_chat_threads', asked)).chat.threads
      ids.push(...thread.events.map(({ id }: any) => id))
      after_order = thread.events.at(-1)?.order
      if (thread.has_more !== true) break
    }
  return { events: ids, users: chat.users.map(({ id }: any) => id) }
}

const walk = async (walkSeed: number, rounds: number, succeeded: Set<string>): Promise<Witness> => {
  const scene = await openScene()
  const { license, apps, chat_id, tabs, carl, token } = scene
  const owner = apps.get(watcher)!
  const witness = new Witness()
  const fresh = reading()

  const check = async (because: string) => {
    await world.settled()
    for (const frame of await fresh(owner)) witness.add(frame, chat_id)
    const secrets = {
      ids: witness.events('agents'),
      words: [
        ...[kept, stranger.name, stranger.email, scene.otto],
        ...everybody.map(emailOf),
        ...witness.unmet.flatMap((id) => [id, nameOf(id)]),
      ],
    }
    for (const tab of tabs)
      for (const frame of await fresh(tab))
        expect(leaksIn(frame, secrets), `${because}\n${JSON.stringify(frame)}`).toEqual([])
  }

  let turn = 0
  const take = async (step: Step) => {
    const { action } = step
    const chat = await readChat(world.table.read, chat_id)
    const present = (chat?.users ?? []).filter((user) => user.type !== 'customer' && user.present)
    const who = takerOf(
      step,
      present.map(({ id }) => id),
    )
    const client = who === 'carl' ? tabs[(turn += 1) % 2]! : apps.get(who)!
    const answer = await client.call(
      action,
      filledIn(scene, step, [...witness.events('agents'), ...witness.events('all')]),
    )
    if (answer.success) succeeded.add(`${who === 'carl' ? 'customer' : 'agent'} ${action}`)
    else expect((answer.payload as { error: WireError }).error.type).not.toBe('internal')
  }

  await check('the beginning')
  // some steps one by one, some at once: then whoever was met by their end counts as known
  const batches = fc.sample(
    fc.oneof(
      { weight: 5, arbitrary: fc.array(anyStep, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(anyStep, { minLength: 2, maxLength: 4 }) },
    ),
    { numRuns: rounds, seed: walkSeed },
  )
  for (const batch of batches) {
    await Promise.all(batch.map(take))
    await check(JSON.stringify(batch))
  }

  // a tab that comes to it late, and what the customer may read of it all
  const late = await license.visit({ token })
  tabs.push(late.client)
  expect(late.answer.last_chats_summary).toHaveLength(1)
  const all = await allOf(late.client, chat_id)
  await check('the end')
  expect(all.events.toSorted()).toEqual(witness.events('all').toSorted())
  expect(all.users.toSorted()).toEqual([carl, ...witness.met].toSorted())
  return witness
}

const title = `of what is hidden from a customer, none of its tabs ever gets anything (FUZZ_SEED=${seed})`
const again = `FUZZ_SEED=${seed} gives these steps again\n`

test(`${title}, in some steps`, async () => {
  process.stdout.write(again)
  const witness = await walk(seed, 8, new Set())
  expect(witness.events('all')).not.toEqual([])
})

test(`${title}, in many steps`, { tags: ['full'] }, async () => {
  process.stdout.write(again)
  const succeeded = new Set<string>()
  const witnesses: Witness[] = []
  for (let n = 0; n < 4; n += 1) witnesses.push(await walk(seed + n, 50, succeeded))

  // there was something to hide, and it was done in many ways
  const total = (count: (witness: Witness) => number) => witnesses.reduce((sum, one) => sum + count(one), 0)
  expect(total((one) => one.events('agents').length)).toBeGreaterThan(20)
  expect(total((one) => one.events('all').length)).toBeGreaterThan(20)
  expect(total((one) => one.supervisors.difference(one.met).size)).toBeGreaterThan(0)
  const names = (who: string) => [...succeeded].filter((name) => name.startsWith(who))
  expect(names('agent').length, [...succeeded].join()).toBeGreaterThan(10)
  expect(names('customer').length, [...succeeded].join()).toBeGreaterThan(10)
})
