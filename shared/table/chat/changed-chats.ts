import * as z from 'zod/mini'
import { changedPk, changedPrefix, keys } from '../keys.ts'
import type { Attributes, Op, Reader } from '../ops.ts'
import { absent, compare, or, put } from '../update.ts'
import type { Chat } from './chats.ts'

// What changed of a license's chats where no strong read of its active ones tells: of chats without an active
// thread, closed ones among them, of properties, and of customers' bans. A row is written before the change
// that it tells of, or with it, so that a reader who does not find the row finds the chat as it was.

/** For so long (ms) what changed is kept, and a cursor counts. */
export const changesKeptMs = 48 * 3600 * 1000

// a chat that changes often has one row in so much time
const slotMs = 5 * 60 * 1000
const slackS = 3600

const slotOf = (atMs: number): number => Math.floor(atMs / slotMs)

/**
 * `LICENSE#<l>#CHANGED` / `<slot>#CHAT#<chat>` or `<slot>#BAN#<customer>`: when (ms) a chat, or a customer's
 * ban, changed last in a slot of time. `ttl` in Unix seconds.
 */
const ChangedItem = z.object({
  sk: z.string(),
  at: z.int(),
  chat: z.optional(z.string()),
  customer: z.optional(z.string()),
})

export type Changed = z.output<typeof ChangedItem>

const noted = (atMs: number) => ({ at: atMs, ttl: Math.ceil((atMs + changesKeptMs) / 1000) + slackS })

/** A chat changes now, at `atMs`. */
export const putChangedChat = (
  { license_id, id }: Pick<Chat, 'license_id' | 'id'>,
  atMs: number,
): Op<'changedChats'> => put(keys.changedChat(license_id, slotOf(atMs), id), { chat: id, ...noted(atMs) })

/**
 * A chat's thread was closed at `atMs`, which the list is told at `nowMs`: where those look for it who have a
 * cursor of any time between. What changed since in the same slot stays.
 */
export const noteClosedChat = (
  { license_id, id }: Pick<Chat, 'license_id' | 'id'>,
  atMs: number,
  nowMs: number,
): Op<'changedChats'> =>
  put(
    keys.changedChat(license_id, slotOf(nowMs), id),
    { chat: id, ...noted(nowMs), at: atMs },
    or(absent(), compare('at', '<', atMs)),
  )

export const putChangedBan = (license: string, customer: string, atMs: number): Op<'changedChats'> =>
  put(keys.changedBan(license, slotOf(atMs), customer), { customer, ...noted(atMs) })

/**
 * What changed since a time (ms) in the order of sort keys, at most `limit` rows, those behind `after` where
 * there is one. Strongly consistent.
 */
export const readChanged = async (
  read: Reader<'changedChats'>,
  license: string,
  { sinceMs, after, limit }: { sinceMs: number; after?: string | undefined; limit: number },
): Promise<Changed[]> => {
  const from = after === undefined ? changedPrefix(slotOf(sinceMs)) : `${after}!`
  const range = { pk: changedPk(license), from, to: lastEver, limit, strong: true }
  return (await read.query(range)).map((item: Attributes) => ChangedItem.parse(item))
}

// sorts behind every slot
const lastEver = '~'
