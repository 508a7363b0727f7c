import { mapIsolated } from '../platform/for-each.ts'
import type { Chat } from '../table/chat/chats.ts'
import { tailRange } from '../table/chat/log-ranges.ts'
import { readChatRecord } from '../table/chat/read-chats.ts'
import { parseTail } from '../table/chat/thread-log.ts'
import { CustomerItem } from '../table/customers.ts'
import { threadId } from '../table/ids.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'

/** What an app compares with what it holds of a chat. */
interface ChatState {
  id: string
  version: number
  properties_version: number
  thread_id: string
  last_order: number
  active: boolean
}

/** A chat as strong reads find it; without a state there is none any more. */
export interface ChatNow {
  id: string
  chat?: Chat
  state?: ChatState
  /** When (ms) its users, its scopes, its log, its marks or its customers changed last. */
  changedAt: number
}

/**
 * Reads chats in one round, each with the end of its log, and the customers in them that `users` name. A chat
 * that cannot be read is left out.
 */
export const readChatsNow = async (
  read: Reader,
  license: string,
  chats: readonly { id: string; users: Chat['users'] }[],
): Promise<ChatNow[]> => {
  const customersOf = ({ users }: Pick<Chat, 'users'>) =>
    users.flatMap(({ id, type }) => (type === 'customer' ? [id] : []))
  const customers = [...new Set(chats.flatMap(customersOf))].map((id) => keys.customer(license, id))
  const [found, items] = await Promise.all([
    mapIsolated(chats, async (chat) => ({ ...chat, now: await readChatNow(read, chat.id) })),
    read.batchGet(customers, { strong: true }),
  ])
  const changed = new Map(
    items.map((item) => CustomerItem.parse(item)).map((one) => [one.id, one.changed_at]),
  )
  return found.map(({ users, now }) => ({
    ...now,
    changedAt: Math.max(now.changedAt, ...customersOf({ users }).map((id) => changed.get(id) ?? 0)),
  }))
}

const readChatNow = async (read: Reader, id: string): Promise<ChatNow> => {
  const [record, items] = await Promise.all([
    readChatRecord(read, id),
    read.query({ ...tailRange(id, true), limit: 1 }),
  ])
  const tail = parseTail(items)
  if (record === undefined || tail === undefined) return { id, changedAt: 0 }
  const { chat, propertiesVersion, markedAt } = record
  return {
    id,
    chat,
    state: {
      id,
      version: chat.version,
      properties_version: propertiesVersion,
      thread_id: threadId(id, tail.n),
      last_order: tail.m,
      active: chat.active,
    },
    changedAt: Math.max(chat.changed_at, tail.last.at, markedAt),
  }
}
