import * as fc from 'fast-check'
import * as z from 'zod/mini'
import { describe, expect, test } from 'vitest'
import { usersUpdated } from '../../shared/chat/membership.ts'
import { profilesOf } from '../../shared/chat/view/profiles.ts'
import {
  agentJoined,
  agentLeft,
  customerBanned,
  customerLeft,
  manualArchived,
  routingAssigned,
  routingUnassigned,
} from '../../shared/chat/system-messages.ts'
import { chatFor, ownEvent, scopesFor, threadFor, usersFor } from '../../shared/access/visibility.ts'
import { chatWithThread, customerUser, scopesOf } from '../../shared/chat/view/wire-objects.ts'
import { CustomerChatWithThread } from '../../shared/protocol/customer-objects.ts'
import { pushedToCustomers } from '../../shared/protocol/envelope.ts'
import type { ChatWithThread } from '../../shared/protocol/objects.ts'
import { customerPushes } from '../../shared/protocol/customer-pushes.ts'
import { type PushName, pushes, type PushPayload } from '../../shared/protocol/pushes.ts'
import {
  agentsConnections,
  aboutCustomer,
  watchingAgents,
  everyAgent,
  gaining,
  othersIn,
  staffOf,
  watching,
  watchingEither,
  customersIn,
} from '../../shared/access/audience.ts'
import type { Audience } from '../../shared/delivery/outbox.ts'
import { AgentItem } from '../../shared/table/accounts.ts'
import type { Chat } from '../../shared/table/chat/chats.ts'
import type { ChatUser } from '../../shared/table/chat/chat-users.ts'
import { CustomerItem } from '../../shared/table/customers.ts'
import { eventId, threadId } from '../../shared/table/ids.ts'
import { type Entry, eventOf, type StoredEvent } from '../../shared/table/chat/thread-log.ts'
import { newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'
import { leaksIn, type Secrets } from '../customer/leaks.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const numRuns = 500

const sent = <T>(value: T): T => JSON.parse(JSON.stringify(value))
/** Names and ids of which none is part of another. */
const agentIds = ['ann', 'ben', 'cleo', 'dan', 'eve', 'fay'].map((name) => `id.${name}.`)
const nameOf = (id: string) => `Name of ${id}`
const emailOf = (id: string) => `${id}@company.example`
const me = 'customer.carl.'
const strangers = ['customer.otto.', 'customer.olga.']

const secretTag = 'tag of agents'
const chatId = 'chat1'
const timestamp = 1_700_000_000

const agentItem = fc.constantFrom(...agentIds).chain((id) =>
  fc.record({
    id: fc.constant(id),
    avatar: fc.constant(`https://pictures.example/${id}`),
    online: fc.boolean(),
    routing_status: fc.constantFrom('accepting_chats', 'not_accepting_chats'),
    deleted: fc.boolean(),
  }),
)
const agents = fc
  .uniqueArray(agentItem, { selector: ({ id }) => id, minLength: 6, maxLength: 6 })
  .map((items) =>
    items.map((item) =>
      AgentItem.parse({
        ...{ license_id: 'l', permission: 'normal', groups: [7], version: 3, name: nameOf(item.id) },
        ...{ email: emailOf(item.id), ...item },
      }),
    ),
  )
const customers = [me, ...strangers].map((id) =>
  CustomerItem.parse({
    ...{ id, license_id: 'l', name: nameOf(id), email: emailOf(id), online: true },
    properties: { plan: `plan of ${id}` },
    visit: {
      ...{ started_timestamp: timestamp, ip: '10.0.0.1', user_agent: 'Browser', timezone: 'Europe/Warsaw' },
      pages: [{ url: 'https://shop.example/', opened_timestamp: timestamp }],
    },
    ban: { days: 1, until: 2, by: agentIds[0] },
  }),
)

/** An agent's place in a chat, before a change and after it: whoever was an agent stays known. */
const place = fc.constantFrom<Omit<ChatUser, 'id'> | undefined>(
  undefined,
  undefined,
  { type: 'agent', present: true, met: true },
  { type: 'agent', present: false, met: true },
  { type: 'supervisor', present: true },
  { type: 'supervisor', present: false },
  { type: 'supervisor', present: true, met: true },
  { type: 'supervisor', present: false, met: true },
)
const places = fc.tuple(place, place).map(([before, after]) => {
  const wasMet = before?.met === true
  return { before, after: wasMet && after?.met !== true ? before : (after ?? before) }
})

type Placed = { before: ChatUser[]; after: ChatUser[] }
const users: fc.Arbitrary<Placed> = fc
  .tuple(fc.array(places, { minLength: 6, maxLength: 6 }), fc.boolean(), fc.boolean(), fc.boolean())
  .map(([all, first, was, is]) => {
    const at = (when: 'before' | 'after', present: boolean): ChatUser[] => {
      const staff = agentIds.flatMap((id, i) => {
        const here = all[i]?.[when]
        return here === undefined ? [] : [{ id, ...here }]
      })
      const customer: ChatUser = { id: me, type: 'customer', present }
      return first ? [customer, ...staff] : [...staff, customer]
    }
    return { before: at('before', was), after: at('after', is) }
  })

const isMet = (id: string, list: readonly ChatUser[]) =>
  list.some((user) => user.id === id && (user.met === true || user.type === 'customer'))

const words = fc.constantFrom('hello', '<b>bold</b>', 'żółć', '')
const content = fc.constantFrom(
  { type: 'message' },
  { type: 'custom' },
  { type: 'annotation' },
  { type: 'form' },
)

/**
 * An event that somebody of the chat wrote, or the server: those of whom the customer never met are for
 * agents.
 */
const eventBy = (list: readonly ChatUser[]): fc.Arbitrary<StoredEvent> =>
  fc
    .tuple(fc.constantFrom(...list), fc.boolean(), content, words, fc.nat(9))
    .map(([author, forAgents, kind, text, which]): StoredEvent => {
      const { id, type } = author
      const hidden = type !== 'customer' && (forAgents || !isMet(id, list) || type === 'supervisor')
      const unknown = !isMet(id, list)
      const told = hidden ? `kept from customers ${text}` : `told ${text}`
      const by = { author_id: id, ...(hidden ? { recipients: 'agents' as const } : {}) }
      const system = [
        agentJoined(nameOf(id), hidden),
        agentLeft(nameOf(id), hidden),
        manualArchived(nameOf(id), unknown),
        customerBanned(nameOf(id), 3, unknown),
        unknown ? routingUnassigned() : routingAssigned(nameOf(id)),
      ][which]
      if (which < 5 && type === 'customer') return customerLeft(nameOf(id))
      if (system !== undefined) return system
      switch (kind.type) {
        case 'custom':
          return { type: 'custom', content: JSON.stringify({ note: told }), ...by }
        case 'annotation':
          return { type: 'annotation', annotation_type: 'rating', text: told, ...by }
        case 'form':
          return {
            ...{ type: 'filled_form', fields: [{ type: 'text', name: 'note', label: told, value: told }] },
            ...by,
          }
        default:
          return { type: 'message', text: told, properties: { note: { text: { value: told } } }, ...by }
      }
    })

interface World {
  agents: AgentItem[]
  before: Chat
  chat: Chat
  entries: Entry[]
  shown: ChatWithThread
  secrets: Secrets
}

const anyWorld: fc.Arbitrary<World> = users.chain(({ before: was, after }) =>
  fc
    .record({
      agents,
      events: fc.array(eventBy(after), { maxLength: 12 }),
      scopes: fc.record({
        groups: fc.subarray([7, 8]),
        agents: fc.subarray(agentIds),
      }),
      active: fc.boolean(),
    })
    .map(({ agents: items, events, scopes, active }): World => {
      const chat: Chat = {
        ...{ id: chatId, license_id: 'l', users: after, version: 5, thread: 2, active },
        ...{ scopes, changed_at: 1, started_at: 1 },
      }
      const userIds = [...new Set([...was, ...after].map(({ id }) => id))]
      const at = timestamp * 1000
      const head = { ...newHead({ n: 2, nonce: 'n', version: 5, at, userIds }), tags: [secretTag] }
      const entries = nextEntries({ n: 2, m: 0, last: head }, events, { nonce: 'n', version: 5, at })
      const profiles = profilesOf(items, customers)
      const seen = new Map(userIds.map((id, i) => [id, timestamp + i]))
      const record = { chat, properties: { rating: { score: { value: 5 } } }, seen }
      const hidden = entries.filter(({ event }) => event.recipients === 'agents')
      const unmet = agentIds.filter((id) => !isMet(id, after))
      return {
        ...{ agents: items, before: { ...chat, users: was, version: 4 }, chat, entries },
        shown: chatWithThread({ record, profiles, head, events: entries, active }),
        secrets: {
          ids: hidden.map(({ n, m }) => eventId(chatId, n, m)),
          words: [
            ...['kept from customers', '10.0.0.1', secretTag],
            ...agentIds.map(emailOf),
            ...unmet.flatMap((id) => [id, nameOf(id)]),
            ...strangers.flatMap((id) => [id, nameOf(id), emailOf(id), `plan of ${id}`]),
          ],
        },
      }
    }),
)

type Told = { [Name in PushName]: { name: Name; to: Audience; payload: PushPayload<Name> } }[PushName]

/** Every push that there is to agents, by everyone whom it may be about. */
const pushesOf = ({ agents: items, before, chat, entries, shown }: World): Told[] => {
  const profiles = profilesOf(items, customers)
  const everybody = [...chat.users.map(({ id }) => id), ...agentIds]
  const at = { chat_id: chatId, thread_id: threadId(chatId, 2) }
  const chat_id = chatId
  const [customer] = customers
  const scopes = scopesOf(chat.scopes) ?? {}
  const note = { note: { by: { value: 'told' } } }
  return [
    { name: 'incoming_chat_thread', to: watching(chat), payload: { chat: shown } },
    { name: 'incoming_chat_thread', to: gaining(before, chat), payload: { chat: shown } },
    ...entries.flatMap((entry): Told[] => {
      const event = eventOf(chatId, entry)
      return [
        { name: 'incoming_event', to: watching(chat, entry), payload: { ...at, event } },
        // whoever forgets to say what it is about: the event itself says it
        { name: 'incoming_event', to: watching(chat), payload: { ...at, event } },
        ...everybody.map((user_id): Told => ({
          ...{ name: 'event_marked_as_seen', to: watching(chat, entry) },
          payload: { chat_id, event_id: event.id, user_id },
        })),
      ]
    }),
    {
      ...{ name: 'chat_users_updated', to: watchingEither(before, chat) },
      payload: usersUpdated(before, chat, profiles),
    },
    { name: 'thread_closed', to: watching(chat), payload: at },
    ...everybody.flatMap((user): Told[] => [
      { name: 'thread_closed', to: watching(chat), payload: { ...at, user_id: user } },
      {
        ...{ name: 'last_seen_timestamp_updated', to: watching(chat) },
        payload: { user_id: user, chat_id, timestamp },
      },
      ...(['all', 'agents'] as const).map((recipients): Told => ({
        ...{ name: 'incoming_typing_indicator', to: othersIn(chat, user) },
        payload: {
          chat_id,
          typing_indicator: { author_id: user, recipients, timestamp, is_typing: true },
        },
      })),
      {
        ...{ name: 'incoming_sneak_peek', to: staffOf(chat) },
        payload: {
          chat_id,
          sneak_peek: { author_id: user, recipients: 'agents', timestamp, text: 'kept from customers' },
        },
      },
      {
        ...{ name: 'incoming_broadcast', to: everyAgent('l') },
        payload: { id: '1', author_id: user, content: {} },
      },
      {
        ...{ name: 'agent_updated', to: everyAgent('l') },
        payload: { agent_id: user, routing_status: 'offline' },
      },
    ]),
    {
      ...{ name: 'chat_scopes_updated', to: watchingEither(before, chat) },
      payload: { chat_id, scopes_added: scopes, scopes_removed: {} },
    },
    {
      ...{ name: 'chat_scopes_updated', to: watchingEither(before, chat) },
      payload: { chat_id, scopes_added: {}, scopes_removed: scopes },
    },
    ...everybody.map((id): Told => ({
      ...{ name: 'chat_transferred', to: watchingEither(before, chat) },
      payload: {
        ...at,
        ...{ requester_id: id, reason: 'manual' },
        transferred_to: { agent_ids: [id], group_ids: [] },
      },
    })),
    {
      ...{ name: 'queue_positions_updated', to: customersIn(chat) },
      payload: [{ ...at, queue: { position: 1, queued_at: timestamp } }],
    },
    {
      name: 'chat_properties_updated',
      to: watching(chat),
      payload: { chat_id, properties: note, version: 2 },
    },
    {
      ...{ name: 'chat_thread_properties_updated', to: watching(chat) },
      payload: { ...at, properties: note, version: 2 },
    },
    ...(['thread_tagged', 'thread_untagged'] as const).map((name): Told => ({
      ...{ name, to: watchingAgents(chat) },
      payload: { ...at, tag: secretTag, tags: [secretTag], version: 2 },
    })),
    {
      ...{ name: 'customer_updated', to: aboutCustomer({ license_id: 'l', id: me }, chat, {}) },
      payload: { chat_id, customer: customerUser({ id: me, present: true }, customer) },
    },
    ...strangers.flatMap((customer_id): Told[] => [
      { name: 'customer_banned', to: everyAgent('l'), payload: { customer_id, ban: { days: 1 } } },
      { name: 'customer_unbanned', to: everyAgent('l'), payload: { customer_id } },
    ]),
    ...agentIds.flatMap((agent_id): Told[] => [
      {
        ...{ name: 'agent_created', to: everyAgent('l') },
        payload: { agent_id, name: nameOf(agent_id), permission: 'normal', group_ids: [1] },
      },
      ...(['agent_deleted', 'agent_suspended', 'agent_unsuspended'] as const).map((name): Told => ({
        ...{ name, to: everyAgent('l') },
        payload: { agent_id, name: nameOf(agent_id) },
      })),
    ]),
    ...(['group_created', 'group_updated', 'group_deleted'] as const).map((name): Told => ({
      ...{ name, to: everyAgent('l') },
      payload: { group_id: 1, name: 'kept from customers' },
    })),
    {
      ...{ name: 'groups_status_updated', to: everyAgent('l') },
      payload: { groups_status: { 1: 'online' } },
    },
    { name: 'chat_deleted', to: watchingAgents(chat), payload: { chat_id } },
    { name: 'chat_unfollowed', to: agentsConnections('l', 'ann'), payload: { chat_id } },
    { name: 'agent_disconnected', to: everyAgent('l'), payload: { reason: 'access_token_expired' } },
  ]
}

/** What the chat's customers are sent of a push, as the outbox decides it. */
const toCustomers = ({ name, to, payload }: Told): unknown =>
  to.customers === undefined || to.customers.ids.length === 0
    ? undefined
    : to.customers.redact(name, payload as never)

const check = (property: (world: World) => void) =>
  fc.assert(fc.property(anyWorld, property), { seed, numRuns })

describe(`over generated chats (FUZZ_SEED=${seed})`, () => {
  test('no push to a customer tells of what is hidden from it, and each is as its contract declares', () => {
    const told = new Set<string>()
    const agentsOnly = new Set<PushName>()
    check((world) => {
      for (const push of pushesOf(world)) {
        const shown = toCustomers(push)
        agentsOnly.add(push.name)
        if (shown === undefined) continue
        const frame = JSON.parse(pushedToCustomers(push.name, shown as never))
        told.add(frame.action)
        expect(leaksIn(frame.payload, world.secrets), push.name).toEqual([])
        const contract: z.core.$ZodType = Reflect.get(customerPushes, frame.action).payload
        z.parse(contract, frame.payload)
      }
    })
    // of each there was something to see
    const { customer_disconnected: _, ...shared } = customerPushes
    expect([...told].toSorted()).toEqual(Object.keys(shared).toSorted())
    expect([...agentsOnly].toSorted()).toEqual(Object.keys(pushes).toSorted())
  })

  test('no answer to a customer tells of what is hidden from it', () => {
    check(({ chat, shown, secrets }) => {
      const answers = {
        chat: chatFor(shown, chat),
        users: usersFor(shown.users, chat),
        thread: threadFor(shown.thread, chat),
        scopes: scopesFor(shown.scopes),
      }
      expect(leaksIn(sent(answers), secrets)).toEqual([])
      z.parse(CustomerChatWithThread, sent(answers.chat))
    })
  })

  test('a customer is shown itself, all whom it met and all that is said to it', () => {
    check(({ chat, entries, shown }) => {
      const { users: all, thread } = chatFor(shown, chat)
      const met = chat.users.filter(({ id }) => isMet(id, chat.users))
      expect(all.map(({ id }) => id)).toEqual(met.map(({ id }) => id))
      for (const user of all) {
        const { type, present } = chat.users.find(({ id }) => id === user.id)!
        expect(user.present).toBe(present && type !== 'supervisor')
        expect(user.type).toBe(type === 'customer' ? 'customer' : 'agent')
        expect(user.name).toBe(nameOf(user.id))
        // who supervises is not seen to see
        expect(user.last_seen_timestamp === undefined).toBe(type === 'supervisor')
      }
      const open = entries.filter(({ event }) => event.recipients !== 'agents')
      expect(sent(thread.events)).toEqual(sent(open.map((entry) => eventOf(chatId, entry))))
      expect(thread.user_ids.toSorted()).toEqual(met.map(({ id }) => id).toSorted())
    })
  })

  test('who comes and goes is told by whom the customer sees before and after', () => {
    check((world) => {
      const { before, chat } = world
      const push = pushesOf(world).find(({ name }) => name === 'chat_users_updated')!
      const seenIn = (list: readonly ChatUser[]) =>
        list.filter(({ type, present }) => present && type !== 'supervisor').map(({ id }) => id)
      const [was, is] = [seenIn(before.users), seenIn(chat.users)]
      const added = is.filter((id) => !was.includes(id))
      const removed_ids = was.filter((id) => !is.includes(id))
      const shown: any = toCustomers(push)
      const nobodyThere = push.to.customers?.ids.length === 0
      if (nobodyThere || added.length + removed_ids.length === 0) expect(shown).toBeUndefined()
      else {
        expect(shown.updated_users.added.map(({ id }: any) => id).toSorted()).toEqual(added.toSorted())
        expect(shown.updated_users.removed_ids.toSorted()).toEqual(removed_ids.toSorted())
      }
    })
  })

  test('what agents are told does not pass the check for leaks', () => {
    check((world) => {
      for (const { name, payload } of pushesOf(world))
        if (name === 'incoming_chat_thread' || name === 'customer_updated' || name === 'incoming_sneak_peek')
          expect(leaksIn(sent(payload), world.secrets).length, name).toBeGreaterThan(0)
    })
  })
})

describe('a frame that tells a customer too much', () => {
  const user = (id: string, rest: object = {}) => ({
    id,
    type: 'agent',
    name: nameOf(id),
    present: true,
    ...rest,
  })
  const event = (rest: object = {}) => ({
    ...{
      id: 'chat1_2_12',
      order: 12,
      type: 'message',
      text: 'told',
      timestamp,
      recipients: 'all',
      author_id: me,
    },
    ...rest,
  })
  const chat = (rest: object = {}) => ({
    payload: {
      chat: {
        ...{ id: chatId, scopes: { groups: [7] }, properties: { a: { b: { value: 'told' } } } },
        users: [user('id.ann.'), { ...user(me, { email: emailOf(me) }), type: 'customer' }],
        thread: { id: 'chat1_2', user_ids: ['id.ann.', me], events: [event()] },
        ...rest,
      },
    },
  })
  const secrets: Secrets = {
    ids: ['chat1_2_1', 'chat1_2_11'],
    words: ['id.ben.', nameOf('id.ben.'), 'kept from customers', ...agentIds.map(emailOf), ...strangers],
  }

  test('is told from one that does not', () => {
    expect(leaksIn(chat(), secrets)).toEqual([])
  })

  const leaky: [string, object][] = [
    ['an event for agents only', { thread: { events: [event({ recipients: 'agents' })] } }],
    [
      'a whisper without its recipients',
      { thread: { events: [event({ text: 'kept from customers: no' })] } },
    ],
    ['an event that is hidden, by its id', { thread: { events: [event({ id: 'chat1_2_11' })] } }],
    ['what an agent said of itself elsewhere', { thread: { events: [event({ author_id: 'id.ben.' })] } }],
    ['a name in a system message', { thread: { events: [event({ text: `${nameOf('id.ben.')} left` })] } }],
    ['a supervisor', { users: [user('id.ann.', { type: 'supervisor' })] }],
    ['an agent it never met', { users: [user('id.ben.', { name: 'Ben' })] }],
    ['one it never met among the users of a thread', { thread: { user_ids: ['id.ann.', 'id.ben.'] } }],
    ['an agent’s email', { users: [user('id.ann.', { email: 'else@where.example' })] }],
    ['an email in a text', { thread: { events: [event({ text: `write to ${emailOf('id.ann.')}` })] } }],
    ['an agent’s routing status', { users: [user('id.ann.', { routing_status: 'accepting_chats' })] }],
    ['the agents of scopes', { scopes: { groups: [7], agents: ['id.ann.'] } }],
    ['another customer', { users: [{ ...user(strangers[0]!), type: 'customer' }] }],
    ['another customer in properties', { properties: { same: { as: { value: strangers[1] } } } }],
    ['what is known of it by its browser', { users: [{ ...user(me), monitoring: {} }] }],
    ['whether it is banned', { users: [{ ...user(me), banned: false }] }],
    ['a secret as a key', { properties: { [`${strangers[0]}`]: {} } }],
  ]
  test.each(leaky)('is caught: %s', (_, rest) => {
    expect(leaksIn(chat(rest), secrets)).not.toEqual([])
  })
})

test('an event of a customer’s own that is hidden from it is not answered', () => {
  const event = { id: 'chat1_1_1', order: 1, timestamp, type: 'message' as const, text: 'hi' }
  expect(ownEvent({ ...event, recipients: 'all' })).toEqual({ ...event, recipients: 'all' })
  expect(() => ownEvent({ ...event, recipients: 'agents' })).toThrow('hidden')
})
