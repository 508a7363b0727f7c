import type { LimitFunction } from 'p-limit'
import type { Reads, Writes } from '../table/capabilities.ts'
import { lacksAgent } from '../table/chat/chat-users.ts'
import type { ActiveChat } from '../table/chat/chats.ts'
import { readActiveChat } from '../table/chat/read-chats.ts'
import {
  listWaitingChat,
  readWaitingChat,
  readWaitingChats,
  unlistWaitingChat,
  type WaitingChat,
} from '../table/chat/waiting-chats.ts'

interface Listing extends Reads<'activeChats' | 'waitingChats'>, Writes<'waitingChats'> {}

/** What routing goes by of a row. */
const told = ({ users, scopes, thread, waiting_since }: ActiveChat): string =>
  JSON.stringify([users, scopes, thread, waiting_since])

/** Lists a chat that waits, where it is not listed as it is. */
export const listWaiting = async (
  { write }: Writes<'waitingChats'>,
  license: string,
  row: ActiveChat,
  listed: WaitingChat | undefined,
): Promise<void> => {
  if (!lacksAgent(row)) return
  if (listed === undefined || told(listed) !== told(row)) await write.write(listWaitingChat(license, row))
}

/** Lists a chat that waits as it is, and takes one out that waits no more. */
export const refreshWaiting = async (ctx: Listing, license: string, id: string): Promise<void> => {
  // the list first: a row that is listed after the chat was read is another, and stays
  const listed = await readWaitingChat(ctx.read, license, id)
  const row = await readActiveChat(ctx.read, license, id)
  if (row !== undefined && lacksAgent(row)) await listWaiting(ctx, license, row, listed)
  else if (listed !== undefined) await ctx.write.write(unlistWaitingChat(license, listed))
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
  await Promise.all([
    ...[...waiting].map(([id, row]) => limit(() => listWaiting(ctx, license, row, listed.get(id)))),
    ...[...listed.values()]
      .filter(({ id }) => !waiting.has(id))
      .map(({ id }) => limit(() => refreshWaiting(ctx, license, id))),
  ])
}
