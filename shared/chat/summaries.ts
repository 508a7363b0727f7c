import { type Profiles, readProfiles } from './profiles.ts'
import type { FullChatSummary } from '../protocol/objects.ts'
import { type ActiveChat, type Chat, type ChatRecord, readChatRecord } from '../table/chats.ts'
import { keys } from '../table/keys.ts'
import { type Head, parseEntry, parseHead, parseTail, readHead, type Tail, tailRange } from '../table/log.ts'
import type { Attributes, Reader } from '../table/ops.ts'
import { ofEachChat } from './each-chat.ts'
import { agentIds } from './show.ts'
import { chatSummary } from './views.ts'

/** A chat's summary, with where its log and users stood when it was read. */
export interface Shown {
  summary: FullChatSummary
  chat: Chat
  thread: number
  order: number
}

/**
 * Summaries of chats, in their order, in two rounds of reads: each chat with its last thread and its last `entries`;
 * then the older events that the last entry names as the newest of their types, and agents that are not `known`. With
 * many entries and all agents known there is seldom anything left for the second. A chat that cannot be read is left out.
 */
export const summarize = async (
  read: Reader,
  license: string,
  chats: readonly Pick<ActiveChat, 'id' | 'thread'>[],
  options: { known: Profiles | Promise<Profiles>; entries: number },
): Promise<Shown[]> => {
  const [heads, ends, known] = await Promise.all([
    readHeads(read, chats),
    ofEachChat(chats, ({ id }) => readEnd(read, id, options.entries)),
    options.known,
  ])
  const strangers = ends.flatMap(({ record }) => agentIds(record.chat.users)).filter((id) => !known.has(id))
  const [older, others, found] = await Promise.all([
    readEntries(
      read,
      ends.flatMap(({ id, tail }) => olderThanTail(tail).map((m) => ({ chat: id, n: tail.n, m }))),
    ),
    readProfiles(read, license, strangers),
    ofEachChat(ends, (end) => withHead(read, end, heads)),
  ])
  const profiles = new Map([...known, ...others])
  return ofEachChat(found, async ({ id, record, head, tail }) => {
    const newest = Object.values(tail.last.newest).flatMap((m) => {
      const item = older.get(nameOf(keys.event(id, tail.n, m)))
      return tail.entries.find((entry) => entry.m === m) ?? (item === undefined ? [] : parseEntry(item))
    })
    return {
      summary: chatSummary({ record, profiles, head, tail, newest }),
      chat: record.chat,
      thread: tail.n,
      order: tail.m,
    }
  })
}

interface End {
  id: string
  record: ChatRecord
  tail: Tail
}

/** A chat as it is now, and the last entries of its log. */
const readEnd = async (read: Reader, id: string, limit: number): Promise<End> => {
  const [record, items] = await Promise.all([
    readChatRecord(read, id),
    read.query({ ...tailRange(id, true), limit }),
  ])
  const tail = parseTail(items)
  if (record === undefined || tail === undefined) throw new Error('A listed chat has no log')
  // users changed between the two reads: who may see the entry is not known yet
  return tail.last.version > record.chat.version ? readEnd(read, id, limit) : { id, record, tail }
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
  if (head === undefined) throw new Error('A log without its thread')
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
  // entries never change: one that an eventually consistent read has is right, one that it lacks is read again
  for (const strong of [false, true]) {
    const wanted = addresses
      .map(({ chat, n, m }) => keys.event(chat, n, m))
      .filter((key) => !found.has(nameOf(key)))
    for (const item of wanted.length === 0 ? [] : await read.batchGet(wanted, { strong }))
      found.set(nameOf(item), item)
  }
  return found
}
