import type { ActionSpec } from '../protocol/action.ts'
import { type Chat, readChat } from '../table/chat/chats.ts'
import {
  type PropertiesOwner,
  readProperties,
  type StoredProperties,
} from '../table/chat/stored-properties.ts'
import { readTags, type StoredTags, type ThreadAddress } from '../table/chat/stored-tags.ts'
import { type Entry, readEntry, readTail, type Tail } from '../table/chat/thread-log.ts'
import { customerChatId, eventAddressOf, isChatId, threadNumberOf } from '../table/ids.ts'
import type { Reader } from '../table/ops.ts'
import { isCustomers, type SocketItem } from '../table/sockets.ts'

/** What one round of reads found, before any of it was judged. */
export interface Prefetched {
  socket?: SocketItem | undefined
  chat?: Chat | undefined
  tail?: Tail | undefined
  event?: Entry | undefined
  of?: PropertiesOwner | undefined
  properties?: StoredProperties | undefined
  thread?: ThreadAddress | undefined
  tags?: StoredTags | undefined
}

const fieldOf = (payload: unknown, name: string): unknown =>
  typeof payload === 'object' && payload !== null ? Reflect.get(payload, name) : undefined

/** The chat that a payload names, where a chat can have this id. */
export const chatNamedIn = (payload: unknown): string | undefined => {
  const asked = fieldOf(payload, 'chat_id')
  return isChatId(asked) ? asked : undefined
}

/** The tag that a payload names. */
export const tagNamedIn = (payload: unknown): string | undefined => {
  const tag = fieldOf(payload, 'tag')
  return typeof tag === 'string' ? tag : undefined
}

/** The thread of a chat that a payload names; undefined where none can have this id. */
const threadNamedIn = (chat: string, payload: unknown): ThreadAddress | undefined => {
  const thread = fieldOf(payload, 'thread_id')
  const n = typeof thread === 'string' ? threadNumberOf(chat, thread) : undefined
  return n === undefined ? undefined : { chat, n }
}

/** Whose properties the contract names; undefined where no thread can have this id. */
const holderOf = ({ reads }: ActionSpec, chat: string, payload: unknown): PropertiesOwner | undefined => {
  if (reads.includes('chatProperties')) return { chat }
  return reads.includes('threadProperties') ? threadNamedIn(chat, payload) : undefined
}

/** The session, and what the contract names of `payload.chat_id`, side by side. */
export const prefetch = async (
  read: Reader,
  spec: ActionSpec,
  socket: Promise<SocketItem | undefined>,
  payload: unknown,
  { strongTail }: { strongTail: boolean },
): Promise<Prefetched> => {
  const { reads } = spec
  // what no chat, event or thread can be named is not looked up
  const asked = fieldOf(payload, 'chat_id')
  const id = chatNamedIn(payload)
  const eventId = fieldOf(payload, 'event_id')
  const address = id !== undefined && typeof eventId === 'string' ? eventAddressOf(id, eventId) : undefined
  const of = id === undefined ? undefined : holderOf(spec, id, payload)
  const thread = id !== undefined && reads.includes('threadTags') ? threadNamedIn(id, payload) : undefined
  const [found, chat, tail, event, properties, tags] = await Promise.all([
    socket,
    id !== undefined && reads.includes('chat') ? readChat(read, id) : readOwnChat(read, spec, socket, asked),
    id !== undefined && reads.includes('tail') ? readTail(read, id, strongTail) : undefined,
    id !== undefined && address !== undefined && reads.includes('event')
      ? readEntry(read, id, address)
      : undefined,
    of === undefined ? undefined : readProperties(read, of),
    thread === undefined ? undefined : readTags(read, thread),
  ])
  return { socket: found, chat, tail, event, of, properties, thread, tags }
}

/** A customer's own chat, where an action is about that one without naming it: known once its session is. */
const readOwnChat = async (
  read: Reader,
  { by, reads }: ActionSpec,
  socket: Promise<SocketItem | undefined>,
  asked: unknown,
): Promise<Chat | undefined> => {
  if (by !== 'customer' || !reads.includes('chat') || (asked ?? undefined) !== undefined) return undefined
  const session = (await socket)?.session
  return session !== undefined && isCustomers(session)
    ? readChat(read, customerChatId(session.license_id, session.customer_id))
    : undefined
}
