import { mayRead } from '../../access/permissions.ts'
import { type BatchLoader, createBatchLoader } from '../../platform/batch-loader.ts'
import type { PropertyFilter } from '../../protocol/filters.ts'
import type { Place } from '../../table/archive/postings.ts'
import type { ActiveChat } from '../../table/chat/chats.ts'
import { type ChatRecord, readActiveChats, readChats } from '../../table/chat/read-chats.ts'
import type { Common } from '../../table/families.ts'
import { chatOfThread, threadId } from '../../table/ids.ts'
import type { Reader } from '../../table/ops.ts'
import type { Session } from '../../table/sockets.ts'
import { fitsFilters } from './fits-filters.ts'
import type { ActiveOverlay } from './search.ts'

type Listed = Omit<ChatRecord, 'seen'>

/** Chats with their properties, by their ids. Strongly consistent. */
export const openRecords = (read: Reader): BatchLoader<Listed> =>
  createBatchLoader(
    async (ids) => new Map((await readChats(read, ids)).map((record) => [record.chat.id, record])),
  )

/**
 * The chats with an active thread, as they are now rather than as the index knows them: what was just started
 * or changed is found at once, and the index need not follow which are active.
 */
export const activeApart = async (
  read: Reader<Common | 'activeChats'>,
  records: BatchLoader<Listed>,
  me: Session,
  { active, properties }: { active: boolean; properties: readonly PropertyFilter[] },
): Promise<ActiveOverlay> => {
  const all = await readActiveChats(read, me.license_id)
  const ids = new Set(all.map(({ id }) => id))
  const seen = active ? all.filter((chat) => mayRead(me, chat)) : []
  const fitting =
    properties.length === 0
      ? ids
      : new Set(
          (await records.of(seen.map(({ id }) => id)))
            .filter((record) => fitsFilters(record.properties ?? {}, properties))
            .map(({ chat }) => chat.id),
        )
  const placeOf = ({ id, thread, started_at }: ActiveChat): Place => ({
    at: started_at,
    id: threadId(id, thread),
  })
  return {
    holds: (thread) => ids.has(chatOfThread(thread)),
    places: all.map(placeOf),
    found: seen.filter(({ id }) => fitting.has(id)).map(placeOf),
  }
}
