import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import type { ActionSpec } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { startChat as agentsStartChat } from '../../shared/protocol/agent/start_chat.ts'
import { customerPropertiesFault } from '../../shared/protocol/customer-fields.ts'
import {
  CustomerChatSummary,
  CustomerChatUser,
  CustomerEvent,
  CustomerScopes,
  Myself,
} from '../../shared/protocol/customer-objects.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { getChatThreads } from '../../shared/protocol/customer/get_chat_threads.ts'
import { getChatThreadsSummary } from '../../shared/protocol/customer/get_chat_threads_summary.ts'
import { getChatsSummary } from '../../shared/protocol/customer/get_chats_summary.ts'
import { login } from '../../shared/protocol/customer/login.ts'
import { sendEvent } from '../../shared/protocol/customer/send_event.ts'
import { sendSneakPeek } from '../../shared/protocol/customer/send_sneak_peek.ts'
import { startChat } from '../../shared/protocol/customer/start_chat.ts'
import { updateChatScopes } from '../../shared/protocol/customer/update_chat_scopes.ts'
import { updateCustomer } from '../../shared/protocol/customer/update_customer.ts'
import { updateLastSeenTimestamp } from '../../shared/protocol/customer/update_last_seen_timestamp.ts'
import { detailsOf, pushed } from '../../shared/protocol/envelope.ts'
import { CustomerUser, User } from '../../shared/protocol/objects.ts'
import { customerPushes, pushes } from '../../shared/protocol/pushes.ts'

type Asked = Pick<ActionSpec, 'request'>

const accepts = (schema: z.core.$ZodType, value: unknown): boolean => z.safeParse(schema, value).success
/** What is taken of a payload, as it would be stored. */
const taken = ({ request }: Asked, payload: unknown) => JSON.parse(JSON.stringify(z.parse(request, payload)))
const faults = ({ request }: Asked, payload: unknown) => {
  const { success, error } = z.safeParse(request, payload)
  return success ? [] : detailsOf(error.issues, 'payload')
}
const paths = (spec: Asked, payload: unknown) => faults(spec, payload).map(({ path }) => path)
const message = { type: 'message', text: 'hello' }
const numbered = <T>(count: number, value: T) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, value]))

describe("the table of the customers' actions", () => {
  test('has the 16 of the protocol, each once and each by customers', () => {
    expect(customerActions.map(({ name }) => name).toSorted()).toEqual([
      ...['close_thread', 'get_chat_threads', 'get_chat_threads_summary', 'get_chats_summary', 'login'],
      ...['mark_event_as_seen', 'ping', 'send_event', 'send_sneak_peek', 'send_typing_indicator'],
      ...['start_chat', 'update_chat_properties', 'update_chat_scopes', 'update_chat_thread_properties'],
      ...['update_customer', 'update_last_seen_timestamp'],
    ])
    expect(customerActions.filter(({ by }) => by !== 'customer')).toEqual([])
    expect(agentActions.filter(({ by }) => by !== undefined)).toEqual([])
  })

  test('asks for no token scopes: those are of agents', () => {
    expect(customerActions.filter(({ tokenScopes }) => tokenScopes !== undefined)).toEqual([])
  })

  test('refuses with the sentences of the protocol, and else with those of the agents', () => {
    const own = new Map([
      ['start_chat', 'Chat cannot be started.'],
      ['send_event', 'You cannot send the message in this chat.'],
      ['send_sneak_peek', 'You cannot send the sneak peek in this chat.'],
      ['update_customer', 'You are not allowed to update this customer.'],
      ['update_last_seen_timestamp', 'You cannot set last seen timestamp'],
    ])
    const agents = new Map(agentActions.map(({ name, denied }) => [name, denied]))
    for (const { name, denied } of customerActions)
      expect(denied, name).toBe(own.get(name) ?? agents.get(name))
  })

  test("fetches what the agents' action of the same name does", () => {
    for (const { name, reads, session } of customerActions) {
      const agents = agentActions.find((spec) => spec.name === name)
      if (agents === undefined) continue
      expect({ session, reads }, name).toEqual({ session: agents.session, reads: agents.reads })
    }
  })

  test('lets customers change a chat only while they are in it, and read it also when they were removed', () => {
    for (const { name, needs, reads, may } of customerActions)
      if (reads.includes('chat')) expect(may, name).toBe(needs.includes('push') ? 'member' : 'access')
      else expect(may, name).toBeUndefined()
  })

  test('declares the need to push exactly where agents are told', () => {
    for (const { name, needs, pushes: named } of customerActions)
      expect(needs.includes('push'), name).toBe(named.length > 0)
  })
})

describe("a customer's login", () => {
  test('needs nothing: no token, no details', () => {
    for (const payload of [{}, { token: null, customer: null, last_threads_limit: null }])
      expect(paths(login, payload)).toEqual([])
    expect(paths(login, { customer: { monitoring: { page: {}, timezone: null } } })).toEqual([])
    const nothing = { name: null, email: null, properties: null, monitoring: null }
    expect(taken(login, { customer: nothing })).toEqual({ customer: {} })
  })

  test('leaves a token of any kind to the story, which answers auth', () => {
    for (const token of [1, {}, [], '', true]) expect(taken(login, { token })).toEqual({ token })
  })

  test('asks for 1-25 of the last threads', () => {
    for (const last_threads_limit of [1, 25]) expect(paths(login, { last_threads_limit })).toEqual([])
    for (const last_threads_limit of [0, 26, 1.5, '10', -1])
      expect(paths(login, { last_threads_limit })).toEqual(['payload.last_threads_limit'])
  })
})

describe.each([
  ['login', login],
  ['update_customer', updateCustomer],
])('the details in %s', (_, spec) => {
  const of = (customer: unknown) => paths(spec, { customer })

  test('are kept as given, and unknown ones dropped at every level', () => {
    const details = {
      name: ' <b>Zoë</b> ',
      email: 'zoe at example',
      properties: { plan: 'gold', 'a.b c': '', gone: null },
      monitoring: {
        page: { url: 'https://a.example/?q=ü', title: '<i>', referrer: 'http://b.example/' },
        timezone: 'Europe/Warsaw',
      },
    }
    expect(taken(spec, { customer: details })).toEqual({ customer: details })
    const more = {
      ...{ ...details, id: 'mine', type: 'agent', banned: false, present: true },
      monitoring: {
        ...{ ...details.monitoring, ip: '10.0.0.1', user_agent: 'x', stats: { visits_count: 9 } },
        page: { ...details.monitoring.page, opened_timestamp: 1 },
      },
    }
    expect(taken(spec, { customer: more })).toEqual({ customer: details })
  })

  test('have a name and an email of 1-256 bytes', () => {
    for (const field of ['name', 'email', 'timezone']) {
      const customer = (value: unknown) =>
        field === 'timezone' ? { monitoring: { timezone: value } } : { [field]: value }
      for (const value of ['x', 'é'.repeat(128)]) expect(of(customer(value)), field).toEqual([])
      for (const value of ['', `x${'é'.repeat(128)}`, 1, {}, 'half \ud800'])
        expect(of(customer(value)), `${field} ${String(value)}`).toHaveLength(1)
    }
  })

  test('have up to 50 properties, all texts', () => {
    expect(of({ properties: numbered(50, 'x') })).toEqual([])
    expect(faults(spec, { customer: { properties: numbered(51, 'x') } })).toEqual([
      { path: 'payload.customer.properties', message: 'At most 50 properties' },
    ])
    for (const value of [1, true, {}, { value: 'x' }, ['x'], 'half \ud800'])
      expect(of({ properties: { ok: 'x', bad: value } })).toEqual(['payload.customer.properties.bad'])
    for (const properties of ['x', 1, ['x']])
      expect(of({ properties })).toEqual(['payload.customer.properties'])
  })

  test('have properties of 4 KiB in all, in bytes of UTF-8 of their JSON', () => {
    const frame = JSON.stringify({ a: '', b: '' }).length
    const sized = (bytes: number) => ({ a: 'é'.repeat(1024), b: 'x'.repeat(bytes - 2048 - frame) })
    expect(of({ properties: sized(4096) })).toEqual([])
    expect(faults(spec, { customer: { properties: sized(4097) } })).toEqual([
      { path: 'payload.customer.properties', message: 'At most 4096 bytes in all' },
    ])
    expect(customerPropertiesFault(sized(4096))).toBeUndefined()
    expect(customerPropertiesFault(sized(4097))).toBe('At most 4096 bytes in all')
  })

  test('remove properties by null, which counts for nothing', () => {
    const properties = { ...numbered(50, 'x'), gone: null, too: null }
    expect(taken(spec, { customer: { properties } })).toEqual({ customer: { properties } })
  })

  test('name properties in 1-256 bytes, also as objects name what they inherit', () => {
    expect(
      of({ properties: { ['é'.repeat(128)]: 'x', constructor: 'x', toString: null, 'a#b': 'x' } }),
    ).toEqual([])
    for (const name of ['', `x${'é'.repeat(128)}`])
      expect(of({ properties: { [name]: 'x' } })).toEqual([`payload.customer.properties.${name}`])
    expect(of({ properties: JSON.parse('{"__proto__":"x"}') })).toEqual([
      'payload.customer.properties.__proto__',
    ])
  })

  test('name pages by http or https and at most 2,048 bytes', () => {
    const url = (length: number) => `https://a.example/${'x'.repeat(length - 18)}`
    for (const field of ['url', 'referrer']) {
      const page = (value: unknown) => ({ monitoring: { page: { [field]: value } } })
      const path = `payload.customer.monitoring.page.${field}`
      for (const value of [url(2048), 'http://127.0.0.1:4000/#a', 'HTTPS://A.example', null])
        expect(of(page(value)), String(value)).toEqual([])
      expect(faults(spec, { customer: page(url(2049)) })).toEqual([
        { path, message: 'Too long: at most 2048 bytes of UTF-8' },
      ])
      for (const value of [
        'javascript:alert(1)',
        '/cart',
        'a.example',
        'ftp://a.example',
        'https://',
        ' https://a',
      ])
        expect(faults(spec, { customer: page(value) }), value).toEqual([
          { path, message: 'Must be the whole address of a page: http or https' },
        ])
      for (const value of [1, {}, ['https://a.example']]) expect(of(page(value))).toEqual([path])
    }
  })

  test('may say that no link led to a page, as browsers do: by an empty referrer', () => {
    const page = { url: 'https://a.example/', referrer: '' }
    expect(taken(spec, { customer: { monitoring: { page } } })).toEqual({
      customer: { monitoring: { page: { url: page.url } } },
    })
    expect(of({ monitoring: { page: { url: '' } } })).toEqual(['payload.customer.monitoring.page.url'])
  })

  test('have page titles as long as texts, since no page knows how long its title may be', () => {
    expect(of({ monitoring: { page: { title: 'é'.repeat(8192) } } })).toEqual([])
    expect(of({ monitoring: { page: { title: `x${'é'.repeat(8192)}` } } })).toEqual([
      'payload.customer.monitoring.page.title',
    ])
  })
})

test('update_customer names a customer, with whatever of its details', () => {
  expect(paths(updateCustomer, { customer: {} })).toEqual([])
  for (const payload of [{}, { customer: null }])
    expect(paths(updateCustomer, payload)).toEqual(['payload.customer'])
})

describe("a customer's event", () => {
  const event = (more: unknown) => paths(sendEvent, { chat_id: 'c', event: more })

  test('is a message, an annotation, a filled form or custom', () => {
    for (const one of [
      message,
      { type: 'annotation', annotation_type: 'rating' },
      { type: 'filled_form', fields: [{ type: 'text', name: 'n', label: 'l' }] },
      { type: 'custom', content: { a: 1 } },
    ])
      expect(event(one)).toEqual([])
    for (const type of ['system_message', 'file', null, 'constructor'])
      expect(faults(sendEvent, { chat_id: 'c', event: { type, text: 'x' } })).toEqual([
        {
          path: 'payload.event.type',
          message:
            'Must be one of message, annotation, filled_form, custom; system_message and file are made by the server',
        },
      ])
  })

  test('is for all: what it says of recipients is ignored', () => {
    for (const recipients of ['agents', 'all', 'nobody', 1, null, undefined])
      expect(taken(sendEvent, { chat_id: 'c', event: { ...message, recipients } })).toEqual({
        ...{ chat_id: 'c', event: { ...message, recipients: 'all' } },
      })
  })

  test('keeps its custom_id and its properties', () => {
    const sent = { ...message, custom_id: '1', properties: { a: { b: 1 } } }
    expect(taken(sendEvent, { chat_id: 'c', event: sent }).event).toEqual({
      ...{ ...message, custom_id: '1', recipients: 'all', properties: { a: { b: { value: 1 } } } },
    })
    expect(event({ ...message, properties: { routing: { idle: true } } })).toEqual([
      'payload.event.properties.routing',
    ])
  })

  test('has a text of 1 byte to 16 KiB, a sneak peek also none', () => {
    expect(event({ type: 'message', text: 'x'.repeat(16_384) })).toEqual([])
    expect(event({ type: 'message', text: 'x'.repeat(16_385) })).toEqual(['payload.event.text'])
    expect(event({ type: 'message', text: '' })).toEqual(['payload.event.text'])
    const peek = (sneak_peek_text: unknown) => paths(sendSneakPeek, { chat_id: 'c', sneak_peek_text })
    for (const text of ['', 'x'.repeat(16_384)]) expect(peek(text)).toEqual([])
    for (const text of ['x'.repeat(16_385), null, 1]) expect(peek(text)).toEqual(['payload.sneak_peek_text'])
  })
})

describe("a customer's start_chat", () => {
  test('needs nothing', () => {
    for (const payload of [{}, { chat: null }, { chat: { thread: null, events: null, scopes: null } }])
      expect(paths(startChat, payload)).toEqual([])
  })

  test('takes the events as chat.thread.events or as chat.events, up to 20', () => {
    const places = [
      (events: unknown) => ({ chat: { thread: { events } } }),
      (events: unknown) => ({ chat: { events } }),
    ]
    for (const placed of places) {
      expect(taken(startChat, placed([message]))).toEqual(placed([{ ...message, recipients: 'all' }]))
      expect(paths(startChat, placed(Array.from({ length: 20 }, () => message)))).toEqual([])
      const [fault] = faults(startChat, placed(Array.from({ length: 21 }, () => message)))
      expect(fault?.message).toBe('At most 20 initial events')
      expect(paths(startChat, placed([{ type: 'system_message', text: 'x' }]))[0]).toMatch(/events\.0\.type$/)
    }
  })

  test('takes properties of chat and thread, and groups as scopes', () => {
    const properties = { source: { type: 'widget', gone: null } }
    const kept = { source: { type: { value: 'widget' } } }
    const asked = { scopes: { groups: ['1', 2, 1], agents: ['ann'] }, properties, thread: { properties } }
    expect(taken(startChat, { chat: asked })).toEqual({
      chat: { scopes: { groups: [1, 2] }, properties: kept, thread: { properties: kept } },
    })
  })

  test('is not for anybody else: users are ignored', () => {
    expect(taken(startChat, { chat: { users: [{ id: 'x', type: 'customer' }], id: 'y' } })).toEqual({
      chat: {},
    })
  })
})

describe("an agent's start_chat", () => {
  const users = (...list: unknown[]) => ({ chat: { users: list } })

  test('may name one customer', () => {
    const carl = { id: 'carl', type: 'customer', name: 'ignored' }
    expect(taken(agentsStartChat, users(carl))).toEqual(users({ id: 'carl', type: 'customer' }))
    expect(paths(agentsStartChat, users())).toEqual([])
    expect(paths(agentsStartChat, { chat: { users: null } })).toEqual([])
    expect(faults(agentsStartChat, users(carl, { ...carl, id: 'cora' }))).toEqual([
      { path: 'payload.chat.users', message: 'At most one customer' },
    ])
  })

  test('names nobody but customers', () => {
    for (const type of ['agent', 'supervisor', null, undefined])
      expect(faults(agentsStartChat, users({ id: 'ann', type }))).toEqual([
        { path: 'payload.chat.users.0.type', message: 'Must be customer: agents are added by join_chat' },
      ])
    for (const id of ['', null, 1, 'x'.repeat(129)])
      expect(paths(agentsStartChat, users({ id, type: 'customer' }))).toEqual(['payload.chat.users.0.id'])
  })
})

describe('what a customer asks for in parts', () => {
  test('chats come in pages of 1-25', () => {
    const of = (pagination: unknown) => paths(getChatsSummary, { pagination })
    for (const one of [null, {}, { page: 1, limit: 1 }, { page: 9, limit: 25 }, { page: null, limit: null }])
      expect(of(one)).toEqual([])
    expect(of({ page: 0 })).toEqual(['payload.pagination.page'])
    for (const limit of [0, 26, '5']) expect(of({ limit })).toEqual(['payload.pagination.limit'])
  })

  test('threads in short come from an offset on, 1-1,000 of them', () => {
    const of = (pagination: unknown) => paths(getChatThreadsSummary, { chat_id: 'c', pagination })
    for (const one of [null, {}, { offset: 0, limit: 1 }, { offset: 5000, limit: 1000 }])
      expect(of(one)).toEqual([])
    for (const offset of [-1, 1.5, '0']) expect(of({ offset })).toEqual(['payload.pagination.offset'])
    for (const limit of [0, 1001]) expect(of({ limit })).toEqual(['payload.pagination.limit'])
    expect(paths(getChatThreadsSummary, {})).toEqual(['payload.chat_id'])
  })

  test('events of a thread come as for agents: one thread, one direction, 1-100 of them', () => {
    const of = (more: object) => paths(getChatThreads, { chat_id: 'c', ...more })
    expect(of({ thread_ids: ['c_1'], before_order: 5, limit: 100 })).toEqual([])
    expect(of({ thread_ids: ['c_1'], before_order: 5, after_order: 1 })).toEqual(['payload.after_order'])
    expect(of({ after_order: 1 })).toEqual(['payload.thread_ids'])
    expect(of({ limit: 101 })).toEqual(['payload.limit'])
  })
})

test('scopes that a customer names are groups; agents are one more unknown field', () => {
  expect(
    taken(updateChatScopes, {
      chat_id: 'c',
      add_scopes: { groups: ['3'], agents: [1] },
      remove_scopes: null,
    }),
  ).toEqual({
    chat_id: 'c',
    add_scopes: { groups: [3] },
  })
  expect(paths(updateChatScopes, { chat_id: 'c', remove_scopes: { groups: ['x'] } })).toEqual([
    'payload.remove_scopes.groups.0',
  ])
})

test('what a customer has seen it says without naming its chat, if it likes', () => {
  for (const payload of [{}, { chat_id: null, timestamp: null }, { chat_id: 'c', timestamp: 5 }])
    expect(paths(updateLastSeenTimestamp, payload)).toEqual([])
  expect(paths(updateLastSeenTimestamp, { chat_id: 1, timestamp: -1 })).toEqual([
    'payload.chat_id',
    'payload.timestamp',
  ])
})

describe('what customers are shown', () => {
  const agent = { id: 'ann', type: 'agent', name: 'Ann', present: true }
  const self = { id: 'carl', type: 'customer', name: 'Carl', present: true }
  const event = { id: 'c_1_1', order: 1, timestamp: 1, recipients: 'all', type: 'message', text: 'hi' }

  test('of agents is no email and no routing status, and of supervisors nothing', () => {
    const shown = { ...agent, avatar: 'https://a.example/a.png', last_seen_timestamp: 1, deleted: true }
    expect(accepts(CustomerChatUser, shown)).toBe(true)
    expect(accepts(CustomerChatUser, { ...agent, email: 'ann@example.com' })).toBe(false)
    expect(accepts(CustomerChatUser, { ...agent, routing_status: 'accepting_chats' })).toBe(false)
    expect(accepts(CustomerChatUser, { ...agent, type: 'supervisor' })).toBe(false)
  })

  test('of themselves is what they said, not what agents see of them', () => {
    const known = { email: 'c@example.com', properties: { plan: 'gold' } }
    expect(accepts(CustomerChatUser, { ...self, ...known })).toBe(true)
    const { present: _, ...me } = self
    expect(accepts(Myself, { ...me, ...known })).toBe(true)
    const monitoring = { stats: { visits_count: 1, threads_count: 0 } }
    for (const hidden of [{ banned: false }, { online: true }, { monitoring }]) {
      expect(accepts(CustomerChatUser, { ...self, ...hidden })).toBe(false)
      expect(accepts(Myself, { ...me, ...hidden })).toBe(false)
      expect(accepts(User, { ...self, banned: false, online: true, ...known, ...hidden })).toBe(true)
    }
  })

  test('of events are those for all', () => {
    expect(accepts(CustomerEvent, event)).toBe(true)
    expect(accepts(CustomerEvent, { ...event, recipients: 'agents' })).toBe(false)
    expect(accepts(customerPushes.incoming_event.payload, { chat_id: 'c', thread_id: 'c_1', event })).toBe(
      true,
    )
    const hidden = { chat_id: 'c', thread_id: 'c_1', event: { ...event, recipients: 'agents' } }
    expect(accepts(customerPushes.incoming_event.payload, hidden)).toBe(false)
    expect(accepts(pushes.incoming_event.payload, hidden)).toBe(true)
  })

  test('of typing is what is for all', () => {
    const typing = (recipients: string) => ({
      chat_id: 'c',
      typing_indicator: { author_id: 'ann', recipients, timestamp: 1, is_typing: true },
    })
    expect(accepts(customerPushes.incoming_typing_indicator.payload, typing('all'))).toBe(true)
    expect(accepts(customerPushes.incoming_typing_indicator.payload, typing('agents'))).toBe(false)
  })

  test('of scopes are the groups', () => {
    expect(accepts(CustomerScopes, { groups: [1] })).toBe(true)
    expect(accepts(CustomerScopes, { groups: [1], agents: ['ann'] })).toBe(false)
  })

  test('of changed users is one list, without who is a supervisor', () => {
    const changed = customerPushes.chat_users_updated.payload
    expect(accepts(changed, { chat_id: 'c', updated_users: { added: [agent], removed_ids: ['ben'] } })).toBe(
      true,
    )
    const lists = { added: [], removed_ids: [] }
    const asForAgents = { customers: lists, agents: lists, supervisors: lists }
    expect(accepts(changed, { chat_id: 'c', updated_users: asForAgents })).toBe(false)
    expect(accepts(pushes.chat_users_updated.payload, { chat_id: 'c', updated_users: asForAgents })).toBe(
      true,
    )
  })

  test('of a chat in short are the newest events, each under its own type', () => {
    const summary = (events: object) => ({
      ...{ id: 'c', order: 1, users: [agent, self], total_threads: 1 },
      last_event_per_type: { thread_id: 'c_1', events },
      last_threads_summary: [{ id: 'c_1', order: 1, events_count: 1 }],
    })
    for (const events of [{}, { message: event }])
      expect(accepts(CustomerChatSummary, summary(events))).toBe(true)
    for (const events of [
      { annotation: event },
      { file: event },
      { message: { ...event, recipients: 'agents' } },
    ])
      expect(accepts(CustomerChatSummary, summary(events))).toBe(false)
    const { last_event_per_type: _, ...none } = summary({})
    expect(accepts(CustomerChatSummary, none)).toBe(true)
  })
})

test('agents see of a customer its name, its ban and whether a tab is open, always', () => {
  const carl = { id: 'carl', type: 'customer', name: 'Carl', present: false, banned: true, online: false }
  expect(accepts(CustomerUser, carl)).toBe(true)
  for (const field of ['name', 'banned', 'online', 'present'])
    expect(accepts(CustomerUser, { ...carl, [field]: undefined }), field).toBe(false)
  const page = { url: 'https://a.example/', title: 'A', opened_timestamp: 2 }
  const monitoring = {
    ...{ current_visit: { started_timestamp: 1, last_pages: [page] }, referrer: 'https://b.example/' },
    ...{ stats: { visits_count: 2, threads_count: 1 }, ip: '192.0.2.1', user_agent: 'x', timezone: 'UTC' },
  }
  expect(accepts(CustomerUser, { ...carl, monitoring })).toBe(true)
  expect(accepts(CustomerUser, { ...carl, monitoring: { ...monitoring, stats: undefined } })).toBe(false)
  expect(accepts(pushes.customer_updated.payload, { chat_id: 'c', customer: carl })).toBe(true)
})

describe('pushes to customers', () => {
  test('are those of the protocol: of what agents are pushed a part, and why a connection is closed', () => {
    const { customer_disconnected, ...shared } = customerPushes
    expect(Object.keys(shared).toSorted()).toEqual([
      ...['chat_properties_updated', 'chat_scopes_updated', 'chat_thread_properties_updated'],
      ...['chat_users_updated', 'event_marked_as_seen', 'incoming_chat_thread', 'incoming_event'],
      ...['incoming_typing_indicator', 'last_seen_timestamp_updated', 'thread_closed'],
    ])
    for (const [name, { to }] of Object.entries(pushes))
      expect(to.includes("the chat's customers"), name).toBe(name in shared)
    for (const reason of ['customer_banned', 'license_expired', 'too_many_connections'])
      expect(accepts(customer_disconnected.payload, { reason })).toBe(true)
    expect(accepts(customer_disconnected.payload, { reason: 'access_token_expired' })).toBe(false)
  })

  test('are framed as those to agents', () => {
    expect(JSON.parse(pushed('customer_disconnected', { reason: 'customer_banned' }))).toEqual({
      ...{ action: 'customer_disconnected', type: 'push', payload: { reason: 'customer_banned' } },
    })
  })

  test('tell agents what customers are writing, as theirs alone', () => {
    const peek = (recipients: string) => ({
      chat_id: 'c',
      sneak_peek: { author_id: 'carl', recipients, timestamp: 1, text: '' },
    })
    expect(accepts(pushes.incoming_sneak_peek.payload, peek('agents'))).toBe(true)
    expect(accepts(pushes.incoming_sneak_peek.payload, peek('all'))).toBe(false)
    expect(Object.keys(customerPushes)).not.toContain('incoming_sneak_peek')
  })
})
