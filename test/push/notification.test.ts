import { describe, expect, test } from 'vitest'
import { bodyOf, cut, notificationFor } from '../../shared/mobile/notification.ts'
import type { Entry, StoredEvent } from '../../shared/table/chat/thread-log.ts'

const entry = (event: StoredEvent): Entry => ({
  n: 2,
  m: 5,
  nonce: 'n',
  version: 1,
  at: 1_700_000_000_000,
  newest: {},
  visible: 5,
  event,
})
const event: StoredEvent = { type: 'message', text: 'hello', author_id: 'ann' }
const about = { chat: 'c0', entry: entry(event), title: 'Ann', body: 'hello', nowMs: 1_700_000_001_234 }

describe('a notification', () => {
  test('shows author and text, and has the ids for the app, on Android in the place of the chat’s last one', () => {
    expect(notificationFor({ token: 't', platform: 'android' }, about)).toEqual({
      token: 't',
      notification: { title: 'Ann', body: 'hello' },
      data: {
        ...{ chat_id: 'c0', thread_id: 'c0_2', event_id: 'c0_2_5', event_type: 'message' },
        author_id: 'ann',
      },
      android: { priority: 'HIGH', ttl: '86400s', notification: { tag: 'c0' } },
    })
  })

  test('is grouped by chat on iOS, and dropped after a day there too', () => {
    const { apns, android } = notificationFor({ token: 't', platform: 'ios' }, about)
    expect(android).toBeUndefined()
    expect(apns).toEqual({
      headers: { 'apns-priority': '10', 'apns-expiration': '1700086401' },
      payload: { aps: { 'thread-id': 'c0', sound: 'default' } },
    })
  })

  test('of an author without a name has a neutral title', () => {
    const { notification } = notificationFor({ token: 't', platform: 'ios' }, { ...about, title: undefined })
    expect(notification).toEqual({ title: 'New message', body: 'hello' })
  })

  test.each(['a', 'é', '語', '👩‍👩‍👧‍👦', 'e\u0301\u0327'])(
    'stays under the 4,096 bytes of FCM with the longest ids, names and texts, of %s',
    (unit) => {
      const long = unit.repeat(16 * 1024)
      const message = notificationFor(
        { token: 't'.repeat(1024), platform: 'ios' },
        {
          chat: 'c'.repeat(64),
          entry: entry({ type: 'filled_form', author_id: 'a'.repeat(128) }),
          title: long,
          body: long,
          nowMs: 0,
        },
      )
      expect(Buffer.byteLength(JSON.stringify(message))).toBeLessThan(4096)
    },
  )
})

describe('what is said of an event', () => {
  test.each<[StoredEvent, string | undefined]>([
    [{ type: 'message', text: 'hello' }, 'hello'],
    [{ type: 'filled_form', fields: [] }, 'Sent a form'],
    [{ type: 'custom', content: '{"secret":1}' }, 'Sent a message'],
    [{ type: 'annotation', annotation_type: 'rating', text: 'good' }, undefined],
    [{ type: 'system_message', text: 'x', system_message_type: 'y' }, undefined],
  ])('%j is %j', (given, expected) => {
    expect(bodyOf(given)).toBe(expected)
  })
})

describe('a text that is cut', () => {
  test.each([
    ['abc', 3, 'abc'],
    ['abcd', 4, 'abcd'],
    ['abcdefg', 6, 'abc…'],
    ['ééé', 5, 'é…'],
    ['👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 30, '👩‍👩‍👧‍👦…'],
    ['a👩‍👩‍👧‍👦', 24, 'a…'],
    ['e\u0301e\u0301e\u0301', 8, 'e\u0301…'],
  ])('%j at %i bytes is %j', (text, bytes, expected) => {
    expect(cut(text, bytes)).toBe(expected)
  })

  test('in the midst of one endless character keeps whole code points', () => {
    expect(cut(`e${'\u0301'.repeat(50)}`, 10)).toBe(`e${'\u0301'.repeat(3)}…`)
    expect(cut('👩‍👩‍👧‍👦', 9).isWellFormed()).toBe(true)
  })
})
