import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { startChat as agentsStartChat } from '../../shared/protocol/agent/start_chat.ts'
import {
  CustomerChatSummary,
  CustomerChatUser,
  CustomerEvent,
  CustomerScopes,
  Myself,
} from '../../shared/protocol/customer-objects.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { pushed } from '../../shared/protocol/envelope.ts'
import { CustomerUser, User } from '../../shared/protocol/objects.ts'
import { customerPushes } from '../../shared/protocol/customer-pushes.ts'
import { pushes } from '../../shared/protocol/pushes.ts'
import { faultsOf } from './faults.ts'

const accepts = (schema: z.core.$ZodType, value: unknown): boolean => z.safeParse(schema, value).success
const pathsOf = (payload: unknown) => faultsOf(agentsStartChat, payload).map(({ path }) => path)

describe("the table of the customers' actions", () => {
  test('has the 17 of the protocol, each once and each by customers', () => {
    expect(customerActions.map(({ name }) => name).toSorted()).toEqual([
      ...['close_thread', 'get_chat_threads', 'get_chat_threads_summary', 'get_chats_summary'],
      ...['list_group_statuses', 'login'],
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
      // a customer's cursor would tell of one chat
      if (agents === undefined || name === 'ping') continue
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

describe("an agent's start_chat", () => {
  const users = (...list: unknown[]) => ({ chat: { users: list } })

  test('may name one customer', () => {
    const carl = { id: 'carl', type: 'customer', name: 'ignored' }
    expect(JSON.parse(JSON.stringify(z.parse(agentsStartChat.request, users(carl))))).toEqual(
      users({ id: 'carl', type: 'customer' }),
    )
    expect(pathsOf(users())).toEqual([])
    expect(pathsOf({ chat: { users: null } })).toEqual([])
    expect(faultsOf(agentsStartChat, users(carl, { ...carl, id: 'cora' }))).toEqual([
      { path: 'payload.chat.users', message: 'At most one customer' },
    ])
  })

  test('names nobody but customers', () => {
    for (const type of ['agent', 'supervisor', null, undefined])
      expect(faultsOf(agentsStartChat, users({ id: 'ann', type }))).toEqual([
        { path: 'payload.chat.users.0.type', message: 'Must be customer: agents are added by join_chat' },
      ])
    for (const id of ['', null, 1, 'x'.repeat(129)])
      expect(pathsOf(users({ id, type: 'customer' }))).toEqual(['payload.chat.users.0.id'])
  })
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
    const monitoring = {
      ...{
        current_visit: { start: 1, pages: [] },
        stats: { visits: 1, threads: 0, page_views: 0 },
        ip: '::1',
      },
    }
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
  const page = { url: 'https://a.example/', title: 'A', start: 2 }
  const monitoring = {
    ...{ current_visit: { start: 1, pages: [page] }, referrer: 'https://b.example/' },
    ...{ stats: { visits: 2, threads: 1, page_views: 3, last_visit: 0 }, ip: '192.0.2.1', user_agent: 'x' },
    geolocation: { timezone: 'UTC' },
  }
  expect(accepts(CustomerUser, { ...carl, monitoring })).toBe(true)
  expect(accepts(CustomerUser, { ...carl, monitoring: { ...monitoring, stats: undefined } })).toBe(false)
  expect(accepts(pushes.customer_updated.payload, { chat_id: 'c', customer: carl })).toBe(true)
})

describe('pushes to customers', () => {
  test('are those of the protocol: of what agents are pushed a part, and why a connection is closed', () => {
    const { customer_disconnected, queue_position_updated: _, ...shared } = customerPushes
    expect(Object.keys(shared).toSorted()).toEqual([
      ...['chat_properties_updated', 'chat_scopes_updated', 'chat_thread_properties_updated'],
      ...[
        'chat_transferred',
        'chat_users_updated',
        'customer_updated',
        'event_marked_as_seen',
        'incoming_chat_thread',
      ],
      ...['incoming_event', 'incoming_typing_indicator', 'last_seen_timestamp_updated', 'thread_closed'],
    ])
    for (const [name, { to }] of Object.entries(pushes))
      expect(/the chat's customers|the customer's own/.test(to), name).toBe(name in shared)
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
