import { watching, watchingAgents } from '../access/audience.ts'
import { pushChatChange } from '../chat/announce/chat-changed.ts'
import { pushEntries } from '../chat/announce/entries.ts'
import { announceSeen } from '../chat/announce/seen.ts'
import { changeBetween } from '../chat/change-properties.ts'
import { showChat } from '../chat/view/chat-view.ts'
import { readProfiles } from '../chat/view/profiles.ts'
import { readQueueNow } from '../chat/view/queue.ts'
import { seenUpTo } from '../chat/view/wire-objects.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { Reads } from '../table/capabilities.ts'
import { sameUsers } from '../table/chat/chat-users.ts'
import { type Chat, ChatItem } from '../table/chat/chats.ts'
import { readSeen } from '../table/chat/read-chats.ts'
import { SeenItem } from '../table/chat/seen-marks.ts'
import { parseProperties } from '../table/chat/stored-properties.ts'
import { parseTags } from '../table/chat/stored-tags.ts'
import {
  type Entry,
  type Head,
  parseEntry,
  readEntriesFrom,
  readHead,
  readLast,
} from '../table/chat/thread-log.ts'
import type { Common } from '../table/families.ts'
import { threadId } from '../table/ids.ts'
import type { ChatPart } from '../table/key-parts.ts'
import type { StreamChange } from './stream-change.ts'

export type Telling = Pushing & Reads<Common | 'waitingChats'>

/** A thread starts with so many events, and with messages of who is there for it. */
const mostAtStart = 50

/** A thread and what it started with: what the same request wrote. Undefined where it is gone. */
const readStart = async (
  { read }: Telling,
  chat: string,
  n: number,
): Promise<{ head: Head; events: readonly Entry[] } | undefined> => {
  const [head, first] = await Promise.all([
    readHead(read, chat, n),
    readEntriesFrom(read, chat, { n, m: 1 }, mostAtStart),
  ])
  return head && { head, events: first.filter(({ nonce }) => nonce === head.nonce) }
}

/** Tells of a chat as it was written: a thread that started, or what differs. */
export const tellChat = async (ctx: Telling, { before, after }: StreamChange): Promise<void> => {
  const [was, chat] = [before && ChatItem.parse(before), ChatItem.parse(after)]
  const { id, license_id } = chat
  if (was?.thread !== chat.thread) {
    const start = await readStart(ctx, id, chat.thread)
    if (start === undefined) return
    const { shown, profiles, seen } = await showChat(ctx.read, { chat, ...start })
    ctx.push(watching(chat), 'incoming_chat_thread', { chat: shown })
    if (was !== undefined) pushChatChange(ctx, { before: was, chat, profiles, seen })
    return
  }
  const isManual = chat.transfer?.version === chat.version && chat.transfer.reason === 'manual'
  const areOthers = !sameUsers(was.users, chat.users)
  const [profiles, marks, last, queue] = await Promise.all([
    readProfiles(ctx.read, license_id, areOthers ? chat.users : []),
    areOthers ? readSeen(ctx.read, [chat]) : undefined,
    areOthers ? readLast(ctx.read, id, false) : undefined,
    isManual ? readQueueNow(ctx.read, license_id, chat) : undefined,
  ])
  const seen = seenUpTo(marks?.get(id), last)
  pushChatChange(ctx, { before: was, chat, profiles, seen, queue })
}

/** Tells of an entry that was appended to a chat's log, and of the thread's end where it is that. */
const tellEntry = async (
  ctx: Telling,
  chat: Chat,
  item: NonNullable<StreamChange['after']>,
): Promise<void> => {
  const entry = parseEntry(item)
  const { n, m, closed, closed_by, event } = entry
  // what a thread starts with is told with it
  if (m <= mostAtStart && (await readHead(ctx.read, chat.id, n))?.nonce === entry.nonce) return
  pushEntries(ctx, chat, [entry])
  // later entries of a closed thread are annotations
  if (closed === true && event.type === 'system_message')
    ctx.push(watching(chat), 'thread_closed', {
      chat_id: chat.id,
      thread_id: threadId(chat.id, n),
      user_id: closed_by,
    })
}

const differencesOf = ({ before, after }: StreamChange) => {
  const [was, is] = [parseProperties(before), parseProperties(after)]
  if (was.version === is.version) return undefined
  return { properties: changeBetween(was.properties, is.properties), version: is.version }
}

const tellProperties = async (ctx: Telling, chat: Chat, change: StreamChange): Promise<void> => {
  const told = differencesOf(change)
  if (told === undefined) return
  // a new chat is told with the properties that it has
  if (change.before === undefined && chat.thread === 1) {
    const head = await readHead(ctx.read, chat.id, 1)
    if (head?.nonce === parseProperties(change.after).by) return
  }
  ctx.push(watching(chat), 'chat_properties_updated', { chat_id: chat.id, ...told })
}

const tellThread = (ctx: Telling, chat: Chat, n: number, change: StreamChange): void => {
  const at = { chat_id: chat.id, thread_id: threadId(chat.id, n) }
  const told = differencesOf(change)
  if (told !== undefined) ctx.push(watching(chat), 'chat_thread_properties_updated', { ...at, ...told })
  const [{ tags: was }, { tags, version }] = [parseTags(change.before), parseTags(change.after)]
  for (const tag of tags.filter((one) => !was.includes(one)))
    ctx.push(watchingAgents(chat), 'thread_tagged', { ...at, tag, tags: [...tags], version })
  for (const tag of was.filter((one) => !tags.includes(one)))
    ctx.push(watchingAgents(chat), 'thread_untagged', { ...at, tag, tags: [...tags], version })
}

/** Tells of what stands beside a chat: its log, its properties. `chat`: as it is by now. */
export const tellPart = async (
  ctx: Telling,
  chat: Chat,
  part: ChatPart,
  change: StreamChange,
): Promise<void> => {
  if (part.item === 'properties') return tellProperties(ctx, chat, change)
  if (part.item !== 'log' || change.after === undefined) return
  if (part.m > 0 && change.before === undefined) return tellEntry(ctx, chat, change.after)
  // one that begins is told with its chat
  if (part.m === 0 && change.before !== undefined) tellThread(ctx, chat, part.n, change)
}

export const tellSeen = async (ctx: Telling, chat: Chat, { after }: StreamChange): Promise<void> => {
  const last = await readLast(ctx.read, chat.id, false)
  if (last !== undefined) await announceSeen(ctx, chat, { mark: SeenItem.parse(after), last })
}
