import pLimit from 'p-limit'
import type * as z from 'zod/mini'
import type { getChatThreads } from '../../protocol/agent/get_chat_threads.ts'
import { roomBeside, takeThatFit } from '../../protocol/budget.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { readChatRecord } from '../../table/chat/read-chats.ts'
import { type Entry, readLast } from '../../table/chat/thread-log.ts'
import { threadId, threadNumberOf } from '../../table/ids.ts'
import type { Reader } from '../../table/ops.ts'
import { readProfiles } from './profiles.ts'
import { readThread } from './thread-page.ts'
import { scopesOf, seenUpTo, usersOf } from './wire-objects.ts'

type Asked = z.output<(typeof getChatThreads)['request']>
type Answer = z.output<(typeof getChatThreads)['response']>

// a thread's properties and the largest event that a request can hold: a page without it would be empty for
// ever
const oneEventBytes = 50 * 1024
const threadsAtOnce = 16

/** Thread n of a chat has order n: the list of its threads, the newest first, needs no read. */
export const threadsOf = ({ id, thread }: Pick<Chat, 'id' | 'thread'>, offset: number, limit: number) =>
  Array.from({ length: Math.max(0, Math.min(thread - offset, limit)) }, (_, i) => ({
    thread_id: threadId(id, thread - offset - i),
    order: thread - offset - i,
  }))

/**
 * A chat with the threads asked for, as agents are shown it, of events those that `isShown`. Throws
 * `not_found` where the chat has no such thread.
 */
export const answerThreads = async (
  read: Reader,
  chat: Chat,
  { thread_ids, before_order, after_order, limit }: Omit<Asked, 'chat_id'>,
  isShown: (entry: Entry) => boolean,
): Promise<Answer> => {
  const numbers = (thread_ids ?? [threadId(chat.id, chat.thread)]).map((id) => {
    const n = threadNumberOf(chat.id, id)
    if (n === undefined || n > chat.thread) throw new ProtocolError('not_found')
    return n
  })
  const atOnce = pLimit(threadsAtOnce)
  const page = { before: before_order, after: after_order, limit, isShown }
  const roomEach = limits.frameBytes / Math.max(1, numbers.length)
  const [record, profiles, threads, end] = await Promise.all([
    readChatRecord(read, chat.id),
    readProfiles(read, chat.license_id, chat.users),
    Promise.all(numbers.map((n) => atOnce(() => readThread(read, chat, n, page, roomEach)))),
    numbers.includes(chat.thread) ? undefined : readLast(read, chat.id, true),
  ])
  const last = end ?? threads[numbers.indexOf(chat.thread)]?.last

  const base = {
    id: chat.id,
    version: chat.version,
    properties_version: record?.propertiesVersion ?? 0,
    users: usersOf(chat.users, profiles, seenUpTo(record?.seen, last)),
    properties: record?.properties,
    scopes: scopesOf(chat.scopes),
  }
  const newest = threadsOf(chat, 0, limits.threadsSummary)
  const listed = takeThatFit(newest, roomBeside(base) - oneEventBytes)
  const answer = { ...base, threads_summary: listed.toReversed() }
  const share = Math.floor(roomBeside(answer) / Math.max(1, threads.length)) - 1
  const exactlyOne = thread_ids?.length === 1
  const shown = threads.map((thread) => {
    const { last_order, ...rest } = thread.show(share)
    return exactlyOne ? { ...rest, last_order } : rest
  })
  return { chat: { ...answer, threads: shown } }
}
