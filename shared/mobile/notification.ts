import { takeThatFit } from '../protocol/budget.ts'
import { utf8Bytes } from '../protocol/fields.ts'
import type { Entry, StoredEvent } from '../table/chat/thread-log.ts'
import type { DeviceItem } from '../table/devices.ts'
import { eventId, threadId } from '../table/ids.ts'
import type { MobileMessage } from './fcm.ts'

// FCM takes 4,096 bytes, ids and names of fields included; a phone shows a few lines
const mostBytes = { title: 256, body: 1024 }
/** A phone that is off for so long need not hear of it any more. */
const lifeS = 24 * 3600

/** The text for an event: a message's own, that something came otherwise; undefined: none. */
export const bodyOf = ({ type, text }: StoredEvent): string | undefined => {
  switch (type) {
    case 'message':
      return text
    case 'filled_form':
      return 'Sent a form'
    case 'custom':
      return 'Sent a message'
    case 'annotation':
    case 'system_message':
      return undefined
  }
}

/**
 * An event as FCM is to show it on a device: under the author's name, in the chat's group, with the ids for
 * the app.
 */
export const notificationFor = (
  { token, platform }: Pick<DeviceItem, 'token' | 'platform'>,
  about: { chat: string; entry: Entry; title: string | undefined; body: string; nowMs: number },
): MobileMessage => {
  const { chat, entry, title = 'New message', body, nowMs } = about
  const { n, m, event } = entry
  const common: MobileMessage = {
    token,
    notification: { title: cut(title, mostBytes.title), body: cut(body, mostBytes.body) },
    data: {
      chat_id: chat,
      thread_id: threadId(chat, n),
      event_id: eventId(chat, n, m),
      event_type: event.type,
      ...(event.author_id === undefined ? {} : { author_id: event.author_id }),
    },
  }
  switch (platform) {
    case 'android':
      // the same tag: a chat's newest notification takes the place of the one before
      return { ...common, android: { priority: 'HIGH', ttl: `${lifeS}s`, notification: { tag: chat } } }
    case 'ios':
      return {
        ...common,
        apns: {
          headers: { 'apns-priority': '10', 'apns-expiration': String(Math.floor(nowMs / 1000) + lifeS) },
          payload: { aps: { 'thread-id': chat, sound: 'default' } },
        },
      }
  }
}

const characters = new Intl.Segmenter('en', { granularity: 'grapheme' })
const ellipsis = '…'

/**
 * At most so many bytes of UTF-8: whole characters as people see them, and an ellipsis where there were more.
 */
export const cut = (text: string, maxBytes: number): string => {
  if (utf8Bytes(text) <= maxBytes) return text
  const room = maxBytes - utf8Bytes(ellipsis)
  // each UTF-16 unit takes a byte or more: what is behind cannot fit
  const near = text.slice(0, maxBytes)
  const whole = fitting(
    Array.from(characters.segment(near), ({ segment }) => segment),
    room,
  )
  // one character with marks without end: its first code points
  return `${whole === '' ? fitting(Array.from(near), room) : whole}${ellipsis}`
}

const fitting = (parts: readonly string[], room: number): string =>
  takeThatFit(parts, room, utf8Bytes).join('')
