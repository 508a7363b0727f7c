import { partsThatFit } from '../protocol/budget.ts'
import type { AuthorType } from '../protocol/pushes-on-bus.ts'
import { utf8Bytes } from '../protocol/fields.ts'
import type { BusPush } from './bus-outbox.ts'

const eventSource = 'agent-chat'

/** EventBridge takes so many events by one call, and so many bytes, of one event and of all of a call. */
export const busLimits = { count: 10, bytes: 256 * 1024 } as const
/** What EventBridge counts of an event's time. */
const timeBytes = 14

/** An event as `PutEvents` takes it. `Time` in Unix seconds. */
export interface BusEntry {
  Source: typeof eventSource
  DetailType: string
  Detail: string
  Time: number
}

/** An event's bytes, as EventBridge counts them. */
export const bytesOf = ({ Source, DetailType, Detail }: BusEntry): number =>
  timeBytes + utf8Bytes(Source) + utf8Bytes(DetailType) + utf8Bytes(Detail)

/** A push without the events that it shows, as one that says that there are more. */
const withoutEvents = ({ name, payload }: BusPush): unknown => {
  if (name !== 'incoming_chat_thread') return payload
  const { chat } = payload
  return { chat: { ...chat, thread: { ...chat.thread, events: [], has_more: true } } }
}

/**
 * A push of a license as an event; undefined: it is too large even without events. `atS`: when what it tells
 * of was written, in Unix seconds.
 */
export const entryOf = (
  push: BusPush,
  { license, author, atS }: { license: string; author: AuthorType | undefined; atS: number },
): BusEntry | undefined => {
  const entryWith = (payload: unknown): BusEntry => ({
    Source: eventSource,
    DetailType: push.name,
    Detail: JSON.stringify({
      license_id: license,
      at: atS,
      ...(author === undefined ? {} : { author_type: author }),
      payload,
    }),
    Time: atS,
  })
  const whole = entryWith(push.payload)
  if (bytesOf(whole) <= busLimits.bytes) return whole
  const rest = entryWith(withoutEvents(push))
  return bytesOf(rest) <= busLimits.bytes ? rest : undefined
}

/** Entries in calls of `PutEvents`, in their order: as many to each as it takes. */
export const callsOf = <E extends { entry: BusEntry }>(entries: readonly E[]): E[][] =>
  partsThatFit(entries, busLimits, ({ entry }) => bytesOf(entry))
