import { describe, expect, test } from 'vitest'
import type { NewInitialEvent } from '../../shared/protocol/events.ts'
import { keys } from '../../shared/table/keys.ts'
import {
  authorsOf,
  type Entry,
  eventOf,
  parseEntry,
  parseHead,
  parseTail,
  type StoredEvent,
} from '../../shared/table/chat/thread-log.ts'
import {
  putEntry,
  putHead,
  newHead,
  nextEntries,
  nextEntry,
  storedEvent,
} from '../../shared/table/chat/log-entries.ts'
import type { Attributes, Op } from '../../shared/table/ops.ts'

const chat = 'chat1'
const by = { nonce: 'n2', version: 3, at: 2000 }
const head = newHead({ n: 4, nonce: 'n1', version: 2, at: 1000, userIds: ['ann'] })
const start = { n: 4, m: 0, last: head }
const message = (text = 'hello', more: Partial<StoredEvent> = {}): StoredEvent => ({
  type: 'message',
  text,
  author_id: 'ann',
  ...more,
})
const hush: StoredEvent = { type: 'annotation', annotation_type: 'note', recipients: 'agents' }
const after = (entry: Entry) => ({ n: entry.n, m: entry.m, last: entry })
const itemOf = (op: Op): Attributes => ('Put' in op ? op.Put.Item : {})

describe('nextEntry', () => {
  test('takes the next order of its thread, and says who wrote it under which version', () => {
    const first = nextEntry(start, message(), by)
    expect(first).toEqual({
      ...{ n: 4, m: 1, nonce: 'n2', version: 3, at: 2000, visible: 1 },
      newest: { message: 1 },
      asked: 0,
      event: message(),
    })
    expect(nextEntry(after(first), message(), by)).toMatchObject({
      n: 4,
      m: 2,
      newest: { message: 2 },
      visible: 2,
    })
  })

  test('says what the customer asked first that nobody has answered', () => {
    const note: StoredEvent = { ...message(), recipients: 'agents' }
    const says: [event: StoredEvent, byCustomer: boolean, asked: number][] = [
      [message(), true, 1],
      [message(), true, 1],
      [note, false, 1],
      [hush, false, 1],
      [hush, true, 1],
      [message(), false, 0],
      [hush, true, 0],
      [message(), true, 8],
    ]
    let last: { n: number; m: number; last: Omit<Entry, 'nonce'> } | typeof start = start
    for (const [event, byCustomer, asked] of says) {
      const entry = nextEntry(last, event, { ...by, byCustomer })
      expect([entry.m, entry.asked]).toEqual([entry.m, asked])
      last = after(entry)
    }
    // what an earlier release has begun says nothing, until somebody speaks
    const { asked: _, ...old } = head
    expect(nextEntry({ n: 4, m: 0, last: old }, hush, by).asked).toBeUndefined()
    expect(nextEntry({ n: 4, m: 0, last: old }, message(), { ...by, byCustomer: true }).asked).toBe(1)
  })

  test('is never of a time before its predecessor', () => {
    expect(nextEntry(start, message(), { ...by, at: 999 }).at).toBe(1000)
    expect(nextEntry(start, message(), { ...by, at: 1001 }).at).toBe(1001)
  })

  test('names the last few authors before its own, the latest first, with when they last sent something', () => {
    const ofTime = (author_id: string | undefined, s: number) => (last: Parameters<typeof nextEntry>[0]) =>
      after(nextEntry(last, message('x', { author_id }), { ...by, at: 1000 * s + 999 }))
    const said = (...all: [author: string | undefined, s: number][]) =>
      all.reduce(
        (last, [author, s]) => ofTime(author, s)(last),
        start as ReturnType<typeof after> | typeof start,
      )
    const authorsAfter = (...all: [author: string | undefined, s: number][]) => said(...all).last.authors
    expect(authorsAfter(['ann', 1], ['ann', 2])).toBeUndefined()
    expect(authorsAfter(['ann', 1], ['carl', 2], ['ann', 3])).toEqual({ carl: 2 })
    expect(authorsAfter(['ann', 1], ['carl', 2], [undefined, 3])).toEqual({ ann: 1, carl: 2 })
    expect(
      Object.keys(authorsAfter(['a', 1], ['b', 2], ['c', 3], ['d', 4], ['e', 5], ['f', 6], ['b', 7])!),
    ).toEqual(['f', 'e', 'd', 'c'])
    const { last } = said(['ann', 1], ['carl', 2])
    expect([...authorsOf(last)]).toEqual([
      ['ann', 1],
      ['carl', 2],
    ])
    // the next thread begins with them
    const next = newHead({ n: 5, nonce: 'n3', version: 4, at: 3000, userIds: ['ann'], last })
    expect([...authorsOf(next)]).toEqual([
      ['carl', 2],
      ['ann', 1],
    ])
    expect(parseHead(itemOf(putHead(chat, next)))).toEqual(next)
  })

  test('names the newest event of each type, for customers only what they may see', () => {
    const one = nextEntry(start, message(), by)
    expect(one).not.toHaveProperty('shown')
    const two = nextEntry(after(one), hush, by)
    expect(two).toMatchObject({ newest: { message: 1, annotation: 2 }, shown: { message: 1 }, visible: 1 })
    // what is public moves on in both, what is hidden in one
    const three = nextEntry(after(two), message(), by)
    expect(three).toMatchObject({ newest: { message: 3, annotation: 2 }, shown: { message: 3 }, visible: 2 })
    const four = nextEntry(after(three), message('', { recipients: 'agents' }), by)
    expect(four).toMatchObject({ newest: { message: 4, annotation: 2 }, shown: { message: 3 }, visible: 2 })
    const five = nextEntry(after(four), { ...hush, recipients: 'all' }, by)
    expect(five).toMatchObject({
      newest: { message: 4, annotation: 5 },
      shown: { message: 3, annotation: 5 },
    })
    expect(five.visible).toBe(3)
  })

  test('a hidden first event leaves customers nothing', () => {
    expect(nextEntry(start, hush, by)).toMatchObject({ newest: { annotation: 1 }, shown: {}, visible: 0 })
  })

  test('closing marks the entry and all that follow it', () => {
    const open = nextEntry(start, message(), by)
    expect(open).not.toHaveProperty('closed')
    const closing = nextEntry(after(open), message(), { ...by, closes: true })
    expect(closing.closed).toBe(true)
    expect(nextEntry(after(closing), hush, by).closed).toBe(true)
  })

  test('changes nothing of what it follows', () => {
    const one = nextEntry(start, hush, by)
    const before = structuredClone(one)
    nextEntry(after(one), message(), { ...by, closes: true })
    expect(one).toEqual(before)
    expect(head.newest).toEqual({})
  })
})

describe('nextEntries', () => {
  test('follow one another as if each was written alone', () => {
    const events = [message('a'), hush, message('b'), message('c', { recipients: 'agents' })]
    const entries = nextEntries(start, events, by)
    let before: Parameters<typeof nextEntry>[0] = start
    for (const [index, event] of events.entries()) {
      const alone = nextEntry(before, event, by)
      expect(entries[index]).toEqual(alone)
      before = after(alone)
    }
    expect(entries.map(({ m }) => m)).toEqual([1, 2, 3, 4])
  })

  test('of no events are none', () => {
    expect(nextEntries(start, [], by)).toEqual([])
  })

  test('in a closed thread stay closed', () => {
    const closing = nextEntry(start, message(), { ...by, closes: true })
    expect(nextEntries(after(closing), [hush, hush], by).map(({ closed }) => closed)).toEqual([true, true])
  })
})

describe('parseTail', () => {
  const entriesOf = (n: number, count: number) =>
    nextEntries(
      { n, m: 0, last: head },
      Array.from({ length: count }, (_, i) => message(`${i + 1}`)),
      by,
    )
  const items = (...entries: Entry[]) => entries.toReversed().map((entry) => itemOf(putEntry(chat, entry)))

  test('of no items there is none', () => {
    expect(parseTail([])).toBeUndefined()
  })

  test('of a thread without events it is the head', () => {
    expect(parseTail([itemOf(putHead(chat, head))])).toEqual({
      ...{ n: 4, m: 0, entries: [] },
      last: head,
    })
  })

  test('has the newest entries first and says what the last of them says', () => {
    const entries = entriesOf(4, 3)
    const tail = parseTail([...items(...entries), itemOf(putHead(chat, head))])
    expect(tail).toMatchObject({ n: 4, m: 3, last: entries[2] })
    expect(tail!.entries).toEqual(entries.toReversed())
  })

  test('holds nothing of an earlier thread', () => {
    const older = { ...head, n: 3 }
    const [one] = entriesOf(4, 1)
    const tail = parseTail([
      ...items(one!),
      itemOf(putHead(chat, head)),
      ...items(...entriesOf(3, 2)),
      itemOf(putHead(chat, older)),
    ])
    expect(tail).toEqual({ n: 4, m: 1, last: one, entries: [one] })
    const justStarted = parseTail([itemOf(putHead(chat, head)), ...items(...entriesOf(3, 2))])
    expect(justStarted).toMatchObject({ n: 4, m: 0, entries: [] })
  })

  test('of a window without the head is the same', () => {
    const entries = entriesOf(4, 26)
    const tail = parseTail(items(...entries.slice(1)))
    expect(tail).toMatchObject({ n: 4, m: 26 })
    expect(tail!.entries).toHaveLength(25)
  })
})

describe('what is put is what is read', () => {
  test('an entry', () => {
    const entry = nextEntry(
      start,
      {
        ...{ type: 'filled_form', author_id: 'ann', custom_id: 'c#1%', recipients: 'agents' },
        fields: [
          { type: 'radio', name: 'n', label: 'l', options: [{ label: 'o', value: 1.5, checked: false }] },
        ],
        properties: { constructor: { prototype: { value: true } } },
      },
      { ...by, closes: true },
    )
    const item = itemOf(putEntry(chat, entry))
    expect(item).toMatchObject(keys.event(chat, 4, 1))
    expect(parseEntry(item)).toEqual(entry)
  })

  test('a thread', () => {
    const full = newHead({
      ...{ n: 12, nonce: 'n', version: 1, at: 5, userIds: ['ann', 'ben'] },
      properties: { a: { b: { value: 'c' } } },
    })
    const item = itemOf(putHead(chat, full))
    expect(item).toMatchObject(keys.thread(chat, 12))
    expect(parseHead(item)).toEqual(full)
  })
})

describe('eventOf', () => {
  const shown = (event: StoredEvent) =>
    JSON.parse(JSON.stringify(eventOf(chat, { ...nextEntry(start, event, by), m: 7 })))
  const common = { id: 'chat1_4_7', order: 7, timestamp: 2, recipients: 'all' }

  test('shows each type with its own fields', () => {
    expect(shown(message('hi', { custom_id: 'c' }))).toEqual({
      ...{ ...common, type: 'message', text: 'hi', author_id: 'ann', custom_id: 'c' },
    })
    expect(shown({ type: 'annotation', annotation_type: 'a', author_id: 'ann', text: 't' })).toEqual({
      ...{ ...common, type: 'annotation', annotation_type: 'a', text: 't', author_id: 'ann' },
    })
    expect(shown(hush)).toEqual({
      ...common,
      type: 'annotation',
      annotation_type: 'note',
      recipients: 'agents',
    })
    const fields = [{ type: 'text' as const, name: 'n', label: 'l' }]
    expect(shown({ type: 'filled_form', fields, properties: { a: { b: { value: 1 } } } })).toEqual({
      ...{ ...common, type: 'filled_form', fields, properties: { a: { b: { value: 1 } } } },
    })
    expect(
      shown({ type: 'system_message', system_message_type: 'agent_left', text: 'x left the chat' }),
    ).toEqual({
      ...{ ...common, type: 'system_message', system_message_type: 'agent_left', text: 'x left the chat' },
    })
  })

  test('keeps to whole seconds, rounded down', () => {
    expect(eventOf(chat, nextEntry(start, message(), { ...by, at: 1_999 })).timestamp).toBe(1)
  })

  test('gives content back as it was written', () => {
    const content = '{"n":1e400,"big":12345678901234567890,"__proto__":{"a":1}}'
    const json = JSON.stringify(eventOf(chat, nextEntry(start, { type: 'custom', content }, by)))
    expect(json).toContain(`"content":${content}`)
  })
})

describe('storedEvent', () => {
  const sent: NewInitialEvent = {
    type: 'message',
    text: 'hi',
    custom_id: 'c',
    recipients: 'agents',
  } as NewInitialEvent

  test('has the author that the session names, and recipients only where not all read it', () => {
    expect(storedEvent(sent, 'ann', 'agents')).toEqual({
      ...{ type: 'message', text: 'hi', custom_id: 'c', author_id: 'ann', recipients: 'agents' },
    })
    expect(storedEvent(sent, 'ann', 'all')).toEqual({
      type: 'message',
      text: 'hi',
      custom_id: 'c',
      author_id: 'ann',
    })
  })

  test('a system message has no author', () => {
    const event = { type: 'system_message', text: 'x', system_message_type: 'custom' } as NewInitialEvent
    expect(storedEvent(event, 'ann', 'all')).toEqual(event)
  })
})
