import { type Profiles, readProfiles } from './profiles.ts'
import type { FullChatSummary } from '../protocol/objects.ts'
import type { ActiveChat } from '../table/chats.ts'
import { readChatRecord } from '../table/chats.ts'
import { keys } from '../table/keys.ts'
import { type Entry, parseEntry, parseTail, readHead, tailRange, type Tail } from '../table/log.ts'
import type { Reader } from '../table/ops.ts'
import { agentIds } from './show.ts'
import { chatSummary } from './views.ts'

/** Where a chat's log and users stood when it was shown. */
export interface Shown {
  summary: FullChatSummary
  thread: number
  order: number
  version: number
}

/**
 * Summaries of active chats, in their order, in two rounds of reads: each chat with its last thread and last entry;
 * then the few older events that the last entry names as the newest of their types.
 */
export const summarize = async (
  read: Reader,
  license: string,
  chats: readonly ActiveChat[],
  known: Profiles,
): Promise<Shown[]> => {
  const found = await Promise.all(chats.map((chat) => readLast(read, chat)))
  const strangers = found.flatMap(({ record }) => agentIds(record.chat.users)).filter((id) => !known.has(id))
  const [older, others] = await Promise.all([
    readEntries(
      read,
      found.flatMap(({ record, tail }) =>
        olderThanTail(tail).map((m) => ({ chat: record.chat.id, n: tail.n, m })),
      ),
    ),
    readProfiles(read, license, strangers),
  ])
  const profiles = new Map([...known, ...others])
  return found.map(({ record, head, tail }) => {
    const newest = Object.values(tail.last.newest).flatMap(
      (m) =>
        tail.entries.find((entry) => entry.m === m) ??
        older.get(nameOf(keys.event(record.chat.id, tail.n, m))) ??
        [],
    )
    return {
      summary: chatSummary({ record, profiles, head, tail, newest }),
      thread: tail.n,
      order: tail.m,
      version: record.chat.version,
    }
  })
}

const readLast = async (read: Reader, { id, thread }: ActiveChat) => {
  const [record, items, listed] = await Promise.all([
    readChatRecord(read, id),
    read.query({ ...tailRange(id, true), limit: 1 }),
    readHead(read, id, thread),
  ])
  const tail = parseTail(items)
  // another thread began since the list was read
  const head = tail === undefined || tail.n === thread ? listed : await readHead(read, id, tail.n)
  if (record === undefined || tail === undefined || head === undefined)
    throw new Error('A listed chat has no log')
  return { record, tail, head }
}

/** Orders of events that `last_event_per_type` needs and the tail does not hold. */
const olderThanTail = (tail: Tail): number[] =>
  Object.values(tail.last.newest).filter((m) => !tail.entries.some((entry) => entry.m === m))

interface Address {
  chat: string
  n: number
  m: number
}

const nameOf = ({ pk, sk }: { pk?: unknown; sk?: unknown }): string => `${String(pk)} ${String(sk)}`

const readEntries = async (read: Reader, addresses: readonly Address[]): Promise<Map<string, Entry>> => {
  const found = new Map<string, Entry>()
  // entries never change: one that an eventually consistent read has is right, one that it lacks is read again
  for (const strong of [false, true]) {
    const wanted = addresses
      .map(({ chat, n, m }) => keys.event(chat, n, m))
      .filter((key) => !found.has(nameOf(key)))
    for (const item of wanted.length === 0 ? [] : await read.batchGet(wanted, { strong }))
      found.set(nameOf(item), parseEntry(item))
  }
  return found
}
