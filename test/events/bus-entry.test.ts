import { expect, test } from 'vitest'
import { bytesOf, busLimits, callsOf, entryOf as maybeEntryOf } from '../../shared/events/bus-entry.ts'
import type { BusPush } from '../../shared/events/bus-outbox.ts'

const entryOf = (...of: Parameters<typeof maybeEntryOf>) => maybeEntryOf(...of)!

const of = { license: 'l', author: undefined, atS: 1_800_000_000 }

const threadOf = (text: string): BusPush => ({
  name: 'incoming_chat_thread',
  payload: {
    chat: {
      id: 'c',
      users: [],
      thread: {
        ...{ id: 'c_1', timestamp: 1, active: true, user_ids: [], order: 1 },
        events: [{ id: 'c_1_1', order: 1, timestamp: 1, recipients: 'all', type: 'message', text }],
      },
    },
  },
})

test('an event is what a push is, with its license, its time and its author', () => {
  const push = threadOf('hello')
  const entry = entryOf(push, { ...of, author: 'customer' })
  expect({ ...entry, Detail: JSON.parse(entry.Detail) }).toEqual({
    Source: 'agent-chat',
    DetailType: 'incoming_chat_thread',
    Time: of.atS,
    Detail: { license_id: 'l', at: of.atS, author_type: 'customer', payload: push.payload },
  })
  expect(JSON.parse(entryOf(push, of).Detail)).not.toHaveProperty('author_type')
})

test('an event of more than 256 KB goes without the events that it shows, and says so', () => {
  const whole = threadOf('')
  const room = busLimits.bytes - bytesOf(entryOf(whole, of))
  // two bytes each
  const fits = entryOf(threadOf(`${'é'.repeat(Math.floor(room / 2))}${'x'.repeat(room % 2)}`), of)
  expect(bytesOf(fits)).toBe(busLimits.bytes)
  expect(JSON.parse(fits.Detail).payload.chat.thread.events).toHaveLength(1)
  const cut = JSON.parse(entryOf(threadOf('x'.repeat(room + 1)), of).Detail).payload.chat.thread
  expect(cut).toMatchObject({ events: [], has_more: true, id: 'c_1' })
  // what is too large even so is none
  const scopes = { agents: Array.from({ length: 3000 }, (_, n) => `${n}`.repeat(25)) }
  const large: BusPush = {
    name: 'chat_scopes_updated',
    payload: { chat_id: 'c', scopes_added: scopes } as any,
  }
  expect(maybeEntryOf(large, of)).toBeUndefined()
})

test('calls take ten events at most, and 256 KB together', () => {
  const entries = (count: number, text: string) =>
    Array.from({ length: count }, () => ({ entry: entryOf(threadOf(text), of) }))
  expect(callsOf(entries(23, '')).map(({ length }) => length)).toEqual([10, 10, 3])
  expect(callsOf(entries(5, 'x'.repeat(100_000))).map(({ length }) => length)).toEqual([2, 2, 1])
  expect(callsOf([])).toEqual([])
})
