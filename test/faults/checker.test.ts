import { expect, test } from 'vitest'
import { check } from './checker.ts'
import {
  chat,
  entryItem,
  frame,
  incoming,
  itemOf,
  refusal,
  said,
  type Sample,
  sample,
  states,
} from './sample.ts'

/** The checks that find something wrong. */
const broken = (history: Sample): string[] =>
  check(history)
    .filter(({ violations }) => violations.length > 0)
    .map(({ check: name }) => name)

test('a history in which nothing is wrong passes, and each check has looked at something', () => {
  const findings = check(sample())
  expect(findings.filter(({ violations }) => violations.length > 0)).toEqual([])
  expect(findings.filter(({ checked }) => checked === 0)).toEqual([])
})

const remove = (history: Sample, pk: string, sk: string): void => {
  const item = itemOf(history, pk, sk)
  history.quiet.items = history.quiet.items.filter((one) => one !== item)
}
const copy = (history: Sample, m: number, to: number, event: object): void => {
  const item = entryItem(history, m)
  history.quiet.items.push({
    ...item,
    sk: `LOG#00000001#${String(to).padStart(8, '0')}`,
    at: 1000 + to,
    event,
  })
}
const answered = ({ frames }: Sample, id: string) => {
  const found = frames.find(({ text }) => text.includes(`"request_id":"${id}"`))
  if (found === undefined) throw new Error(`There is no answer to ${id}`)
  return found
}
const push = (action: string, payload: object) => ({ action, type: 'push', payload })
/** A further state of the chat, from this time on. */
const state = (version: number, at: number, users: (typeof states)[number]['users'], certain = true) => ({
  ...{ id: chat, license_id: 'l1', version, sentAt: at, endedAt: at + 2, certain },
  ...{ users, scopes: { groups: [1], agents: [] } },
})
const tellBus = (history: Sample, license: string, name: string, payload: object): void => {
  history.events = [...history.events, { license, name, payload }]
}
const stored = 'an answered event is stored once, as answered'
const once = 'no event is stored twice'
const refused = 'what was refused is not stored'
const orders = 'orders are 1...n, and time never runs back'
const active = 'at most one thread of a chat is active, and closed ones get annotations only'
const order = 'an event sent after another was answered stands behind it'
const author = 'whoever stored an event was in the chat'
const tags = 'a tag that was given stands until it is taken'
const answers = 'every request is answered, once'
const leaving = 'who has logged out is served no more'
const runsOn = 'nothing of a request runs on after its answer'
const unheard = 'nothing fails that nobody waits for'
const asked = 'an answer is for whoever had access while it was asked for'
const pushes = 'a push about a chat is for whoever had access since it was caused'
const foreign = 'nothing of another license reaches anyone'
const hidden = 'nothing hidden reaches a customer'
const presence = 'who is online has a socket, and who has one is'
const status = 'the status pushed last is the one in force'
const lists = 'the lists of chats are those of the chats'
const waiting = 'a chat that waits is listed as waiting'
const loads = 'loads are the numbers of active chats with a customer'
const behind = 'dead sockets leave nothing behind'
const missed = 'a client that was cut off ends with what the server has'
const events = 'what agents with all rights are told goes out to the bus'
const changes = 'each change of a customer in an active chat goes out to the bus'
const wanted = 'nothing of a license without events is on the bus'
const probed = 'once all is quiet, an event reaches everyone with access, and nobody else'
const served = 'honest users’ answers stay within twice their quiet time, and none is refused'
const held = 'a flood is answered no more than its limit'
const threadOf = ({ followers }: Sample, who = 0) => followers[who]!.chats[0]!.threads[0]!
/** The chat's thread is closed, and everybody who holds it knows. */
const close = (history: Sample): void => {
  Object.assign(entryItem(history, 4), { closed: true })
  Object.assign(itemOf(history, `CHAT#${chat}`, 'CHAT'), { active: false })
  for (const who of [0, 1]) threadOf(history, who).active = false
}
/** Ann asks for so many chats from a time on, and is answered after so long. */
const ask = ({ requests, frames }: Sample, from: number, answeredAfterMs: number, count = 100): void => {
  for (let n = 0; n < count; n += 1) {
    const [id, action, sentAt] = [`${from}-${n}`, 'get_archives', from + n / count]
    requests.push({ socket: 0, id, action, payload: {}, sentAt })
    const answer = { request_id: id, action, type: 'response', success: true, payload: {} }
    frames.push(frame(0, sentAt + answeredAfterMs, answer))
  }
}
const tooMany = { error: { type: 'too_many_requests', details: [{ path: '', message: 'Try again in 9 s' }] } }

const violations: [what: string, by: string, spoil: (history: Sample) => void][] = [
  [
    'an answered event is not stored',
    stored,
    (history) => remove(history, `CHAT#${chat}`, String(entryItem(history, 4)['sk'])),
  ],
  [
    'an answered event is stored with another text',
    stored,
    (history) => Object.assign(entryItem(history, 4)['event'] as object, { text: 'else' }),
  ],
  [
    'an answered event is stored as somebody else’s',
    stored,
    (history) => Object.assign(entryItem(history, 4)['event'] as object, { author_id: 'sue@1' }),
  ],
  [
    'an answered event is stored for others to read',
    stored,
    (history) => Object.assign(entryItem(history, 3)['event'] as object, { recipients: 'all' }),
  ],
  [
    'an answer tells another order',
    stored,
    (history) => {
      const found = answered(history, 'r3')
      found.text = found.text.replace('"order":4', '"order":5')
    },
  ],
  [
    'an event is stored twice',
    once,
    (history) => copy(history, 4, 5, entryItem(history, 4)['event'] as object),
  ],
  [
    'a refused event is stored',
    refused,
    (history) =>
      copy(history, 4, 5, { type: 'message', text: 'e4@1', custom_id: 'e4@1', author_id: 'pat@1' }),
  ],
  [
    'an event answered too_many_requests is stored',
    refused,
    (history) => {
      history.frames = history.frames.filter((one) => one !== answered(history, 'r3'))
      history.frames.push(refusal(0, 65, 'r3', 'send_event', 'too_many_requests'))
    },
  ],
  [
    'an order is left out',
    orders,
    (history) => Object.assign(entryItem(history, 4), { sk: 'LOG#00000001#00000005' }),
  ],
  ['time runs back', orders, (history) => Object.assign(entryItem(history, 4), { at: 1001 })],
  ['a thread has no head', orders, (history) => remove(history, `CHAT#${chat}`, 'LOG#00000001#00000000')],
  [
    'two threads are active',
    active,
    (history) => {
      history.quiet.items.push({ pk: `CHAT#${chat}`, sk: 'LOG#00000002#00000000', at: 2000, version: 2 })
      Object.assign(itemOf(history, `CHAT#${chat}`, 'CHAT'), { thread: 2 })
    },
  ],
  [
    'a closed thread counts as active',
    active,
    (history) => Object.assign(entryItem(history, 4), { closed: true }),
  ],
  [
    'a message follows the end of its thread',
    active,
    (history) => {
      for (const m of [2, 3, 4]) Object.assign(entryItem(history, m), { closed: true })
      Object.assign(itemOf(history, `CHAT#${chat}`, 'CHAT'), { active: false })
    },
  ],
  [
    'a log has no chat',
    active,
    (history) => {
      history.quiet.items.push({ pk: 'CHAT#c9', sk: 'LOG#00000001#00000000', at: 2000, version: 1 })
    },
  ],
  [
    'an event stands before one that was answered before it was sent',
    order,
    (history) => {
      history.requests[0]!.sentAt = 70
      answered(history, 'r1').at = 75
    },
  ],
  [
    'a tag is lost',
    tags,
    (history) => Object.assign(itemOf(history, `CHAT#${chat}`, 'LOG#00000001#00000000'), { tags: [] }),
  ],
  [
    'a tag that was taken is there again',
    tags,
    (history) =>
      Object.assign(itemOf(history, `CHAT#${chat}`, 'LOG#00000001#00000000'), {
        tags: ['hid-t1@1', 'hid-t2@1'],
      }),
  ],
  [
    'somebody without access is pushed a tag',
    pushes,
    (history) =>
      history.frames.push(
        frame(
          ...([3, 27] as const),
          push('thread_tagged', { chat_id: chat, thread_id: `${chat}_1`, tag: 'hid-t1@1' }),
        ),
      ),
  ],
  [
    'somebody without access is answered a card',
    asked,
    (history) => {
      history.requests.push({
        ...{ socket: 3, id: 'r9', action: 'get_customer', sentAt: 80 },
        payload: { customer_id: 'carl' },
      })
      const answer = { request_id: 'r9', action: 'get_customer', type: 'response', success: true }
      history.frames.push(frame(3, 82, { ...answer, payload: { customer: { id: 'carl' } } }))
    },
  ],
  [
    'an event is by somebody who was removed',
    author,
    (history) => {
      history.chats.push(
        state(
          3,
          50,
          states[1]!.users.map((user) => (user.id === 'ann@1' ? { ...user, present: false } : user)),
        ),
      )
      Object.assign(entryItem(history, 4), { version: 3 })
    },
  ],
  [
    'a request is not answered',
    answers,
    (history) => {
      history.frames = history.frames.filter((one) => one !== answered(history, 'r4'))
    },
  ],
  [
    'a request is answered twice',
    answers,
    (history) => void history.frames.push({ ...answered(history, 'r3') }),
  ],
  [
    'a request is answered by its Lambda and by the gateway',
    answers,
    (history) =>
      void history.frames.push(
        frame(0, 66, { message: 'Internal server error', connectionId: 'x', requestId: 'y' }),
      ),
  ],
  [
    'an answer is to nothing',
    answers,
    (history) => void history.frames.push(refusal(0, 66, 'r99', 'send_event', 'internal')),
  ],
  [
    'an answer names another action',
    answers,
    (history) => {
      const found = answered(history, 'r4')
      found.text = found.text.replace('send_event', 'close_thread')
    },
  ],
  [
    'somebody is served who has logged out',
    leaving,
    (history) => {
      for (const [action, id, at] of [
        ['logout', 'r6', 80],
        ['get_archives', 'r7', 90],
      ] as const) {
        history.requests.push({ socket: 5, id, action, sentAt: at, payload: {} } as never)
        history.frames.push(
          frame(5, at + 5, { request_id: id, action, type: 'response', success: true, payload: {} }),
        )
      }
    },
  ],
  [
    'a Lambda goes on after its answer',
    runsOn,
    (history) => void history.ranOn.push('agent/send_event went on'),
  ],
  [
    'a promise fails that nobody waits for',
    unheard,
    (history) => void history.unheard.push('agent/send_event: Error'),
  ],
  [
    'somebody without access is answered',
    asked,
    (history) => {
      history.requests.push({
        socket: 3,
        id: 'r6',
        action: 'get_chat_threads',
        sentAt: 80,
        payload: { chat_id: chat },
      })
      history.frames.push(
        frame(3, 85, {
          request_id: 'r6',
          action: 'get_chat_threads',
          type: 'response',
          success: true,
          payload: { chat: { id: chat } },
        }),
      )
    },
  ],
  [
    'a list shows a chat to somebody without access',
    asked,
    (history) => {
      history.requests.push({ socket: 3, id: 'r6', action: 'login', sentAt: 80, payload: {} })
      history.frames.push(
        frame(3, 85, {
          request_id: 'r6',
          action: 'login',
          type: 'response',
          success: true,
          payload: { chats_summary: [{ id: chat }] },
        }),
      )
    },
  ],
  [
    'somebody who is not in the chat says something',
    asked,
    (history) => {
      history.requests.push({
        socket: 4,
        id: 'r6',
        action: 'send_typing_indicator',
        sentAt: 80,
        payload: { chat_id: chat },
      })
      history.frames.push(
        frame(4, 85, { request_id: 'r6', action: 'send_typing_indicator', type: 'response', success: true }),
      )
    },
  ],
  [
    'somebody without access is pushed to',
    pushes,
    (history) => void history.frames.push(incoming(3, 66, said.last)),
  ],
  [
    'somebody is pushed what came after its removal',
    pushes,
    (history) => {
      history.chats.push(state(3, 50, states[0]!.users))
      history.chats.push(state(4, 55, states[0]!.users))
    },
  ],
  [
    'somebody who is not logged in is pushed to',
    pushes,
    (history) => {
      history.sockets.push({ license: 'l1', as: 'agent', openedAt: 0, isLoggedIn: false } as never)
      history.frames.push(incoming(6, 66, said.last))
    },
  ],
  [
    'what an administrator is told is no event',
    events,
    (history) =>
      (history.events = history.events.filter(({ payload }) => payload.event?.id !== said.last.id)),
  ],
  ...(['thread_tagged', 'thread_untagged', 'incoming_event'] as const).map(
    (gone): (typeof violations)[number] => [
      `the bus is told of no ${gone}`,
      events,
      (history) => (history.events = history.events.filter(({ name }) => name !== gone)),
    ],
  ),
  [
    'a customer’s change is no event',
    changes,
    (history) => (history.events = history.events.filter(({ name }) => name !== 'customer_updated')),
  ],
  [
    'the bus is told of a customer as it was before',
    changes,
    (history) => {
      for (const { name, payload } of history.events)
        if (name === 'customer_updated') payload.customer.properties = {}
    },
  ],
  [
    'another license than those with events has one',
    wanted,
    (history) => tellBus(history, 'l2', 'thread_closed', { chat_id: 'c2', thread_id: 'c2_1' }),
  ],
  [
    'a chat of a license without events is told as another’s',
    wanted,
    (history) =>
      tellBus(history, 'l1', 'queue_positions_updated', [
        { chat_id: 'c2', thread_id: 'c2_1', queue: { position: 1 } },
      ]),
  ],
  [
    'a text of a license without events is on the bus',
    wanted,
    (history) =>
      tellBus(history, 'l1', 'incoming_event', { chat_id: chat, event: { id: `${chat}_1_9`, text: 'e9@2' } }),
  ],
  [
    'an administrator sees that somebody has seen more than events say',
    events,
    (history) =>
      void history.frames.push(
        frame(4, 66, push('last_seen_timestamp_updated', { chat_id: chat, user_id: 'ann@1', timestamp: 9 })),
      ),
  ],
  [
    'a chat of another license is pushed',
    foreign,
    (history) =>
      void history.frames.push(frame(0, 66, push('thread_closed', { chat_id: 'c2', thread_id: 'c2_1' }))),
  ],
  [
    'a text of another license is pushed',
    foreign,
    (history) =>
      void history.frames.push(
        frame(0, 66, push('incoming_broadcast', { id: 'b', author_id: 'ann@1', content: { said: 'e9@2' } })),
      ),
  ],
  [
    'an event for agents reaches a customer',
    hidden,
    (history) => void history.frames.push(incoming(1, 44, said.hidden)),
  ],
  [
    'the id of an event for agents reaches a customer',
    hidden,
    (history) =>
      void history.frames.push(
        frame(
          1,
          66,
          push('event_marked_as_seen', { chat_id: chat, event_id: `${chat}_1_3`, user_id: 'carl' }),
        ),
      ),
  ],
  [
    'a supervisor reaches a customer',
    hidden,
    (history) =>
      void history.frames.push(
        frame(1, 66, push('last_seen_timestamp_updated', { chat_id: chat, user_id: 'sue@1', timestamp: 1 })),
      ),
  ],
  [
    'an agent’s address reaches a customer',
    hidden,
    (history) =>
      void history.frames.push(
        frame(
          1,
          66,
          push('incoming_event', { chat_id: chat, event: { ...said.last, text: 'ann@hidden.example' } }),
        ),
      ),
  ],
  [
    'an agent stays online without a socket',
    presence,
    (history) => {
      delete history.quiet.living['l1 pat@1']
      remove(history, 'LICENSE#l1#SOCKETS', 'pat@1')
    },
  ],
  [
    'an agent with a socket counts as offline',
    presence,
    (history) => {
      Object.assign(itemOf(history, 'LICENSE#l1', 'AGENT#ann@1'), { online: false })
    },
  ],
  [
    'a customer stays online when all are gone',
    presence,
    (history) => {
      history.over.items = history.over.items.map((item) =>
        item['sk'] === 'CUSTOMER' ? { ...item, online: true } : item,
      )
    },
  ],
  [
    'a stale status was pushed last',
    status,
    (history) => {
      history.watched[0]!.status = 'offline'
    },
  ],
  ['an active chat is not listed', lists, (history) => remove(history, 'LICENSE#l1#ACTIVE', chat)],
  [
    'a listed chat has other users',
    lists,
    (history) => Object.assign(itemOf(history, 'LICENSE#l1#ACTIVE', chat), { users: states[0]!.users }),
  ],
  [
    'a closed chat is still listed as active',
    lists,
    (history) => {
      history.quiet.items.push({
        pk: 'LICENSE#l1#ACTIVE',
        sk: 'c9',
        users: [],
        scopes: { groups: [], agents: [] },
        thread: 1,
      })
    },
  ],
  [
    'a chat is listed as it waited before',
    waiting,
    (history) => {
      Object.assign(itemOf(history, `CHAT#${chat}`, 'CHAT'), { waiting_since: 5 })
      history.quiet.items.push({ pk: 'LICENSE#l1#WAITING', sk: chat, waiting_since: 4 })
    },
  ],
  [
    'a chat waits and is not listed as waiting',
    waiting,
    (history) => Object.assign(itemOf(history, `CHAT#${chat}`, 'CHAT'), { waiting_since: 5 }),
  ],
  ['a chat is not among all', lists, (history) => remove(history, 'LICENSE#l1#CHATS', chat)],
  [
    'a load is too high',
    loads,
    (history) => Object.assign(itemOf(history, 'LICENSE#l1#LOAD', 'ann@1'), { active: 2 }),
  ],
  ['a load is missing', loads, (history) => remove(history, 'LICENSE#l1#LOAD', 'ann@1')],
  [
    'a dead socket leaves its session',
    behind,
    (history) => void history.over.items.push({ pk: 'SOCKET#x', sk: 'SOCKET' }),
  ],
  [
    'a dead socket leaves its row',
    behind,
    (history) => void history.over.items.push({ pk: 'LICENSE#l1#SOCKETS', sk: 'ann@1#x' }),
  ],
  [
    'a dead socket’s row stands among the living',
    behind,
    (history) =>
      void history.quiet.items.push({
        pk: 'LICENSE#l1#SOCKETS',
        sk: 'ann@1#x',
        license_id: 'l1',
        agent_id: 'ann@1',
      }),
  ],
  ['a living socket has no row', behind, (history) => remove(history, 'CUSTOMER#l1#carl#SOCKETS', 'carl')],
  ['a client misses an event', missed, (history) => void threadOf(history).events.splice(1, 1)],
  [
    'a client holds an event twice',
    missed,
    (history) => void threadOf(history).events.push({ id: `${chat}_1_4`, text: 'e3@1' }),
  ],
  [
    'a client holds the end of a thread without saying so',
    missed,
    (history) => void threadOf(history).events.splice(0, 2),
  ],
  [
    'a client holds a page that is not the end of a thread',
    missed,
    (history) => {
      Object.assign(threadOf(history), { has_more: true })
      threadOf(history).events.pop()
    },
  ],
  [
    'a client knows a thread no further than to an earlier event',
    missed,
    (history) => Object.assign(threadOf(history), { events: [], has_more: true, upTo: 3 }),
  ],
  [
    'a client holds a closed thread as active',
    missed,
    (history) => {
      close(history)
      threadOf(history).active = true
    },
  ],
  [
    'a client holds a chat without its newest thread',
    missed,
    (history) =>
      void history.quiet.items.push({
        pk: `CHAT#${chat}`,
        sk: 'LOG#00000002#00000000',
        at: 2000,
        version: 2,
      }),
  ],
  [
    'a client holds a chat with those who left',
    missed,
    (history) => {
      history.followers[0]!.chats[0]!.users = [...states[0]!.users]
    },
  ],
  [
    'a client holds a chat with scopes of before',
    missed,
    (history) => Object.assign(history.followers[0]!.chats[0]!, { scopes: undefined }),
  ],
  [
    'a client holds a tag that was taken',
    missed,
    (history) => Object.assign(threadOf(history), { tags: ['hid-t1@1', 'hid-t2@1'] }),
  ],
  ['a client lacks a tag', missed, (history) => Object.assign(threadOf(history), { tags: undefined })],
  [
    'a customer’s client holds a tag',
    missed,
    (history) => Object.assign(threadOf(history, 1), { tags: ['hid-t1@1'] }),
  ],
  ['a client lacks an active chat', missed, (history) => void history.followers[0]!.chats.pop()],
  [
    'a client lacks a closed chat that it was shown',
    missed,
    (history) => {
      close(history)
      history.followers[0]!.chats.pop()
      history.frames.push(frame(4, 90, push('incoming_chat_thread', { chat: { id: chat } })))
    },
  ],
  [
    'a client holds a chat that it may not see any more',
    missed,
    (history) => {
      history.licenses[0]!.agents[3]!.permission = 'normal'
    },
  ],
  [
    'a client holds what is not there',
    missed,
    (history) => void history.followers[0]!.chats.push({ ...history.followers[0]!.chats[0]!, id: 'c9' }),
  ],
  [
    'a client is told to start over without a reason',
    missed,
    (history) => Object.assign(history.followers[0]!, { startedOver: 1 }),
  ],
  [
    'a customer’s client holds what is hidden',
    missed,
    (history) => void threadOf(history, 1).events.splice(1, 0, { id: `${chat}_1_3`, text: 'hid-e2@1' }),
  ],
  [
    'a push misses somebody once all is quiet',
    probed,
    (history) => {
      history.frames = history.frames.filter(
        ({ socket, text }) => socket !== 2 || !text.includes(`${chat}_1_4`),
      )
    },
  ],
  [
    'an honest user is refused by a limit',
    served,
    ({ requests, frames }) => {
      requests.push({ socket: 1, id: 'r9', action: 'ping', payload: {}, sentAt: 150 })
      const answer = { request_id: 'r9', action: 'ping', type: 'response', success: false }
      frames.push(frame(1, 151, { ...answer, payload: tooMany }))
    },
  ],
  [
    'an honest user cannot connect',
    served,
    ({ sockets }) =>
      void sockets.push({ license: 'l1', as: 'customer', openedAt: 150, closedAt: 151, refusedWith: 429 }),
  ],
  [
    'an honest customer is closed as one that floods',
    served,
    ({ frames }) =>
      void frames.push(frame(1, 150, push('customer_disconnected', { reason: 'too_many_connections' }))),
  ],
  [
    'an honest agent is closed as one that floods',
    served,
    ({ frames }) =>
      void frames.push(frame(0, 150, push('agent_disconnected', { reason: 'agent_disconnected_by_server' }))),
  ],
  [
    'honest users are answered three times as slowly under floods',
    served,
    (history) => {
      ask(history, 50, 10)
      ask(history, 150, 30)
    },
  ],
  [
    'a flood is answered more than its limit lets through',
    held,
    ({ floods }) => void floods.records.push({ name: 'x', most: 40, minutes: 2, answered: 81, refused: 9 }),
  ],
  [
    'a connection that wants to hear its own chats alone hears another',
    pushes,
    (history) => {
      history.sockets[4]!.chats = 'my'
      history.probes = []
    },
  ],
  [
    'a connection hears what it does not want',
    pushes,
    (history) => {
      history.sockets[4]!.pushes = ['thread_closed']
      history.probes = []
    },
  ],
  [
    'one that follows a chat misses what is said in it',
    probed,
    (history) => {
      history.sockets[4]!.chats = 'my'
      history.chats = states.map((one) => ({ ...one, thread: 1, followers: [{ id: 'fay@1', thread: 1 }] }))
      history.frames = history.frames.filter(({ socket }) => socket !== 4)
    },
  ],
  [
    'a list of audiences keeps a row',
    behind,
    ({ quiet }) =>
      void quiet.items.push({
        pk: 'AUDIENCE#l1#OPEN',
        sk: 'C#ann@1#gone',
        connection: 'gone',
        license_id: 'l1',
      }),
  ],
]

test.each(violations)('it is noticed that %s', (_, by, spoil) => {
  const history = sample()
  spoil(history)
  expect(broken(history)).toContain(by)
})

test.each([
  ['answers take less than twice as long', 19, 100],
  ['too few answers are slow', 30, 99],
])('floods break nothing where %s', (_, answeredAfterMs, count) => {
  const history = sample()
  ask(history, 50, 10)
  ask(history, 150, answeredAfterMs, count)
  expect(broken(history)).toEqual([])
})

test('a lost race that is answered as a limit is no refusal by a limit', () => {
  const history = sample()
  history.requests.push({ socket: 1, id: 'r9', action: 'join_chat', payload: {}, sentAt: 150 })
  history.frames.push(refusal(1, 160, 'r9', 'join_chat', 'too_many_requests'))
  expect(broken(history)).toEqual([])
})

test('a client need not hold a closed chat that it was not shown since it may see it', () => {
  const history = sample()
  close(history)
  history.followers[0]!.chats.pop()
  expect(broken(history)).not.toContain(missed)
  history.frames.push(frame(4, 90, push('incoming_chat_thread', { chat: { id: chat } })))
  history.chats.push({ ...state(3, 92, states[1]!.users), scopes: { groups: [], agents: ['sue@1'] } })
  history.chats.push(state(4, 95, states[1]!.users))
  Object.assign(history.licenses[0]!.agents[3]!, { permission: 'normal', groups: [1] })
  expect(broken(history)).not.toContain(missed)
})

test('whoever loses access while a request is under way may still be pushed what it caused', () => {
  const history = sample()
  // sue is removed beside the request of the last event, which began before that
  history.chats.push(state(3, 61, states[0]!.users))
  expect(broken(history).filter((name) => name === pushes)).toEqual([])
})

test('the bus need not be told of a customer while its chat is not surely active, or of what is as it was', () => {
  const history = sample()
  const unsaid = { id: 'carl', license_id: 'l1', certain: true, name: 'Carl' }
  // the chat begins beside the first, and is closed beside the last
  const [first, same, last] = [
    { ...unsaid, version: 0, properties: {}, sentAt: 1, endedAt: 2 },
    { ...unsaid, version: 3, properties: { plan: 'p1@1' }, sentAt: 60, endedAt: 62 },
    { ...unsaid, version: 4, properties: { plan: 'p2@1' }, sentAt: 90, endedAt: 95 },
  ] as const
  Object.assign(history.customers[0]!, { name: 'Kim', sentAt: 9, endedAt: 11 })
  history.customers.push(first, same, last, { ...last, version: 5, properties: {}, certain: false })
  history.chats.push({ ...state(3, 94, states[1]!.users), active: false })
  expect(broken(history)).not.toContain(changes)
  history.chats.pop()
  expect(broken(history)).toContain(changes)
})

test('the bus need not be told that a thread has not a tag of which it was never told', () => {
  const history = sample()
  const payload = { chat_id: chat, thread_id: `${chat}_1`, tag: 'hid-t9@1' }
  history.frames.push(frame(4, 29, push('thread_untagged', payload)))
  expect(broken(history)).toEqual([])
})

test('a write of which nobody knows whether it was done counts as done, and as not done', () => {
  const history = sample()
  history.chats.push(state(3, 50, states[0]!.users, false))
  expect(broken(history)).toEqual([])
})
