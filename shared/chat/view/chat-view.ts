import { InternalError } from '../../protocol/errors.ts'
import type { ChatWithThread } from '../../protocol/objects.ts'
import { type Chat, readChat } from '../../table/chat/chats.ts'
import { type ChatRecord, readChatRecord } from '../../table/chat/read-chats.ts'
import { type Entry, type Head, readHead, readTail } from '../../table/chat/thread-log.ts'
import type { Reader } from '../../table/ops.ts'
import { type ChatSnapshot, isConsistentSnapshot } from '../../table/optimistic-write.ts'
import { queueOf, readQueueFor } from './queue.ts'
import { nobody, type Profiles, readProfiles } from './profiles.ts'
import { chatWithThread, seenUpTo } from './wire-objects.ts'

const mostTries = 20

/**
 * A chat and the end of its log, read again until both are of one moment. Undefined where there is no such
 * chat.
 */
export const readView = async (read: Reader, id: string): Promise<ChatSnapshot | undefined> => {
  for (let tries = 1; tries <= mostTries; tries += 1) {
    const [chat, tail] = await Promise.all([readChat(read, id), readTail(read, id, true)])
    if (chat === undefined || tail === undefined) return undefined
    if (isConsistentSnapshot({ chat, tail })) return { chat, tail }
  }
  throw new InternalError('A chat and its log do not fit')
}

/** The same of a chat that was there just now. */
export const expectView = async (read: Reader, id: string): Promise<ChatSnapshot> => {
  const view = await readView(read, id)
  if (view === undefined) throw new InternalError('A chat is gone')
  return view
}

/**
 * A chat with its last thread and these events of it (ascending), as it is shown to whoever sees it for the
 * first time. Reads what is missing in one round. `chat` is the state just written, so that it wins over what
 * is read; agents that are `known` are not read again.
 */
export const showChat = async (
  read: Reader,
  {
    chat,
    head,
    events,
    known = nobody,
  }: { chat: Chat; head?: Head | undefined; events: readonly Entry[]; known?: Profiles | undefined },
): Promise<{ shown: ChatWithThread; profiles: Profiles; seen: ChatRecord['seen'] }> => {
  const [record, queue, profiles, found] = await Promise.all([
    readChatRecord(read, chat.id),
    readQueueFor(read, chat.license_id, [chat]),
    readProfiles(read, chat.license_id, chat.users, { known }),
    head ?? readHead(read, chat.id, chat.thread),
  ])
  if (found === undefined) throw new InternalError('A chat without its last thread')
  const seen = seenUpTo(record?.seen, events.at(-1) ?? found)
  const shown = chatWithThread({
    record: { properties: record?.properties, seen, chat },
    profiles,
    head: found,
    events,
    active: chat.active,
    queue: queueOf(queue, chat),
  })
  return { shown, profiles, seen }
}
