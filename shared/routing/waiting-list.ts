import type { LimitFunction } from 'p-limit'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import { lacksAgent, presentAgents } from '../table/chat/chat-users.ts'
import type { ActiveChat } from '../table/chat/chats.ts'
import { readActiveChat } from '../table/chat/read-chats.ts'
import {
  listWaitingChat,
  readWaitingChat,
  readWaitingChats,
  unlistWaitingChat,
} from '../table/chat/waiting-chats.ts'

interface Listing extends Reads<'activeChats' | 'waitingChats'>, Writes<'waitingChats'>, Clock {}

// of runs that list a chat at once the last one has seen it last
const mostTries = 5

/**
 * Lists a chat that waits, anew each time, and takes one out that waits no more. Resolves to the chat's row
 * in the list of active ones, and how long (ms) it waited for the agent that it has come to.
 */
export const refreshWaiting = async (
  { read, write, now }: Listing,
  license: string,
  id: string,
): Promise<{ row?: ActiveChat | undefined; waitedMs?: number }> => {
  for (let tries = 1; ; tries += 1) {
    // the list first: a row that is listed after the chat was read is another, and stays
    const listed = await readWaitingChat(read, license, id)
    const row = await readActiveChat(read, license, id)
    const put = row !== undefined && lacksAgent(row) ? listWaitingChat(license, row, listed) : undefined
    const op = put ?? (listed && unlistWaitingChat(license, listed))
    const isDone = op === undefined || (await write.write(op)).done
    if (!isDone && tries < mostTries) continue
    const hasCome = isDone && put === undefined && row !== undefined && presentAgents(row).length > 0
    const since = hasCome && row.thread === listed?.thread ? listed.waiting_since : undefined
    return { row, ...(since === undefined ? {} : { waitedMs: now() - since }) }
  }
}

/**
 * Makes the list of waiting chats agree with `chats`, the active ones: for chats that began to wait by a
 * request that could not say so, or before there was such a list.
 */
export const repairWaiting = async (
  ctx: Listing,
  license: string,
  chats: readonly ActiveChat[],
  limit: LimitFunction,
): Promise<void> => {
  const listed = new Map((await readWaitingChats(ctx.read, license)).map((row) => [row.id, row]))
  const waiting = new Map(chats.filter(lacksAgent).map((row) => [row.id, row]))
  const told = (row: ActiveChat | undefined) =>
    row && JSON.stringify([row.users, row.scopes, row.thread, row.waiting_since])
  const ids = new Set([...waiting.keys(), ...listed.keys()])
  const differing = [...ids].filter((id) => told(waiting.get(id)) !== told(listed.get(id)))
  await Promise.all(differing.map((id) => limit(() => refreshWaiting(ctx, license, id))))
}
