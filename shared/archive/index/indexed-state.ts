import { type IndexedState, type Manifest, readManifests } from '../../table/archive/manifests.ts'
import type { Place } from '../../table/archive/postings.ts'
import type { Chat } from '../../table/chat/chats.ts'
import type { ChatRecord } from '../../table/chat/read-chats.ts'
import { type Head, readHead } from '../../table/chat/thread-log.ts'
import { threadId } from '../../table/ids.ts'
import type { Reader } from '../../table/ops.ts'
import { accessLists, chatLists, isOfAccess, threadLists } from './lists.ts'

export const theChat = 0

/** Of `others` only those that are indexed: of a thread that is not, a record comes that says so. */
export const readChatManifests = async (
  read: Reader,
  chat: string,
  numbers: readonly number[],
  others: readonly number[],
): Promise<Manifest[]> => {
  const further = others.filter((n) => !numbers.includes(n))
  const manifests = await readManifests(read, chat, [...numbers, ...further])
  return manifests.filter(({ n, version }) => version > 0 || numbers.includes(n))
}

/** Where a thread, or the chat itself, is to stand; undefined: nowhere, since there is none. */
export const indexedStateOf = async (
  read: Reader,
  { chat, properties }: Omit<ChatRecord, 'seen'>,
  { n, indexedState }: Manifest,
  numbers: readonly number[],
): Promise<IndexedState | undefined> => {
  if (n === theChat)
    return {
      at: chat.started_at,
      id: threadId(chat.id, chat.thread),
      lists: chatLists(chat, properties),
    }
  // of this thread nothing else has changed
  if (indexedState !== undefined && indexedState.id !== '' && !numbers.includes(n)) {
    const own = indexedState.lists.filter((list) => !isOfAccess(list))
    return { ...indexedState, lists: [...own, ...accessLists('thread', chat)] }
  }
  const head = await readHead(read, chat.id, n)
  return head === undefined ? undefined : indexedStateOfThread(chat, head)
}

const indexedStateOfThread = (chat: Chat, head: Head): IndexedState => ({
  at: head.at,
  id: threadId(chat.id, head.n),
  lists: threadLists(chat, head),
})

/** One posting each, named. */
export const postingsOf = (indexedState: IndexedState | undefined): Map<string, Place & { list: string }> => {
  if (indexedState === undefined) return new Map()
  const { at, id, lists } = indexedState
  return new Map(lists.map((list) => [`${at} ${id} ${list}`, { list, at, id }]))
}
