import type * as z from 'zod/mini'
import { mayRead, type Viewer } from '../../access/permissions.ts'
import { divideBudget, jsonBytes } from '../../protocol/budget.ts'
import { type Profiles, readProfiles } from '../../chat/view/profiles.ts'
import { readEvents } from '../../chat/view/thread-page.ts'
import { scopesOf, seenUpTo, threadOf, usersOf } from '../../chat/view/wire-objects.ts'
import { type BatchLoader, createBatchLoader } from '../../platform/batch-loader.ts'
import type { getArchives } from '../../protocol/agent/get_archives.ts'
import type { ChatWithThread } from '../../protocol/objects.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { type ChatRecord, readAlone, readChats, readSeen } from '../../table/chat/read-chats.ts'
import { type Entry, type Head, parseHead } from '../../table/chat/thread-log.ts'
import { addressOfThread } from '../../table/ids.ts'
import { keys } from '../../table/keys.ts'
import type { Reader } from '../../table/ops.ts'
import { fitsFilters, fitsTagFilters } from './fits-filters.ts'

/** What archives are searched by. */
export type Filters = Partial<NonNullable<z.output<(typeof getArchives)['request']>['filters']>>

/** What a thread is found by, but its words, as it is now: the index may lag behind. */
const fits = ({ chat, head }: Found, filters: Filters): boolean => {
  const {
    agent_ids = [],
    agents = [],
    customer_ids = [],
    team_ids = [],
    properties = [],
    tags = [],
  } = filters
  const hadAny = (users: readonly string[]) =>
    users.length === 0 || users.some((user) => head.user_ids.has(user))
  return (
    hadAny([...agent_ids, ...agents]) &&
    hadAny(customer_ids) &&
    (team_ids.length === 0 || team_ids.some((team) => chat.scopes.groups.includes(team))) &&
    fitsFilters(head.properties ?? {}, properties) &&
    fitsTagFilters(head.tags ?? [], tags)
  )
}

/** A thread of a chat, as read. */
interface Found extends Omit<ChatRecord, 'seen'> {
  head: Head
  /** Ascending. */
  events: readonly Entry[]
  /** There are older ones. */
  more: boolean
}

/** The same, with what is shown of its users. */
interface Result extends Found {
  seen: ReadonlyMap<string, number>
  profiles: Profiles
  /** The chat once more, after all else. */
  after: Chat | undefined
}

/**
 * Threads that a search finds, by their ids. `room` is what all of them may take, in bytes: of each as many
 * events are read as twice its share holds, since others may need less.
 */
export const openResults = (read: Reader, license: string, room: number): BatchLoader<Result> =>
  createBatchLoader((threads) =>
    readResults(read, license, threads, Math.min(room, (room * 2) / threads.length)),
  )

const readResults = async (
  read: Reader,
  license: string,
  threads: readonly string[],
  room: number,
): Promise<ReadonlyMap<string, Result>> => {
  const addresses = threads.flatMap((id) => {
    const address = addressOfThread(id)
    return address === undefined ? [] : [{ id, ...address }]
  })
  const page = { isShown: () => true }
  const ids = [...new Set(addresses.map(({ chat }) => chat))]
  const [records, heads, logs] = await Promise.all([
    readChats(read, ids),
    readHeads(read, addresses),
    Promise.all(addresses.map(({ chat, n }) => readEvents(read, { id: chat }, n, page, room))),
  ])
  const chats = records.map(({ chat }) => chat)
  const users = chats.flatMap((chat) => chat.users)
  const [profiles, seen, after] = await Promise.all([
    readProfiles(read, license, users),
    readSeen(read, chats),
    // a viewer that lost access before an event was written must not be shown it
    readAlone(read, ids),
  ])
  const byChat = new Map(records.map((record) => [record.chat.id, record]))
  return new Map(
    addresses.flatMap(({ id, chat }, index): [string, Result][] => {
      const [record, head, log] = [byChat.get(chat), heads.get(id), logs[index]]
      if (record === undefined || head === undefined || log === undefined) return []
      const shown = { seen: seenUpTo(seen.get(chat), log.events.at(-1) ?? head), after: after.get(chat) }
      return [[id, { ...record, ...log, ...shown, head, profiles }]]
    }),
  )
}

const readHeads = async (
  read: Reader,
  threads: readonly { id: string; chat: string; n: number }[],
): Promise<ReadonlyMap<string, Head>> => {
  const wanted = new Map(
    threads.map(({ id, chat, n }) => {
      const { pk, sk } = keys.thread(chat, n)
      return [`${pk} ${sk}`, id]
    }),
  )
  const items = await read.batchGet(
    threads.map(({ chat, n }) => keys.thread(chat, n)),
    { strong: true },
  )
  return new Map(
    items.map((item) => [wanted.get(`${String(item['pk'])} ${String(item['sk'])}`) ?? '', parseHead(item)]),
  )
}

/** Of what a search finds that which the viewer has access to now, and which fits as it is now. */
export const stillFound = (
  results: readonly Result[],
  viewer: Viewer,
  license: string,
  filters: Filters,
): Result[] =>
  results.filter(
    (result) =>
      result.chat.license_id === license &&
      [result.chat, result.after].every((chat) => chat !== undefined && mayRead(viewer, chat)) &&
      fits(result, filters),
  )

type Shown = { chat: ChatWithThread }

// a thread without anything that could be left out
const bareBytes = 400
// that there is more is said where there is not, and what separates results
const spareBytes = 32

/**
 * Results as they are shown, in `room` bytes: each with its thread's newest events, as many as its share
 * holds.
 */
export const showResults = (results: readonly Result[], room: number): Shown[] => {
  const needs = results.map((result) => jsonBytes(show(result, fullBase(result), Infinity)) + spareBytes)
  const rooms = divideBudget(needs, room)
  return results.map((result, index) => {
    const share = (rooms[index] ?? 0) - 1
    const full = fullBase(result)
    const isWhole = (needs[index] ?? 0) <= (rooms[index] ?? 0)
    if (isWhole || jsonBytes(full) + bareBytes <= share) return show(result, full, share)
    const slim = slimBase(full)
    const base = jsonBytes(slim) + bareBytes <= share ? slim : { id: full.id, users: [] }
    const { chat } = show(result, base, share)
    return { chat: { ...chat, thread: { ...chat.thread, has_more: true } } }
  })
}

type Base = Omit<ChatWithThread, 'thread'>

const fullBase = ({ chat, properties, profiles, seen }: Result): Base => ({
  id: chat.id,
  users: usersOf(chat.users, profiles, seen),
  properties,
  scopes: scopesOf(chat.scopes),
})

/** Without what is long: properties, those who left, avatars. */
const slimBase = ({ id, users }: Base): Base => ({
  id,
  users: users
    .filter(({ present }) => present)
    .map((user) => (user.type === 'customer' ? user : { ...user, avatar: undefined })),
})

const show = ({ chat, head, events, more }: Result, base: Base, room: number): Shown => {
  const left = room - jsonBytes({ chat: { ...base, thread: {} } })
  const active = chat.active && chat.thread === head.n
  return { chat: { ...base, thread: threadOf({ chat: chat.id, head, active, events, room: left, more }) } }
}
