import { beforeAll, expect, test } from 'vitest'
import { isBusEvent } from '../../shared/protocol/pushes-on-bus.ts'
import { type PushName, pushes } from '../../shared/protocol/pushes.ts'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { message } from '../support/events.ts'
import { startWorld, type License, type Visitor, type World } from '../support/world.ts'
import { lockCustomer } from '../../infra/admin/data/erase-customer.ts'
import { comparable, eventsOf, sentBy } from './events.ts'

// Each action is done once, and what an agent with all rights is told of it is what comes out on the bus.

interface Tour {
  license: License
  ann: Client
  ben: Client
  dan: Client
  fay: Client
  visitor: Visitor
  /** A customer that is given to nobody. */
  waiting: Visitor
  chat_id: string
  thread_id: string
  event_id: string
}

let world: World
let tour: Tour
/** Hears of everything, is in no chat, and takes none. */
let olivia: Client
const seen = new Set<string>()

beforeAll(async () => {
  world = await startWorld({ events: {}, presenceGraceS: 1 })
  const license = await world.license(
    {
      olivia: { permission: 'owner', default_status: 'not_accepting_chats' },
      ann: {},
      ...{ ben: { default_status: 'not_accepting_chats' }, dan: { default_status: 'not_accepting_chats' } },
      fay: { groups: [1], default_status: 'not_accepting_chats' },
      cleo: {},
    },
    { groups: ['Sales'], settings: { events: true } },
  )
  olivia = await license.login('olivia')
  const [ann, ben, dan, fay] = await Promise.all(['ann', 'ben', 'dan', 'fay'].map((id) => license.login(id)))
  tour = {
    license,
    ...({ ann, ben, dan, fay } as Pick<Tour, 'ann' | 'ben' | 'dan' | 'fay'>),
    visitor: await license.visit({ customer: { name: 'Vic' } }),
    waiting: await license.visit({ customer: { name: 'Will' } }),
    ...{ chat_id: '', thread_id: '', event_id: '' },
  }
  await passTime()
})

/** Lets all that is delayed be done. */
const passTime = async () => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}

interface Step {
  name: string
  does(tour: Tour): Promise<unknown>
  tells: readonly PushName[]
  /** The kind of user that each event of this name names as its author. */
  author?: Partial<Record<PushName, string | undefined>>
}

const inChat = ({ chat_id }: Tour) => ({ chat_id })
const inThread = ({ chat_id, thread_id }: Tour) => ({ chat_id, thread_id })
const say = (client: Client | CustomerClient, at: { chat_id: string }, text: string, more = {}) =>
  client.ok('send_event', { ...at, event: message(text, more) })

const steps: readonly Step[] = [
  {
    name: 'a customer starts a chat, which an agent is given',
    does: async (t) => {
      const { chat } = await t.visitor.client.ok('start_chat', {
        chat: { thread: { events: [message('hello')] } },
      })
      Object.assign(t, { chat_id: chat.id, thread_id: chat.thread.id })
    },
    tells: ['incoming_chat_thread'],
    author: { incoming_chat_thread: 'customer' },
  },
  {
    name: 'a customer says something',
    does: async (t) => {
      t.event_id = (await say(t.visitor.client, inChat(t), 'a question')).event.id
    },
    tells: ['incoming_event'],
    author: { incoming_event: 'customer' },
  },
  {
    name: 'an agent answers, and says something to agents alone',
    does: async (t) => {
      await say(t.ann, inChat(t), 'an answer')
      await say(t.ann, inChat(t), 'a note', { recipients: 'agents' })
    },
    tells: ['incoming_event'],
    author: { incoming_event: 'agent' },
  },
  {
    name: 'an agent joins, and one looks on',
    does: async (t) => {
      await t.ben.ok('join_chat', { ...inChat(t), agent_ids: ['ben'] })
      await t.dan.ok('supervise_chat', { ...inChat(t), agent_ids: ['dan'] })
    },
    tells: ['incoming_event', 'chat_users_updated'],
    author: { incoming_event: 'system', chat_users_updated: undefined },
  },
  {
    name: 'users see an event, and a time',
    does: async (t) => {
      await t.visitor.client.ok('update_last_seen_timestamp', inChat(t))
      await t.dan.ok('mark_event_as_seen', { ...inChat(t), event_id: t.event_id })
    },
    tells: ['event_marked_as_seen', 'last_seen_timestamp_updated'],
    author: { event_marked_as_seen: 'agent' },
  },
  {
    name: 'agents change what stands on chat and thread',
    does: async (t) => {
      await t.ann.ok('update_chat_properties', { ...inChat(t), properties: { crm: { id: 7, old: 'x' } } })
      await t.ann.ok('update_chat_properties', { ...inChat(t), properties: { crm: { old: null } } })
      await t.ann.ok('update_chat_thread_properties', {
        ...inThread(t),
        properties: { rating: { score: 1 } },
      })
      await t.ann.ok('tag_thread', { ...inThread(t), tag: 'sale' })
      await t.ann.ok('untag_thread', { ...inThread(t), tag: 'sale' })
      await t.ann.ok('update_chat_scopes', { ...inChat(t), add_scopes: { groups: [1] } })
    },
    tells: [
      ...(['chat_properties_updated', 'chat_thread_properties_updated'] as const),
      ...(['thread_tagged', 'thread_untagged', 'chat_scopes_updated'] as const),
    ],
  },
  {
    name: 'customers tell of themselves, and agents know better',
    does: async (t) => {
      await t.visitor.client.ok('update_customer', { customer: { email: 'vic@example.com' } })
      await t.ann.ok('update_customer', { customer_id: t.visitor.id, customer: { name: 'Victoria' } })
    },
    tells: ['customer_updated'],
  },
  {
    name: 'a customer is banned, and is not any more',
    does: async (t) => {
      const { id } = await t.license.visit({ customer: { name: 'Bob' } })
      await t.ann.ok('ban_customer', { customer_id: id, ban: { days: 2 } })
      await t.ann.ok('unban_customer', { customer_id: id })
    },
    tells: ['customer_banned', 'customer_unbanned'],
  },
  {
    name: 'nothing comes of what is not stored, or is for one agent',
    does: async (t) => {
      await t.ann.ok('send_typing_indicator', { ...inChat(t), is_typing: true })
      await t.visitor.client.ok('send_sneak_peek', { ...inChat(t), sneak_peek_text: 'I am' })
      await t.ann.ok('send_broadcast', { content: {} })
      await t.ben.ok('follow_chat', inChat(t))
      await t.ben.ok('unfollow_chat', inChat(t))
      await changeAgent(world.table, t.license.id, 'cleo', { suspended: true })
    },
    tells: [],
  },
  {
    name: 'an agent transfers the chat by hand',
    does: (t) =>
      t.ben.ok('remove_from_chat', { ...inChat(t), agent_ids: ['ben'] }).then(() =>
        t.ann.ok('transfer_chat', {
          ...inChat(t),
          target: { type: 'group', ids: [1] },
          ignore_agents_availability: true,
        }),
      ),
    tells: [
      'incoming_event',
      'chat_users_updated',
      'chat_transferred',
      'chat_properties_updated',
      'chat_thread_properties_updated',
      'queue_positions_updated',
    ],
    author: { chat_transferred: 'agent', queue_positions_updated: undefined },
  },
  {
    name: 'routing assigns it to whoever comes to be free',
    does: (t) => t.fay.ok('update_agent', { routing_status: 'accepting_chats' }),
    tells: [
      'incoming_event',
      'chat_users_updated',
      'chat_transferred',
      'chat_properties_updated',
      'chat_thread_properties_updated',
    ],
    author: { chat_transferred: 'system' },
  },
  {
    name: 'its agent leaves, and it waits',
    does: (t) => t.fay.ok('remove_from_chat', { ...inChat(t), agent_ids: ['fay'] }),
    tells: [
      'incoming_event',
      'chat_users_updated',
      'chat_transferred',
      'chat_properties_updated',
      'chat_thread_properties_updated',
      'queue_positions_updated',
    ],
    author: { chat_transferred: 'system' },
  },
  {
    name: 'another chat is not looked after by its agent, and goes to the next',
    does: async (t) => {
      await t.waiting.client.ok('start_chat', { chat: { thread: { events: [message('hello?')] } } })
      await passTime()
      await world.tick(Date.now() + 6 * 60_000)
    },
    tells: [
      ...(['incoming_chat_thread', 'incoming_event', 'chat_users_updated', 'chat_transferred'] as const),
    ],
    author: { chat_transferred: 'system' },
  },
  {
    name: 'the clock marks chats idle, and hands on what is unseen',
    does: () => world.tick(Date.now() + 17 * 60_000),
    tells: [
      ...(['incoming_event', 'chat_users_updated', 'chat_transferred'] as const),
      ...(['chat_properties_updated', 'chat_thread_properties_updated'] as const),
    ],
    author: { incoming_event: 'system' },
  },
  {
    name: 'a thread ends, gets an annotation, and another begins',
    does: async (t) => {
      const { client } = t.visitor
      await client.ok('close_thread', inChat(t))
      await client.ok('update_chat_thread_properties', {
        ...inThread(t),
        properties: { rating: { score: 2 } },
      })
      await say(client, inChat(t), 'again')
    },
    tells: [
      'incoming_event',
      'thread_closed',
      'incoming_chat_thread',
      'chat_users_updated',
      'chat_properties_updated',
      'chat_thread_properties_updated',
    ],
    author: { thread_closed: 'customer', incoming_chat_thread: 'customer' },
  },
  {
    name: 'a customer is erased',
    does: (t) => lockCustomer(world.table, t.license.id, t.visitor.id, Date.now),
    tells: ['incoming_event', 'thread_closed', 'chat_deleted'],
    author: { thread_closed: 'system' },
  },
]

test.each(steps)('$name', async ({ does, tells, author = {} }) => {
  await olivia.received()
  sentBy(world).splice(0)
  await does(tour)
  await passTime()
  const heard = (await olivia.received()).filter(({ action }) => isBusEvent[action])
  const events = sentBy(world).splice(0)
  expect(comparable(eventsOf(events))).toEqual(comparable(heard))
  expect(new Set(events.map((event) => event['detail-type']))).toEqual(new Set(tells))
  for (const event of events) {
    seen.add(event['detail-type'])
    expect(event).toMatchObject({
      source: 'agent-chat',
      detail: { license_id: tour.license.id, at: expect.any(Number) },
    })
    const name = event['detail-type'] as PushName
    if (name in author) expect(event.detail.author_type, name).toBe(author[name])
  }
})

test('every push that goes out to the bus is on the tour', () => {
  const due = (Object.keys(pushes) as PushName[]).filter((name) => isBusEvent[name])
  expect([...seen].toSorted()).toEqual(due.toSorted())
})
