import { afterEach, expect, test, vi } from 'vitest'
import { showResults } from '../../shared/archive/search/results.ts'
import { jsonBytes } from '../../shared/protocol/budget.ts'
import { chatSummary, chatWithThread, fitSummaries, threadOf } from '../../shared/chat/view/wire-objects.ts'
import { chatFor, eventFor, redactedFor } from '../../shared/access/visibility.ts'
import { eventRecord } from '../../infra/admin/data/export-records.ts'
import { answered, pushed } from '../../shared/protocol/envelope.ts'
import { contentOf } from '../../shared/protocol/events.ts'
import { stringifyJson } from '../../shared/protocol/json.ts'
import { limits } from '../../shared/protocol/limits.ts'
import type { Chat } from '../../shared/table/chat/chats.ts'
import { type Entry, eventOf, type Tail } from '../../shared/table/chat/thread-log.ts'
import { newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'

// What is stored as JSON text is shown as it stands: a content that is costly to read costs nothing to show.

afterEach(() => void vi.restoreAllMocks())

// no JSON: whatever read it would throw
const stored = '{"unread":1e400,'
const at = 1_700_000_000_000
const chat: Chat = {
  ...{ id: 'chat1', license_id: 'l', scopes: { groups: [], agents: [] }, version: 1, thread: 1 },
  ...{ active: true, changed_at: at, started_at: at },
  users: [{ id: 'carl', type: 'customer', present: true }],
}
const record = { chat, properties: undefined, seen: new Map<string, number>() }
const profiles = { agents: new Map(), customers: new Map() }
const head = newHead({ n: 1, nonce: 'n', version: 1, at, userIds: ['carl'] })
const entries: Entry[] = nextEntries(
  { n: 1, m: 0, last: head },
  [1, 2, 3].map(() => ({ type: 'custom', content: stored, author_id: 'carl' })),
  { nonce: 'n', version: 1, at },
)
const tail: Tail = { n: 1, m: 3, last: entries[2]!, entries: entries.toReversed() }

const summaries = () =>
  Array.from({ length: 100 }, () => chatSummary({ record, profiles, head, tail, newest: entries.slice(2) }))
const withThread = () => chatWithThread({ record, profiles, head, events: entries, active: true })
const event = () => eventOf('chat1', entries[0]!)
const incoming = () => ({ chat_id: 'chat1', thread_id: 'chat1_1', event: event() })
const result: Parameters<typeof showResults>[0][number] = {
  ...record,
  head,
  profiles,
  events: entries,
  more: false,
  after: chat,
}

const frames: [what: string, frame: () => string, events: number][] = [
  ['the answer to send_event', () => answered({}, { thread_id: 'chat1_1', event: event() }), 1],
  ['the push of an event', () => pushed('incoming_event', incoming()), 1],
  [
    'the same to customers',
    () => pushed('incoming_event', redactedFor({ chat })('incoming_event', incoming())!),
    1,
  ],
  ['the push of a chat', () => pushed('incoming_chat_thread', { chat: withThread() }), 3],
  ['a chat as customers see it', () => answered({}, { chat: chatFor(withThread(), chat) }), 3],
  ['an event as customers see it', () => answered({}, eventFor(event())), 1],
  [
    'a thread',
    () =>
      answered(
        {},
        threadOf({ chat: 'chat1', head, active: true, events: entries, room: 10_000, more: false }),
      ),
    3,
  ],
  ['a login with a hundred chats', () => answered({}, fitSummaries(summaries(), limits.frameBytes)), 100],
  ['a page of archives', () => answered({}, { chats: showResults([result, result], limits.frameBytes) }), 6],
  [
    'a broadcast',
    () => pushed('incoming_broadcast', { id: 'b', author_id: 'ann', content: contentOf(stored) }),
    1,
  ],
  ['an exported event', () => stringifyJson(eventRecord('chat1', entries[0]!)), 1],
]

test.each(frames)('%s holds a stored content as it stands, and nobody reads it', (_, frame, events) => {
  const parse = vi.spyOn(JSON, 'parse')
  expect(frame().split(`"content":${stored}`)).toHaveLength(events + 1)
  expect(parse).not.toHaveBeenCalled()
})

test('the room that an event takes is that of its text', () => {
  const fields = jsonBytes({ ...event(), content: 0 }) - 1
  expect(jsonBytes(event())).toBe(fields + stored.length)
  const room = 3 * (jsonBytes(event()) + 1) + 200
  const shown = threadOf({ chat: 'chat1', head, active: true, events: entries, room, more: false })
  expect(jsonBytes(shown)).toBeLessThanOrEqual(room)
  expect(shown.events.length).toBeGreaterThan(0)
})
