import pLimit from 'p-limit'
import { isTransient } from '../table/transient-errors.ts'
import { log } from './log.ts'

/**
 * What `run` makes of each chat, `atOnce` of them side by side, in their order. A chat that it throws at is
 * logged and left out, so that it takes no other along; where it throws at all of several, or for a reason of
 * the moment, it is not for the chats, and that is thrown.
 */
export const mapIsolated = async <C extends { id: string }, T>(
  chats: readonly C[],
  run: (chat: C) => Promise<T>,
  atOnce = Number.POSITIVE_INFINITY,
): Promise<T[]> => {
  const limit = pLimit(atOnce)
  const settled = await Promise.allSettled(chats.map((chat) => limit(() => run(chat))))
  const failures = settled.filter((one) => one.status === 'rejected')
  const passing = failures.find(({ reason }) => isTransient(reason))
  if (passing !== undefined) throw passing.reason
  if (failures.length > 1 && failures.length === settled.length) throw failures[0]?.reason
  return settled.flatMap((one, index) => {
    if (one.status === 'fulfilled') return [one.value]
    log.error('A chat was left out', { chat: chats[index]?.id, cause: one.reason })
    return []
  })
}
