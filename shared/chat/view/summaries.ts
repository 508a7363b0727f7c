import { mapIsolated } from '../../platform/for-each.ts'
import { InternalError } from '../../protocol/errors.ts'
import type { FullChatSummary } from '../../protocol/objects.ts'
import type { ChatUser } from '../../table/chat/chat-users.ts'
import type { ActiveChat, Chat } from '../../table/chat/chats.ts'
import { tailRange } from '../../table/chat/log-ranges.ts'
import { type ChatRecord, readChatRecord, readSeen } from '../../table/chat/read-chats.ts'
import {
  type Head,
  parseEntry,
  parseHead,
  parseTail,
  readHead,
  type Tail,
} from '../../table/chat/thread-log.ts'
import { keys } from '../../table/keys.ts'
import type { Attributes, Reader } from '../../table/ops.ts'
import { type Profiles, readProfiles } from './profiles.ts'
import { queueOf, readQueueFor } from './queue.ts'
import { chatSummary } from './wire-objects.ts'

/** A chat's summary, with where its log and users stood when it was read. */
export interface Shown {
  summary: FullChatSummary
  chat: Chat
  thread: number
  order: number
}

/** Where summaries begin: the chats, each with the end of its log, and the agents that are known by then. */
export interface Beginning {
  heads: Heads
  ends: readonly End[]
  known: Profiles
}

/** Reads each of the chats, with the last entry of its log. One that cannot be read is left out. */
export const readBeginning = async (
  read: Reader,
  chats: readonly Pick<ActiveChat, 'id' | 'thread'>[],
  known: Profiles,
): Promise<Beginning> => {
  const [heads, ends] = await Promise.all([
    readHeads(read, chats),
    mapIsolated(chats, ({ id }) => readEnd(read, id)),
  ])
  return { heads, ends, known }
}

/** The same of chats that have just been read: of each the last entry, beside which agents are read. */
export const readBeginningOf = async (
  read: Reader,
  license: string,
  listed: readonly Omit<ChatRecord, 'seen'>[],
): Promise<Beginning> => {
  const chats = listed.map(({ chat }) => chat)
  const [heads, ends, known, seen] = await Promise.all([
    readHeads(read, chats),
    mapIsolated(
      listed.map((one) => ({ ...one, id: one.chat.id })),
      async ({ id, chat, properties }): Promise<End> => {
        const tail = parseTail(await read.query({ ...tailRange(id, true), limit: 1 }))
        // users changed since
        if (tail === undefined || tail.last.version > chat.version) return readEnd(read, id)
        return { id, record: { chat, properties, seen: new Map() }, tail }
      },
    ),
    readProfiles(read, license, usersIn(chats)),
    readSeen(read, chats),
  ])
  const withSeen = ends.map((end) => {
    const record = { ...end.record, seen: seen.get(end.id) ?? end.record.seen }
    return { ...end, record }
  })
  return { heads, ends: withSeen, known }
}

/**
 * Summaries of chats, in their order. Reads, in one round, the older events that a log's last entry names as
 * the newest of their types, and agents that are not known yet: nothing, where nothing is missing. A chat
 * that cannot be read is left out.
 */
export const summarize = async (
  read: Reader,
  license: string,
  { heads, ends, known }: Beginning,
): Promise<Shown[]> => {
  const users = usersIn(ends.map(({ record }) => record.chat))
  const [older, profiles, found, queue] = await Promise.all([
    readEntries(
      read,
      ends.flatMap(({ id, tail }) => olderThanTail(tail).map((m) => ({ chat: id, n: tail.n, m }))),
    ),
    readProfiles(read, license, users, { known }),
    mapIsolated(ends, (end) => withHead(read, end, heads)),
    readQueueFor(
      read,
      license,
      ends.map(({ record }) => record.chat),
    ),
  ])
  return mapIsolated(found, async ({ id, record, head, tail }) => {
    const newest = Object.values(tail.last.newest).flatMap((m) => {
      const item = older.get(nameOf(keys.event(id, tail.n, m)))
      return tail.entries.find((entry) => entry.m === m) ?? (item === undefined ? [] : parseEntry(item))
    })
    return {
      summary: chatSummary({ record, profiles, head, tail, newest, queue: queueOf(queue, record.chat) }),
      chat: record.chat,
      thread: tail.n,
      order: tail.m,
    }
  })
}

const usersIn = (chats: readonly Pick<Chat, 'users'>[]): ChatUser[] => chats.flatMap(({ users }) => users)

interface End {
  id: string
  record: ChatRecord
  tail: Tail
}

/** A chat as it is now, and the last entry of its log. */
const readEnd = async (read: Reader, id: string): Promise<End> => {
  const [record, items] = await Promise.all([
    readChatRecord(read, id),
    read.query({ ...tailRange(id, true), limit: 1 }),
  ])
  const tail = parseTail(items)
  if (record === undefined || tail === undefined) throw new InternalError('A listed chat has no log')
  // users changed between the two reads: who may see the entry is not known yet
  return tail.last.version > record.chat.version ? readEnd(read, id) : { id, record, tail }
}

type Heads = ReadonlyMap<string, Attributes>

const readHeads = async (
  read: Reader,
  chats: readonly Pick<ActiveChat, 'id' | 'thread'>[],
): Promise<Heads> => {
  const items = await read.batchGet(
    chats.map(({ id, thread }) => keys.thread(id, thread)),
    { strong: true },
  )
  return new Map(items.map((item) => [nameOf(item), item]))
}

/** Reads the thread's head where another thread began since the list of chats was read. */
const withHead = async (read: Reader, end: End, heads: Heads): Promise<End & { head: Head }> => {
  const { id, tail } = end
  const item = heads.get(nameOf(keys.thread(id, tail.n)))
  const head = item === undefined ? await readHead(read, id, tail.n) : parseHead(item)
  if (head === undefined) throw new InternalError('A log without its thread')
  return { ...end, head }
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

const readEntries = async (read: Reader, addresses: readonly Address[]): Promise<Map<string, Attributes>> => {
  const found = new Map<string, Attributes>()
  // entries never change: one that an eventually consistent read has is right, one that it lacks is read
  // again
  for (const strong of [false, true]) {
    const wanted = addresses
      .map(({ chat, n, m }) => keys.event(chat, n, m))
      .filter((key) => !found.has(nameOf(key)))
    for (const item of wanted.length === 0 ? [] : await read.batchGet(wanted, { strong }))
      found.set(nameOf(item), item)
  }
  return found
}
