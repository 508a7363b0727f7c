import type { ActiveChat } from '../table/chat/chats.ts'
import { readActiveChats } from '../table/chat/read-chats.ts'
import type { Table } from '../table/client.ts'

/** How many active chats of a license a change concerns. */
export const countActiveChats = async (
  table: Table,
  license: string,
  concerns: (chat: ActiveChat) => boolean,
): Promise<number> => (await readActiveChats(table.read, license)).filter(concerns).length

/** The number, as a sentence begins with it: with a verb for one, and for several. */
export const activeChats = (count: number, does: string, doThey: string): string => {
  if (count === 0) return `No active chat ${does}`
  return count === 1 ? `1 active chat ${does}` : `${count} active chats ${doThey}`
}
