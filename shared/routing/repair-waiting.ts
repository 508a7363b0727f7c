import type { LimitFunction } from 'p-limit'
import type { Reads, Writes } from '../table/capabilities.ts'
import { lacksAgent } from '../table/chat/chat-users.ts'
import { type ActiveChat, listMissedChat, unlistStrayChat } from '../table/chat/chats.ts'
import { readActiveChat, readWaitingChats } from '../table/chat/read-chats.ts'

/**
 * Makes the list of a license's waiting chats agree with that of its active ones, `chats`. Every change of a
 * chat keeps both: this is for what an earlier release has left, whose functions may still be at work.
 */
export const repairWaiting = async (
  { read, write }: Reads<'activeChats' | 'waitingChats'> & Writes<'waitingChats'>,
  license: string,
  chats: readonly ActiveChat[],
  limit: LimitFunction,
): Promise<void> => {
  const listed = await readWaitingChats(read, license)
  const ids = new Set(listed.map(({ id }) => id))
  const waiting = new Set(chats.filter(lacksAgent).map(({ id }) => id))
  const missed = chats.filter(({ id }) => waiting.has(id) && !ids.has(id))
  const strays = listed.filter(({ id }) => !waiting.has(id))
  const unlist = async (row: ActiveChat) => {
    // it may have begun to wait since
    const now = await readActiveChat(read, license, row.id)
    if (now === undefined || !lacksAgent(now)) await write.write(unlistStrayChat(license, row))
  }
  await Promise.all([
    ...missed.map((row) => limit(() => write.write(listMissedChat(license, row)))),
    ...strays.map((row) => limit(() => unlist(row))),
  ])
}
