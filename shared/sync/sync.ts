import type * as z from 'zod/mini'
import { couldRead } from '../access/former-access.ts'
import { mayRead } from '../access/permissions.ts'
import { readDirectory, showDirectory } from '../account/directory.ts'
import type { sync } from '../protocol/agent/sync.ts'
import { jsonBytes, roomBeside } from '../protocol/budget.ts'
import type { Clock, Reads } from '../table/capabilities.ts'
import { type Changed, readChanged } from '../table/chat/changed-chats.ts'
import type { ActiveChat } from '../table/chat/chats.ts'
import { readListedChats } from '../table/chat/read-chats.ts'
import type { Common } from '../table/families.ts'
import type { Session } from '../table/sockets.ts'
import { readBans } from './bans.ts'
import { type ChatNow, readChatsNow } from './chats-now.ts'
import { type Cursor, decodeCursor, encodeCursor } from './cursor.ts'

// Chats with an active thread are judged by strong reads of themselves. The others are in the list of changed
// chats: a row of the active ones stays there until that list has the chat, and is read before it.

type Answer = z.output<(typeof sync)['response']>
type Listed = Answer['chats'][number]

interface Syncing extends Reads<Common | 'activeChats' | 'changedChats'>, Clock {
  me: Session
}

/**
 * So long (ms) before its cursor a sync begins: a write may be 15 s older when it lands, and a push that did
 * not go through at once is tried again for some seconds.
 */
const overlapMs = 60_000

/** What changed since a cursor of everything that the agent may see, a page of at most `limit` at once. */
export const syncSince = async (ctx: Syncing, text: string, limit: number): Promise<Answer> => {
  const { me } = ctx
  const startedAt = ctx.now()
  const cursor = decodeCursor(me, text, startedAt)
  if (cursor === undefined)
    return { recovered: false, cursor: encodeCursor(me, { since: startedAt }), has_more: false, chats: [] }
  const isFirst = cursor.until === undefined
  const [listed, directory] = await Promise.all([
    readListedChats(ctx.read, me.license_id),
    isFirst ? readDirectory(ctx.read, me.license_id) : undefined,
  ])
  const page = await readPage(ctx, cursor, listed, limit)
  const until = cursor.until ?? startedAt
  const answer: Answer = {
    recovered: true,
    cursor: encodeCursor(me, page.next === undefined ? { since: until } : { ...cursor, until, ...page.next }),
    has_more: page.next !== undefined,
    chats: page.chats,
    ...(page.bans.length === 0 ? {} : { banned_customers: page.bans }),
  }
  if (directory === undefined) return answer
  return { ...answer, ...showDirectory(directory, roomBeside(answer) - emptyBytes) }
}

const emptyBytes = jsonBytes({ agents: [], groups: [] })

type Position = Pick<Cursor, 'chat' | 'row'>

interface Page {
  chats: Listed[]
  bans: NonNullable<Answer['banned_customers']>
  /** Where the page after begins; undefined: there is none. */
  next: Position | undefined
}

const readPage = async (
  ctx: Syncing,
  cursor: Cursor,
  listed: readonly ActiveChat[],
  limit: number,
): Promise<Page> => {
  const { me } = ctx
  const sinceMs = cursor.since - overlapMs
  const isLost = (chat: ActiveChat) => !mayRead(me, chat) && couldRead(me, chat, sinceMs)
  const after = cursor.chat ?? ''
  const open =
    cursor.row === undefined
      ? listed.filter((chat) => chat.id > after && (mayRead(me, chat) || isLost(chat)))
      : []
  const some = open.slice(0, limit)
  const room = limit - some.length
  const [judged, rows] = await Promise.all([
    readChatsNow(
      ctx.read,
      me.license_id,
      some.filter((chat) => !isLost(chat)),
    ),
    open.length > some.length
      ? []
      : readChanged(ctx.read, me.license_id, { sinceMs, after: cursor.row, limit: room + 1 }),
  ])
  const taken = rows.slice(0, room)
  const changed = taken.filter(({ at }) => at >= sinceMs)
  const ids = idsOf(changed, 'chat')
  const known = new Set(some.map(({ id }) => id))
  const [others, bans] = await Promise.all([
    readChatsNow(
      ctx.read,
      me.license_id,
      ids.filter((id) => !known.has(id)).map((id) => ({ id, users: [] })),
    ),
    readBans(ctx, idsOf(changed, 'customer')),
  ])
  const isChanged = ({ id, changedAt }: ChatNow) => changedAt >= sinceMs || ids.includes(id)
  const chats = [
    ...some.filter(isLost).map(({ id }) => lost(id)),
    ...judged.filter(isChanged).flatMap((now) => show(me, now, sinceMs)),
    ...others.flatMap((now) => show(me, now, sinceMs)),
  ]
  const isMore = open.length > some.length || rows.length > taken.length
  return { chats, bans, next: isMore ? positionAfter(cursor, some, taken) : undefined }
}

/** A page ends among the active chats, or in the list of changed ones. */
const positionAfter = (
  { chat, row }: Cursor,
  some: readonly ActiveChat[],
  rows: readonly Changed[],
): Position => {
  const last = rows.at(-1)?.sk ?? row
  return last === undefined ? { chat: some.at(-1)?.id ?? chat } : { row: last }
}

const idsOf = (rows: readonly Changed[], of: 'chat' | 'customer'): string[] => [
  ...new Set(rows.flatMap((row) => row[of] ?? [])),
]

const lost = (id: string): Listed => ({ id, lost: true })

/** A chat as the agent may see it now; one that is gone for everybody is lost. */
const show = (me: Session, now: ChatNow, sinceMs: number): Listed[] => {
  const { id, chat, state } = now
  if (chat === undefined || state === undefined) return [lost(id)]
  if (mayRead(me, chat)) return [state]
  return couldRead(me, chat, sinceMs) ? [lost(id)] : []
}
