import * as z from 'zod/mini'
import { PropertiesOutput } from '../../protocol/properties.ts'
import { keys } from '../keys.ts'
import type { Op, Reader } from '../ops.ts'
import { absent, check, exists, is, put, remove, update } from '../update.ts'
import { ChatUser } from './chat-users.ts'

export const ChatScopes = z.object({ groups: z.array(z.int()), agents: z.array(z.string()) })

export type ChatScopes = z.output<typeof ChatScopes>

/**
 * Who had access to a chat until a time (ms) and has lost it since, at least by this: agents who left, and
 * scopes as they were.
 */
const FormerAccess = z.object({
  until: z.int(),
  staff: z.array(z.string()),
  scopes: z.optional(ChatScopes),
})

export type FormerAccess = z.output<typeof FormerAccess>

/** How a chat went to other agents, or came to wait for one, with that version of it. */
const Transfer = z.object({
  version: z.int(),
  reason: z.enum(['manual', 'inactive', 'assigned', 'unassigned']),
  /** The agent who transferred it. */
  by: z.optional(z.string()),
  /** The groups that it was given to. */
  groups: z.optional(z.array(z.int())),
})
export type Transfer = z.output<typeof Transfer>

/**
 * `CHAT#<chat>` / `CHAT`. Every write of users, scopes or activity is conditional on `version` and raises it.
 * `thread` is the number of the last thread, `active` whether it is open, `changed_at` (ms) when users last
 * changed.
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
  /** Agents who follow it though they are not in it, each since this thread of it. */
  followers: z.optional(z.array(z.object({ id: z.string(), thread: z.int() }))),
  /** Who has lost access of late, the last first. */
  formerly: z.optional(z.array(FormerAccess)),
  /** Its last transfer: what tells of it later has this alone to go by. */
  transfer: z.optional(Transfer),
  /** Which request wrote it so: one whose answer was lost knows its own work by it. */
  nonce: z.optional(z.string()),
})

export type Chat = z.output<typeof ChatItem>

/**
 * `LICENSE#<l>#ACTIVE` / `<chat>`: a chat with an active thread, with what visibility is decided by. Once the
 * thread is closed it stays until the list of changed chats has it, so that one of the two lists always does.
 */
export const ActiveItem = z.object({
  id: z.string(),
  users: z.array(ChatUser),
  scopes: ChatScopes,
  thread: z.int(),
  /** When the thread began, in ms: a login shows the newest first. */
  started_at: z.int(),
  waiting_since: z.optional(z.int()),
  /** When (ms) the clock is to look at it again; absent: at once. */
  check_at: z.optional(z.int()),
  /** When (ms) the thread was closed. */
  closed_at: z.optional(z.int()),
  formerly: z.optional(z.array(FormerAccess)),
})

export type ActiveChat = z.output<typeof ActiveItem>

export const putNewChat = (chat: Chat): Op<'chat'> => put(keys.chat(chat.id), chat, absent())

/** Replaces the chat as it was read: conditional on its version, which the new state raises. */
export const putChat = (chat: Chat): Op<'chat'> =>
  put(keys.chat(chat.id), chat, is({ version: chat.version - 1 }))

export const requireChatUnchanged = ({ id, version }: Chat): Op<'chat'> =>
  check(keys.chat(id), is({ version }))

/** There is no such chat yet. */
export const requireNoChat = (chat: string): Op<'chat'> => check(keys.chat(chat), absent())

export const putChatListing = (chat: Chat): Op<'chats'> => put(keys.chatListed(chat.license_id, chat.id))

/** The row of a chat in the list of active ones. */
const activeRowOf = (chat: Chat): ActiveChat => ({
  id: chat.id,
  users: chat.users,
  scopes: chat.scopes,
  thread: chat.thread,
  started_at: chat.started_at,
  waiting_since: chat.waiting_since,
  formerly: chat.formerly,
})

export const listActiveChat = (chat: Chat): Op<'activeChats'> =>
  put(keys.activeChat(chat.license_id, chat.id), activeRowOf(chat))

/** The copy of users in the list of active chats, where the chat is in it. */
export const updateActiveChat = (chat: Chat): Op<'activeChats'> => {
  const { license_id, id, users, scopes, changed_at, waiting_since, formerly } = chat
  return update(keys.activeChat(license_id, id), {
    // who has it may have seen less of it than who had: the clock looks at it next
    set: { users, scopes, check_at: changed_at, waiting_since, ...(formerly && { formerly }) },
    when: exists(),
  })
}

/**
 * When the clock is to look at an active chat again, of the thread that it looked at. `looked`: the row that
 * it went by; refused where the next look was set anew since, as what it saw may not hold any more.
 */
export const setNextCheck = (
  license: string,
  { id, thread }: Pick<ActiveChat, 'id' | 'thread'>,
  atMs: number,
  looked?: Pick<ActiveChat, 'check_at'>,
): Op<'activeChats'> =>
  update(keys.activeChat(license, id), {
    set: { check_at: atMs },
    when: is({ thread, ...(looked && { check_at: looked.check_at }) }),
  })

/** The chat's thread is closed: its row says so, and goes once the list of changed chats has the chat. */
export const setClosedAt = (chat: Chat, atMs: number): Op<'activeChats'> =>
  update(keys.activeChat(chat.license_id, chat.id), { set: { closed_at: atMs }, when: exists() })

/** Takes a closed thread's row away, unless another thread has begun since. */
export const unlistClosedChat = (
  license: string,
  { id, closed_at }: { id: string; closed_at: number },
): Op<'activeChats'> => remove(keys.activeChat(license, id), is({ closed_at }))

export const unlistActiveChat = ({ license_id, id }: Pick<Chat, 'license_id' | 'id'>): Op<'activeChats'> =>
  remove(keys.activeChat(license_id, id))

export const readChat = async (read: Reader, chat: string): Promise<Chat | undefined> => {
  const item = await read.get(keys.chat(chat), { strong: true })
  return item === undefined ? undefined : ChatItem.parse(item)
}

/** A chat's row in the list of all of its license. */
export const ListedItem = z.object({ sk: z.string() })

// sorts behind every character that a chat's id may have
export const lastIdEver = '~'

export const PropertiesItem = z.object({ properties: PropertiesOutput })
