import { audienceFreshMs } from '../delivery/audience-rows.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import { config } from '../platform/config.ts'
import { log } from '../platform/log.ts'
import type { Clock } from '../table/capabilities.ts'

// pushes that went out beside their writes may have missed who came to hear of them just then
const catchUpS = 2

/** A chat as a connection was shown it: its thread, the order of the last event, its version. */
interface Shown {
  id: string
  thread: number
  order: number
  version: number
}

/**
 * Begins what may miss a push: what is under way by then and was pushed to others alone bears an earlier time.
 * The function returned hands what was missed since to the delay queue; `isWhole`: also chats that began
 * meanwhile. Never throws: what is written by then stands.
 */
export const beginCatchUp = (ctx: Clock & Enqueues) => {
  const since = ctx.now() - audienceFreshMs - config.clockSkewMs()
  return async (connection: string, shown: readonly Shown[], { isWhole = true } = {}): Promise<void> => {
    const chats: Record<string, [thread: number, order: number, version: number]> = {}
    for (const { id, thread, order, version } of shown) chats[id] = [thread, order, version]
    const until = ctx.now() + config.clockSkewMs()
    await ctx
      .enqueue(
        { job: 'catch_up', connection, chats, since, until, ...(!isWhole && { only: true }) },
        catchUpS,
      )
      .catch((error: unknown) => log.error('What a connection may have missed is not told', { cause: error }))
  }
}
