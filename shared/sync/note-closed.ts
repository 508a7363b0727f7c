import type { LimitFunction } from 'p-limit'
import type { Clock, Writes } from '../table/capabilities.ts'
import { noteClosedChat } from '../table/chat/changed-chats.ts'
import { type ActiveChat, unlistClosedChat } from '../table/chat/chats.ts'

/**
 * Moves chats whose thread is closed from the list of active ones to that of changed ones: there first, so
 * that a sync, which reads them in the other order, finds each of them. May run twice.
 */
export const noteClosed = async (
  { write, now }: Writes<'activeChats' | 'changedChats'> & Clock,
  license: string,
  listed: readonly ActiveChat[],
  limit: LimitFunction,
): Promise<void> => {
  const closed = listed.flatMap(({ id, closed_at }) => (closed_at === undefined ? [] : [{ id, closed_at }]))
  const move = async (row: (typeof closed)[number]) => {
    await write.write(noteClosedChat({ license_id: license, id: row.id }, row.closed_at, now()))
    await write.write(unlistClosedChat(license, row))
  }
  await Promise.all(closed.map((row) => limit(() => move(row))))
}
