import type { Properties } from '../../protocol/properties.ts'
import { activePk, behind, chatsPk, type Key, keys } from '../keys.ts'
import type { Reader } from '../ops.ts'
import type { ChatUser } from './chat-users.ts'
import {
  type ActiveChat,
  ActiveItem,
  type Chat,
  ChatItem,
  lastIdEver,
  ListedItem,
  PropertiesItem,
} from './chats.ts'
import { SeenItem } from './seen-marks.ts'
import { parseProperties } from './stored-properties.ts'

export const readActiveChats = async (read: Reader<'activeChats'>, license: string): Promise<ActiveChat[]> =>
  (await readListedChats(read, license)).filter(({ closed_at }) => closed_at === undefined)

/** The same, with the chats whose thread was closed a moment ago; by id. */
export const readListedChats = async (
  read: Reader<'activeChats'>,
  license: string,
): Promise<ActiveChat[]> => {
  const rows = await read.query({ pk: activePk(license), strong: true })
  return rows.map((row) => ActiveItem.parse(row))
}

/** The row of a chat with an active thread. */
export const readActiveChat = async (
  read: Reader<'activeChats'>,
  license: string,
  id: string,
): Promise<ActiveChat | undefined> => {
  const row = await read.get(keys.activeChat(license, id), { strong: true })
  const parsed = row === undefined ? undefined : ActiveItem.parse(row)
  return parsed?.closed_at === undefined ? parsed : undefined
}

/** The ids of all chats of a license, in no order. */
export const readChatIds = async (read: Reader<'chats'>, license: string): Promise<string[]> => {
  const rows = await read.query({ pk: chatsPk(license), strong: true })
  return rows.map((row) => ListedItem.parse(row).sk)
}

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

/** The same with what tells whether it changed. */
export interface ChatState extends ChatRecord {
  /** 0: the properties have never been changed. */
  propertiesVersion: number
  /** When (ms) somebody last moved up to when it has seen the chat; 0: nobody ever did. */
  markedAt: number
}

export const readChatRecord = async (read: Reader, chat: string): Promise<ChatState | undefined> => {
  const items = await read.query({ pk: keys.chat(chat).pk, prefix: keys.chat(chat).sk, strong: true })
  const [first, ...rest] = items
  if (first === undefined || first['sk'] !== keys.chat(chat).sk) return undefined
  const properties = rest.find((item) => item['sk'] === keys.chatProperties(chat).sk)
  const seen = rest.flatMap((item) => SeenItem.safeParse(item).data ?? [])
  return {
    chat: ChatItem.parse(first),
    properties: properties === undefined ? undefined : PropertiesItem.parse(properties).properties,
    propertiesVersion: parseProperties(properties).version,
    seen: new Map(seen.map(({ user, timestamp }) => [user, timestamp])),
    markedAt: Math.max(0, ...seen.map(({ marked_at = 0 }) => marked_at)),
  }
}
