import { expect } from 'vitest'
import { chatPk, logPrefix } from '../../shared/table/keys.ts'
import { type Entry, parseEntry } from '../../shared/table/chat/thread-log.ts'
import type { ErrorType } from '../../shared/protocol/errors.ts'
import type { Client, Response, WireError } from '../support/client.ts'
import type { World } from '../support/world.ts'

export const message = (text: string) => ({ type: 'message', text })

/** Sends a message; resolves to its text and the answer, whatever that says. */
export const send = async (client: Client, chat_id: string, text: string): Promise<[string, Response]> => [
  text,
  await client.call('send_event', { chat_id, event: message(text) }),
]

/**
 * The chat's entries in the order of their keys; fails where a thread has gaps, or its time runs backwards.
 */
export const logOf = async (world: World, chat: string): Promise<Entry[]> => {
  const items = await world.table.read.query({ pk: chatPk(chat), prefix: logPrefix, strong: true })
  const entries = items.filter(({ event }) => event !== undefined).map(parseEntry)
  for (const n of new Set(entries.map((entry) => entry.n))) {
    const thread = entries.filter((entry) => entry.n === n)
    expect(thread.map(({ m }) => m)).toEqual(thread.map((_, index) => index + 1))
    expect(thread.map(({ at }) => at)).toEqual(thread.map(({ at }) => at).toSorted((a, b) => a - b))
  }
  expect(items).toHaveLength(entries.length + new Set(entries.map(({ n }) => n)).size)
  return entries
}

export const idOf = (chat: string, { n, m }: Entry) => `${chat}_${n}_${m}`
export const textsById = (chat: string, log: Entry[]) =>
  new Map(log.map((entry) => [idOf(chat, entry), entry.event.text]))

/** The type of the error that an answer is; undefined: it succeeded. */
export const errorOf = ({ success, payload }: Response): ErrorType | undefined =>
  success ? undefined : (payload as { error: WireError }).error.type

/**
 * Fails unless each answered event is stored, once, where its answer says, and none that was refused. Of a
 * `request_timeout` the outcome is unknown, but it is stored once at most.
 */
export const isAsAnswered = (chat: string, log: Entry[], sent: [text: string, Response][]) => {
  const stored = textsById(chat, log)
  for (const [text, { success, payload }] of sent as [string, any][])
    if (success) expect([payload.event.id, stored.get(payload.event.id)]).toEqual([payload.event.id, text])
  const texts = log.filter(({ event }) => event.type !== 'system_message').map(({ event }) => event.text!)
  expect(texts).toHaveLength(new Set(texts).size)
  const unknown = new Set(
    sent.filter(([, answer]) => errorOf(answer) === 'request_timeout').map(([text]) => text),
  )
  const placed = sent.filter(([, { success }]) => success).map(([text]) => text)
  expect(texts.filter((text) => !unknown.has(text)).toSorted()).toEqual(placed.toSorted())
}
