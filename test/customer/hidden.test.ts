import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Client, CustomerClient } from '../support/client.ts'
import { type License, startWorld, type Visitor } from '../support/world.ts'
import { leaksIn } from './leaks.ts'

// Agents do at random whatever they can to a customer's chat, and the customer reads along on two tabs: of what is not
// for it, it gets nothing. Who is known to it, and what is hidden, is taken from what an owner sees who is never in the chat.

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const rounds = 60

const world = await startWorld({ presenceGraceS: 0 })

/** Names and ids of which none is part of another. */
const agents = ['ann', 'ben', 'cleo', 'dan', 'eve'].map((name) => `id.${name}.`)
const nameOf = (id: string) => `Name of ${id}`
const emailOf = (id: string) => `mail.${id}@company.example`
const watcher = 'id.watcher.'
const never = 'id.never.'
const kept = 'kept from customers'
const stranger = { name: 'Otto Stranger', email: 'otto@stranger.example' }

/** What the walk knows: what each step is about. */
interface Scene {
  license: License
  apps: Map<string, Client>
  chat_id: string
  carl: string
  tabs: CustomerClient[]
}

interface Step {
  who: string
  action: string
  payload: object
}

const anyOf = <T>(...values: T[]) => fc.constantFrom(...values)
const some = (values: readonly string[], maxLength: number) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength })
const places = fc.record({ thread: fc.integer({ min: 1, max: 6 }), order: fc.integer({ min: 1, max: 12 }) })

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
    payload.map((filled): Step => ({ who, action, payload: filled }))
  const scopes = fc.record({ groups: fc.subarray([1, 2]), agents: fc.subarray([...agents, never]) })
  return fc.oneof(
    { weight: 4, arbitrary: act('supervise_chat', fc.record({ agent_ids: others })) },
    { weight: 2, arbitrary: act('join_chat', fc.record({ agent_ids: others })) },
    { weight: 3, arbitrary: act('remove_from_chat', fc.record({ agent_ids: others })) },
    { weight: 1, arbitrary: act('remove_from_chat', anyOf({ customer_ids: ['<carl>'] })) },
    { weight: 8, arbitrary: act('send_event', anyEvent.map((event) => ({ event }))) },
    { weight: 3, arbitrary: act('mark_event_as_seen', places) },
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
      weight: 2,
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
  ['mark_event_as_seen', { thread: 1, order: 3 }],
  ['close_thread', {}],
  ['update_customer', { customer: { properties: { plan: 'gold' } } }],
  ['get_chat_threads', {}],
  ['get_chat_threads', { thread_ids: ['<thread>'], after_order: 1 }],
  ['get_chat_threads_summary', {}],
  ['get_chats_summary', {}],
  ['update_chat_scopes', { add_scopes: { groups: [1] } }],
  ['login', {}],
).map(([action, payload]) => ({ who: 'carl', action, payload }))

const anyStep = fc.oneof({ weight: 3, arbitrary: agentStep }, { weight: 1, arbitrary: customerStep })

const openScene = async (): Promise<Scene> => {
  const people = Object.fromEntries(
    [...agents, watcher, never].map((id, index) => [
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
  return { license, apps, chat_id: chat.id, carl: first.id, tabs: [first.client, second.client] }
}

const filledIn = ({ chat_id, carl }: Scene, { payload }: Step): object => {
  const { thread, order, ...rest } = payload as { thread?: number; order?: number }
  const named = thread === undefined ? {} : { event_id: `${chat_id}_${thread}_${order}` }
  return JSON.parse(
    JSON.stringify({ chat_id, ...named, ...rest })
      .replaceAll('<carl>', carl)
      .replaceAll('<thread>', `${chat_id}_1`),
  )
}

/** Everything of a frame that has these fields, however deep. */
const within = (value: unknown, fits: (one: any) => boolean): any[] => {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.values(value).flatMap((one) => within(one, fits))
  return fits(value) ? [value, ...inner] : inner
}

const ofChat = (frame: any, chat_id: string): boolean =>
  frame.payload?.chat_id === chat_id || frame.payload?.chat?.id === chat_id

/** Who was ever seen in the chat as an agent, and its events by id, from all that an owner was pushed or read. */
class Record {
  readonly met = new Set<string>()
  readonly events = new Map<string, any>()

  add(frame: any, chat_id: string): void {
    if (!ofChat(frame, chat_id)) return
    for (const { id, present } of within(frame, (one) => one.type === 'agent' && 'present' in one))
      if (present) this.met.add(id)
    for (const event of within(frame, (one) => 'recipients' in one && 'order' in one))
      this.events.set(event.id, event)
  }

  get hidden(): string[] {
    return [...this.events.values()].filter(({ recipients }) => recipients === 'agents').map(({ id }) => id)
  }

  get unmet(): string[] {
    return [...agents, watcher, never].filter((id) => !this.met.has(id))
  }
}

test(`of what is hidden from a customer, none of its tabs ever gets anything (FUZZ_SEED=${seed})`, async () => {
  process.stdout.write(`FUZZ_SEED=${seed} gives these steps again\n`)
  const scene = await openScene()
  const { license, apps, chat_id, tabs, carl } = scene
  const owner = apps.get(watcher)!
  const record = new Record()
  const done = new Map<string, number>()
  const read = new Map<Client | CustomerClient, number>()
  const fresh = (client: Client | CustomerClient): any[] => {
    const frames = client.frames.slice(read.get(client) ?? 0).map((frame) => JSON.parse(frame))
    read.set(client, client.frames.length)
    return frames
  }
  const check = async (because: string) => {
    await world.settled()
    for (const client of [owner, ...tabs]) await client.caughtUp()
    for (const frame of fresh(owner)) record.add(frame, chat_id)
    const secrets = {
      ids: record.hidden,
      words: [
        ...[kept, stranger.name, stranger.email],
        ...[...agents, watcher, never].map(emailOf),
        ...record.unmet.flatMap((id) => [id, nameOf(id)]),
      ],
    }
    for (const tab of tabs)
      for (const frame of fresh(tab)) expect(leaksIn(frame, secrets), `${because}\n${JSON.stringify(frame)}`).toEqual([])
  }

  const take = async (step: Step) => {
    const client = step.who === 'carl' ? tabs[done.size % 2]! : apps.get(step.who)!
    const answer = await client.call(step.action, filledIn(scene, step))
    if (answer.success) done.set(`${step.who === 'carl' ? 'carl' : 'agents'} ${step.action}`, (done.get(step.action) ?? 0) + 1)
    else expect((answer.payload as any).error.type).not.toBe('internal')
  }
  await check('the beginning')
  // some steps one by one, some at once: then whoever was met by their end counts as known
  const batches = fc.sample(
    fc.oneof(
      { weight: 5, arbitrary: fc.array(anyStep, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(anyStep, { minLength: 2, maxLength: 4 }) },
    ),
    { numRuns: rounds, seed },
  )
  const started = Date.now()
  for (const batch of batches) {
    await Promise.all(batch.map(take))
    await check(JSON.stringify(batch))
  }
  process.stdout.write(`${(Date.now() - started) / rounds} ms per round; ${JSON.stringify([...done])}\n`)
})
