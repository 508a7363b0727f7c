import type { Chat } from '../../table/chat/chats.ts'
import type { ChatRecord } from '../../table/chat/read-chats.ts'
import { threadId } from '../../table/ids.ts'
import { type Head, readHead } from '../../table/chat/thread-log.ts'
import { type Manifest, readManifests, type Standing } from '../../table/archive/manifests.ts'
import type { Reader } from '../../table/ops.ts'
import type { Place } from '../../table/archive/postings.ts'
import { accessLists, chatLists, isOfAccess, threadLists } from './lists.ts'

export const theChat = 0

/** Of `others` only those that are indexed: of a thread that is not, a record comes that says so. */
export const manifestsOf = async (
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
export const standingOf = async (
  read: Reader,
  { chat, properties }: Omit<ChatRecord, 'seen'>,
  { n, standing }: Manifest,
  numbers: readonly number[],
): Promise<Standing | undefined> => {
  if (n === theChat)
    return {
      at: chat.started_at,
      id: threadId(chat.id, chat.thread),
      lists: chatLists(chat, properties),
    }
  // of this thread nothing else has changed
  if (standing !== undefined && standing.id !== '' && !numbers.includes(n)) {
    const own = standing.lists.filter((list) => !isOfAccess(list))
    return { ...standing, lists: [...own, ...accessLists('thread', chat)] }
  }
  const head = await readHead(read, chat.id, n)
  return head === undefined ? undefined : standingOfThread(chat, head)
}

const standingOfThread = (chat: Chat, head: Head): Standing => ({
  at: head.at,
  id: threadId(chat.id, head.n),
  lists: threadLists(chat, head),
})

/** One posting each, named. */
export const postingsOf = (standing: Standing | undefined): Map<string, Place & { list: string }> => {
  if (standing === undefined) return new Map()
  const { at, id, lists } = standing
  return new Map(lists.map((list) => [`${at} ${id} ${list}`, { list, at, id }]))
}
