import { describe, expect, test } from 'vitest'
import type { Profiles } from '../../shared/chat/view/profiles.ts'
import { jsonBytes } from '../../shared/protocol/budget.ts'
import {
  chatSummary,
  chatWithThread,
  fitSummaries,
  scopesOf,
  threadOf,
  usersOf,
} from '../../shared/chat/view/wire-objects.ts'
import { ChatSummary, ChatWithThread, type FullChatSummary, Thread } from '../../shared/protocol/objects.ts'
import { AgentItem } from '../../shared/table/accounts.ts'
import type { Chat } from '../../shared/table/chat/chats.ts'
import type { ChatUser } from '../../shared/table/chat/chat-users.ts'
import type { ChatRecord } from '../../shared/table/chat/read-chats.ts'
import { type Entry, type StoredEvent } from '../../shared/table/chat/thread-log.ts'
import { newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'

const profile = (id: string, draft: object = {}): [string, AgentItem] => [
  id,
  AgentItem.parse({
    ...{ id, license_id: 'l', name: `Name of ${id}`, permission: 'normal', groups: [], version: 1, ...draft },
  }),
]
const user = (id: string, draft: Partial<ChatUser> = {}): ChatUser => ({
  id,
  type: 'agent',
  present: true,
  ...draft,
})
const chatItem = (draft: Partial<Chat> = {}): Chat => ({
  ...{ id: 'chat1', license_id: 'l', users: [user('ann')], scopes: { groups: [], agents: [] } },
  ...{ version: 1, thread: 2, active: true, changed_at: 0, started_at: 0, ...draft },
})
const record = (draft: Partial<ChatRecord> = {}): ChatRecord => ({
  chat: chatItem(),
  properties: undefined,
  seen: new Map(),
  ...draft,
})
const head = newHead({ n: 2, nonce: 'n', version: 1, at: 1_700_000_000_999, userIds: ['ann', 'ben'] })
const entriesOf = (...texts: string[]): Entry[] =>
  nextEntries(
    { n: 2, m: 0, last: head },
    texts.map((text): StoredEvent => ({ type: 'message', text, author_id: 'ann' })),
    { nonce: 'n', version: 1, at: 1_700_000_001_000 },
  )
const known = (agents: readonly (readonly [string, AgentItem])[]): Profiles => ({
  agents: new Map(agents),
  customers: new Map(),
})
const sent = <T>(value: T): T => JSON.parse(JSON.stringify(value))
const orders = ({ events }: { events: { order: number }[] }) => events.map(({ order }) => order)

describe('usersOf', () => {
  test('shows agents by their profiles of now, routing_status only while they are logged in', () => {
    const profiles = known([
      profile('ann', {
        ...{ email: 'a@example.com', avatar: 'https://example.com/a.png' },
        ...{ online: true, routing_status: 'not_accepting_chats' },
      }),
      profile('ben', { online: false, routing_status: 'accepting_chats' }),
    ])
    const users = usersOf(
      [user('ann', { met: true }), user('ben', { type: 'supervisor', present: false })],
      profiles,
      new Map([['ben', 1_700_000_000]]),
    )
    expect(sent(users)).toEqual([
      {
        ...{ id: 'ann', type: 'agent', present: true, name: 'Name of ann', email: 'a@example.com' },
        ...{ avatar: 'https://example.com/a.png', routing_status: 'not_accepting_chats' },
      },
      {
        ...{ id: 'ben', type: 'supervisor', present: false, name: 'Name of ben' },
        last_seen_timestamp: 1_700_000_000,
      },
    ])
  })

  test('of a deleted agent the name stays, of an unknown one the id', () => {
    const gone = profile('ann', {
      deleted: true,
      email: 'a@example.com',
      online: true,
      routing_status: 'accepting_chats',
    })
    expect(sent(usersOf([user('ann'), user('nobody')], known([gone])))).toEqual([
      { id: 'ann', type: 'agent', present: true, name: 'Name of ann', deleted: true },
      { id: 'nobody', type: 'agent', present: true, name: 'nobody', deleted: true },
    ])
  })

  test('where they crowd out all else avatars go first, then those who left, the earliest first', () => {
    const many = (count: number, id: string, draft: Partial<ChatUser>) =>
      Array.from({ length: count }, (_, i) => user(`${id}${i}`, draft))
    const profiles = (users: readonly ChatUser[]) =>
      known(users.map(({ id }) => profile(id, { avatar: `https://example.com/${'x'.repeat(1900)}` })))
    const few = [...many(10, 'left', { present: false }), ...many(10, 'here', {})]
    expect(usersOf(few, profiles(few)).every((one) => 'avatar' in one && one.avatar !== undefined)).toBe(true)

    const more = [...many(20, 'left', { present: false }), ...many(10, 'here', {})]
    const slim = usersOf(more, profiles(more))
    expect(slim.map(({ id }) => id).toSorted()).toEqual(more.map(({ id }) => id).toSorted())
    expect(slim.some((one) => 'avatar' in one)).toBe(false)

    const most = [...many(800, 'left', { present: false }), ...many(50, 'here', {})]
    const cut = usersOf(most, profiles(most))
    expect(jsonBytes(cut)).toBeLessThanOrEqual(40 * 1024)
    expect(cut.filter(({ present }) => present)).toHaveLength(50)
    const left = cut.filter(({ present }) => !present).map(({ id }) => id)
    expect(left.length).toBeGreaterThan(100)
    expect(left).toContain('left799')
    expect(left).not.toContain('left0')
  })
})

test('scopes of a chat that is open to all are absent, and so is the list that is empty', () => {
  expect(scopesOf({ groups: [], agents: [] })).toBeUndefined()
  expect(scopesOf({ groups: [1], agents: [] })).toEqual({ groups: [1] })
  expect(scopesOf({ groups: [], agents: ['a'] })).toEqual({ agents: ['a'] })
  expect(scopesOf({ groups: [0, 1], agents: ['a'] })).toEqual({ groups: [0, 1], agents: ['a'] })
})

describe('threadOf', () => {
  const events = entriesOf('one', 'two', 'three', 'four')
  const options = { chat: 'chat1', head, active: true, events, room: 10_000, more: false }

  test('shows a thread with all of its events where they fit', () => {
    const thread = threadOf({ ...options, head: { ...head, properties: { a: { b: { value: 1 } } } } })
    expect(sent(thread)).toEqual({
      ...{ id: 'chat1_2', timestamp: 1_700_000_000, active: true, user_ids: ['ann', 'ben'], order: 2 },
      properties: { a: { b: { value: 1 } } },
      events: ['one', 'two', 'three', 'four'].map((text, i) => ({
        ...{ id: `chat1_2_${i + 1}`, order: i + 1, type: 'message', text, author_id: 'ann' },
        ...{ recipients: 'all', timestamp: 1_700_000_001 },
      })),
    })
  })

  test('keeps to any room: the newest, or forwards the oldest, and has_more where one is left out', () => {
    const whole = jsonBytes(threadOf({ ...options, lastOrder: 4 }))
    const bare = jsonBytes(threadOf({ ...options, events: [], more: true, lastOrder: 4 }))
    for (let room = bare; room <= whole + 50; room += 7)
      for (const keep of ['newest', 'oldest'] as const) {
        const thread = threadOf({ ...options, room, keep, lastOrder: 4 })
        const count = thread.events.length
        expect(jsonBytes(thread)).toBeLessThanOrEqual(room)
        expect(orders(thread)).toEqual(
          keep === 'newest' ? [1, 2, 3, 4].slice(4 - count) : [1, 2, 3, 4].slice(0, count),
        )
        expect(thread.has_more).toBe(count < 4 ? true : undefined)
        expect(thread.last_order).toBe(4)
      }
    expect(threadOf({ ...options, room: whole + 50 }).events).toHaveLength(4)
  })

  test('stops at the first event that does not fit, so that a page has no gaps', () => {
    const mixed = entriesOf('small', 'x'.repeat(5000), 'tiny')
    expect(orders(threadOf({ ...options, events: mixed, room: 2000 }))).toEqual([3])
    expect(orders(threadOf({ ...options, events: mixed, room: 2000, keep: 'oldest' }))).toEqual([1])
  })

  test('says has_more where there is more than was read', () => {
    expect(threadOf({ ...options, more: true }).has_more).toBe(true)
    expect(threadOf({ ...options, more: false })).not.toHaveProperty('has_more')
  })

  test('is bare where it does not fit by itself', () => {
    const thread = sent(threadOf({ ...options, room: 100 }))
    expect(thread).toEqual({
      ...{ id: 'chat1_2', timestamp: 1_700_000_000, active: true, order: 2 },
      ...{ user_ids: [], events: [], has_more: true },
    })
    expect(Thread.safeParse(thread).success).toBe(true)
  })
})

describe('chatWithThread', () => {
  test('shows the chat, its users and what of its thread fits into a push', () => {
    const shown = chatWithThread({
      record: record({
        chat: chatItem({ scopes: { groups: [3], agents: [] } }),
        properties: { a: { b: { value: false } } },
        seen: new Map([['ann', 5]]),
      }),
      profiles: known([profile('ann')]),
      head,
      events: entriesOf('one'),
      active: false,
    })
    expect(sent(shown)).toMatchObject({
      id: 'chat1',
      users: [{ id: 'ann', last_seen_timestamp: 5 }],
      properties: { a: { b: { value: false } } },
      scopes: { groups: [3] },
      thread: { id: 'chat1_2', active: false, events: [{ text: 'one' }] },
    })
    expect(ChatWithThread.safeParse(sent(shown)).success).toBe(true)
    expect(shown.thread).not.toHaveProperty('has_more')
  })

  test('says has_more where earlier events were not given, or do not fit', () => {
    const show = (events: Entry[]) =>
      chatWithThread({ record: record(), profiles: known([]), head, events, active: true })
    expect(show(entriesOf('one', 'two').slice(1)).thread.has_more).toBe(true)
    const big = show(entriesOf(...Array.from({ length: 10 }, () => 'x'.repeat(16_384))))
    expect(orders(big.thread)).toEqual([4, 5, 6, 7, 8, 9, 10])
    expect(big.thread.has_more).toBe(true)
    expect(
      jsonBytes({ action: 'incoming_chat_thread', type: 'push', payload: { chat: big } }),
    ).toBeLessThanOrEqual(120 * 1024)
    expect(show([]).thread).not.toHaveProperty('has_more')
  })
})

describe('chatSummary', () => {
  test('shows the last thread in short, its newest events in their order', () => {
    const entries = entriesOf('one', 'two', 'three')
    const last = { ...entries[2]!, closed: true as const }
    const summary = chatSummary({
      record: record({ properties: { a: { b: { value: 1 } } } }),
      profiles: known([profile('ann')]),
      head: { ...head, properties: { c: { d: { value: 2 } } } },
      tail: { n: 2, m: 3, last, entries: [last] },
      newest: [entries[2]!, entries[0]!],
    })
    expect(sent(summary)).toMatchObject({
      id: 'chat1',
      users: [{ id: 'ann' }],
      properties: { a: { b: { value: 1 } } },
      last_thread_summary: {
        ...{ id: 'chat1_2', timestamp: 1_700_000_000, active: false, user_ids: ['ann', 'ben'], order: 2 },
        ...{ events_count: 3, properties: { c: { d: { value: 2 } } } },
        last_event_per_type: [{ order: 1 }, { order: 3 }],
      },
    })
    expect(ChatSummary.safeParse(sent(summary)).success).toBe(true)
  })
})

describe('fitSummaries', () => {
  const summary = (id: string, text: string): FullChatSummary =>
    sent(
      chatSummary({
        record: record({ chat: chatItem({ id }) }),
        profiles: known([profile('ann')]),
        head,
        tail: { n: 2, m: 1, last: head, entries: [] },
        newest: entriesOf(text),
      }),
    )

  test('keeps full items in order while they fit; from the first that does not on, all are bare', () => {
    const chats = [summary('a', 'x'), summary('b', 'x'.repeat(3000)), summary('c', 'x')]
    const shown = fitSummaries(chats, 2000)
    expect(shown[0]).toEqual(chats[0])
    expect(shown.slice(1)).toEqual(
      ['b', 'c'].map((id) => ({
        id,
        last_thread_summary: { id: `${id}_2`, order: 2, timestamp: 1_700_000_000, active: true },
        has_more: true,
      })),
    )
    for (const one of shown) expect(ChatSummary.safeParse(one).success).toBe(true)
    expect(fitSummaries(chats, 100_000)).toEqual(chats)
    expect(fitSummaries([], 0)).toEqual([])
  })

  test('keeps to any room between the brackets that holds them bare', () => {
    const chats = Array.from({ length: 20 }, (_, i) => summary(`chat${i}`, 'é'.repeat(i * 20)))
    const bare = jsonBytes(fitSummaries(chats, 0)) - 1
    expect(fitSummaries(chats, 0).every((chat) => 'has_more' in chat)).toBe(true)
    for (let room = bare; room < jsonBytes(chats) + 100; room += 61) {
      const shown = fitSummaries(chats, room)
      expect(jsonBytes(shown) - 2).toBeLessThanOrEqual(room)
      const full = shown.findIndex((chat) => 'has_more' in chat)
      expect(shown.slice(full < 0 ? 20 : full).every((chat) => 'has_more' in chat)).toBe(true)
    }
    expect(fitSummaries(chats, jsonBytes(chats) + 1)).toEqual(chats)
  })
})
