import * as z from 'zod/mini'
import { PropertiesOutput, type Properties } from '../protocol/properties.ts'
import { activePk, behind, chatsPk, type Key, keys } from './keys.ts'
import type { Op, Reader } from './ops.ts'

const userTypes = ['customer', 'agent', 'supervisor'] as const

/** A user of a chat. */
export const ChatUser = z.object({
  id: z.string(),
  type: z.enum(userTypes),
  present: z.boolean(),
  /** Was once here as agent or customer, and so exists for customers. */
  met: z.optional(z.literal(true)),
  /** Since when (ms) it has the chat, of an agent who is in it. */
  since: z.optional(z.int()),
  /** The chat waits for another agent, since this one has not replied. */
  overdue: z.optional(z.literal(true)),
  /** The thread that the agent has left by itself. */
  left: z.optional(z.int()),
})
export type ChatUser = z.output<typeof ChatUser>

/** A user who is in the chat no more. */
export const departed = ({ since: _, overdue: __, ...user }: ChatUser): ChatUser => ({
  ...user,
  present: false,
})

/**
 * Users of whom each has the chat anew, and none is overdue: the change that they come with says since when.
 */
export const newlyHad = (users: readonly ChatUser[]): ChatUser[] =>
  users.map(({ overdue: _, since: __, ...user }) => user)

/** Users of a new thread, in which nobody has failed to reply yet. */
export const noneOverdue = (users: readonly ChatUser[]): ChatUser[] =>
  users.map(({ overdue: _, ...user }) => user)

/**
 * Users as they are after a change of a chat: whoever is an agent of it has it since `atMs`, or since before.
 */
export const withArrivals = (users: readonly ChatUser[], atMs: number): ChatUser[] =>
  users.map((user) =>
    user.type === 'agent' && user.present && user.since === undefined ? { ...user, since: atMs } : user,
  )

const shownUsers = (users: readonly ChatUser[]): string =>
  JSON.stringify(users.map(({ id, type, present, met }) => [id, type, present, met]))

/** Whether nobody came, left, or is here as something else. */
export const sameUsers = (some: readonly ChatUser[], others: readonly ChatUser[]): boolean =>
  shownUsers(some) === shownUsers(others)

export const ChatScopes = z.object({ groups: z.array(z.int()), agents: z.array(z.string()) })
export type ChatScopes = z.output<typeof ChatScopes>

/**
 * `CHAT#<chat>` / `CHAT`. Every write of users, scopes or activity is conditional on `version` and raises it.
 * `thread` is the number of the last thread, `active` whether it is open, `changed_at` (ms) when users last changed.
 */
export const ChatItem = z.object({
  id: z.string(),
  license_id: z.string(),
  users: z.array(ChatUser),
  scopes: ChatScopes,
  version: z.int(),
  thread: z.int(),
  active: z.boolean(),
  changed_at: z.int(),
  /** When the last thread began, in ms. */
  started_at: z._default(z.int(), 0),
  /**
   * Since when (ms) no agent has been there for its customer; left so where its thread was closed meanwhile.
   */
  waiting_since: z.optional(z.int()),
  /** Which request wrote it so: one whose answer was lost knows its own work by it. */
  nonce: z.optional(z.string()),
})
export type Chat = z.output<typeof ChatItem>

/** `LICENSE#<l>#ACTIVE` / `<chat>`: a chat with an active thread, with what visibility is decided by. */
const ActiveItem = z.object({
  id: z.string(),
  users: z.array(ChatUser),
  scopes: ChatScopes,
  thread: z.int(),
  /** When the thread began, in ms: a login shows the newest first. */
  started_at: z.int(),
  waiting_since: z.optional(z.int()),
  /** When (ms) the clock is to look at it again; absent: at once. */
  check_at: z.optional(z.int()),
})
export type ActiveChat = z.output<typeof ActiveItem>

export const putNewChat = (chat: Chat): Op<'chat'> => ({
  Put: { Item: { ...keys.chat(chat.id), ...chat }, ConditionExpression: 'attribute_not_exists(pk)' },
})

/** Replaces the chat as it was read: conditional on its version, which the new state raises. */
export const putChat = (chat: Chat): Op<'chat'> => ({
  Put: {
    Item: { ...keys.chat(chat.id), ...chat },
    ConditionExpression: '#version = :read',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':read': chat.version - 1 },
  },
})

export const requireChatUnchanged = (chat: Chat): Op<'chat'> => ({
  ConditionCheck: {
    Key: keys.chat(chat.id),
    ConditionExpression: '#version = :version',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':version': chat.version },
  },
})

/** There is no such chat yet. */
export const requireNoChat = (chat: string): Op<'chat'> => ({
  ConditionCheck: { Key: keys.chat(chat), ConditionExpression: 'attribute_not_exists(pk)' },
})

export const putChatListing = (chat: Chat): Op<'chats'> => ({
  Put: { Item: { ...keys.chatListed(chat.license_id, chat.id) } },
})

export const listActiveChat = (chat: Chat, startedAtMs: number): Op<'activeChats'> => ({
  Put: {
    Item: {
      ...keys.activeChat(chat.license_id, chat.id),
      id: chat.id,
      users: chat.users,
      scopes: chat.scopes,
      thread: chat.thread,
      started_at: startedAtMs,
      waiting_since: chat.waiting_since,
    },
  },
})

/** The copy of users in the list of active chats, where the chat is in it. */
export const updateActiveChat = (chat: Chat): Op<'activeChats'> => {
  const waiting = chat.waiting_since
  return {
    Update: {
      Key: keys.activeChat(chat.license_id, chat.id),
      UpdateExpression: `SET #users = :users, #scopes = :scopes${waiting === undefined ? ' REMOVE waiting_since' : ', waiting_since = :waiting'}`,
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeNames: { '#users': 'users', '#scopes': 'scopes' },
      ExpressionAttributeValues: {
        ':users': chat.users,
        ':scopes': chat.scopes,
        ...(waiting === undefined ? {} : { ':waiting': waiting }),
      },
    },
  }
}

/** When the clock is to look at an active chat again, of the thread that it looked at. */
export const setNextCheck = (
  license: string,
  { id, thread }: Pick<ActiveChat, 'id' | 'thread'>,
  atMs: number,
): Op<'activeChats'> => ({
  Update: {
    Key: keys.activeChat(license, id),
    UpdateExpression: 'SET check_at = :at',
    ConditionExpression: '#thread = :thread',
    ExpressionAttributeNames: { '#thread': 'thread' },
    ExpressionAttributeValues: { ':at': atMs, ':thread': thread },
  },
})

export const unlistActiveChat = (chat: Chat): Op<'activeChats'> => ({
  Delete: { Key: keys.activeChat(chat.license_id, chat.id) },
})

/** An event of a chat's log: its sort key, which sorts as the log does. */
export const seenEvent = (chat: string, { n, m }: { n: number; m: number }): string =>
  keys.event(chat, n, m).sk

/**
 * Moves up to when a user has seen a chat (Unix seconds) forward, never back; with an `event`, to it: of
 * events of the same second, to a later one. The item keeps what it moved from, so that its writer knows what
 * moved.
 */
export const seenMoved = (
  chat: string,
  user: string,
  to: { timestamp: number; event?: string | undefined },
  nonce: string,
): Op<'chat'> => {
  const { timestamp, event } = to
  const later = 'attribute_not_exists(pk) OR #timestamp < :timestamp'
  const sameSecond = '#timestamp = :timestamp AND (attribute_not_exists(#event) OR #event < :event)'
  const set = [
    '#user = :user',
    '#timestamp = :timestamp',
    'nonce = :nonce',
    'timestamp_before = if_not_exists(#timestamp, :never)',
  ]
  return {
    Update: {
      Key: keys.chatSeen(chat, user),
      // a time says nothing of one event
      UpdateExpression: `SET ${set.join(', ')}${event === undefined ? ' REMOVE #event' : ', #event = :event'}`,
      ConditionExpression: event === undefined ? later : `${later} OR (${sameSecond})`,
      ExpressionAttributeNames: { '#user': 'user', '#timestamp': 'timestamp', '#event': 'event' },
      ExpressionAttributeValues: {
        ':user': user,
        ':timestamp': timestamp,
        ':nonce': nonce,
        ':never': -1,
        ...(event === undefined ? {} : { ':event': event }),
      },
    },
  }
}

export const readChat = async (read: Reader, chat: string): Promise<Chat | undefined> => {
  const item = await read.get(keys.chat(chat), { strong: true })
  return item === undefined ? undefined : ChatItem.parse(item)
}

export const readActiveChats = async (
  read: Reader<'activeChats'>,
  license: string,
): Promise<ActiveChat[]> => {
  const rows = await read.query({ pk: activePk(license), strong: true })
  return rows.map((row) => ActiveItem.parse(row))
}

/** A chat's row in the list of all of its license. */
const ListedItem = z.object({ sk: z.string() })

/** The ids of all chats of a license, in no order. */
export const readChatIds = async (read: Reader<'chats'>, license: string): Promise<string[]> => {
  const rows = await read.query({ pk: chatsPk(license), strong: true })
  return rows.map((row) => ListedItem.parse(row).sk)
}

// sorts behind every character that a chat's id may have
const lastIdEver = '~'

/**
 * At most `limit` of them, in the order of ids: the first ones, or those that follow `after`. Strongly
 * consistent.
 */
export const readChatIdsAfter = async (
  read: Reader<'chats'>,
  license: string,
  after: string | undefined,
  limit: number,
): Promise<string[]> => {
  const rows = await read.query({
    pk: chatsPk(license),
    from: behind(keys.chatListed(license, after ?? '').sk),
    to: keys.chatListed(license, lastIdEver).sk,
    limit,
    strong: true,
    only: 'sk',
  })
  return rows.map((row) => ListedItem.parse(row).sk)
}

/** Chats by their ids, those that exist, without what stands beside them. Strongly consistent. */
export const readAlone = async (read: Reader, ids: readonly string[]): Promise<ReadonlyMap<string, Chat>> => {
  const items = await read.batchGet(ids.map(keys.chat), { strong: true })
  return new Map(items.map((item) => ChatItem.parse(item)).map((chat) => [chat.id, chat]))
}

/** Chats with their properties, in no order: those of the ids that exist. Strongly consistent. */
export const readChats = async (
  read: Reader,
  ids: readonly string[],
): Promise<Omit<ChatRecord, 'seen'>[]> => {
  const wanted = ids.flatMap((id) => [keys.chat(id), keys.chatProperties(id)])
  const items = new Map(
    (await read.batchGet(wanted, { strong: true })).map((item) => [
      `${String(item['pk'])} ${String(item['sk'])}`,
      item,
    ]),
  )
  const found = ({ pk, sk }: Key) => items.get(`${pk} ${sk}`)
  return ids.flatMap((id) => {
    const chat = found(keys.chat(id))
    const held = found(keys.chatProperties(id))
    return chat === undefined
      ? []
      : [
          {
            chat: ChatItem.parse(chat),
            properties: held === undefined ? undefined : PropertiesItem.parse(held).properties,
          },
        ]
  })
}

/** Up to when users have seen chats, by chat and user: of users that the chats name. Strongly consistent. */
export const readSeen = async (
  read: Reader,
  chats: readonly Pick<Chat, 'id' | 'users'>[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, number>>> => {
  const wanted = chats.flatMap(({ id, users }) => users.map((user) => keys.chatSeen(id, user.id)))
  const chatOf = new Map<string, string>(chats.map(({ id }) => [keys.chat(id).pk, id]))
  const seen = new Map<string, Map<string, number>>()
  for (const item of await read.batchGet(wanted, { strong: true })) {
    const chat = chatOf.get(String(item['pk'])) ?? ''
    const { user, timestamp } = SeenItem.parse(item)
    seen.set(chat, (seen.get(chat) ?? new Map()).set(user, timestamp))
  }
  return seen
}

/** What users of one chat have seen of it. Strongly consistent. */
export const readMarks = async (
  read: Reader,
  chat: string,
  users: readonly Pick<ChatUser, 'id'>[],
): Promise<SeenItem[]> => {
  const items = await read.batchGet(
    users.map(({ id }) => keys.chatSeen(chat, id)),
    { strong: true },
  )
  return items.map((item) => SeenItem.parse(item))
}

/**
 * What stands beside a chat under `CHAT#...`: its properties and up to when each user has seen it (Unix
 * seconds).
 */
export interface ChatRecord {
  chat: Chat
  properties: Properties | undefined
  seen: ReadonlyMap<string, number>
}

const PropertiesItem = z.object({ properties: PropertiesOutput })
/**
 * `CHAT#<chat>` / `CHAT#SEEN#<user>`: up to when (Unix seconds) and, where it was an event that was marked,
 * up to which.
 */
export const SeenItem = z.object({
  user: z.string(),
  timestamp: z.int(),
  event: z.optional(z.string()),
  /** What the time was before; -1: there was none. */
  timestamp_before: z.optional(z.int()),
  nonce: z.optional(z.string()),
})
export type SeenItem = z.output<typeof SeenItem>

export const readChatRecord = async (read: Reader, chat: string): Promise<ChatRecord | undefined> => {
  const items = await read.query({ pk: keys.chat(chat).pk, prefix: keys.chat(chat).sk, strong: true })
  const [first, ...rest] = items
  if (first === undefined || first['sk'] !== keys.chat(chat).sk) return undefined
  const properties = rest.find((item) => item['sk'] === keys.chatProperties(chat).sk)
  const seen = rest.flatMap((item) => {
    const parsed = SeenItem.safeParse(item)
    return parsed.success ? [[parsed.data.user, parsed.data.timestamp] as const] : []
  })
  return {
    chat: ChatItem.parse(first),
    properties: properties === undefined ? undefined : PropertiesItem.parse(properties).properties,
    seen: new Map(seen),
  }
}
