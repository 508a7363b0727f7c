import { audienceFreshMs } from '../delivery/audience-rows.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import { config } from '../platform/config.ts'
import { log } from '../platform/log.ts'
import type { Clock } from '../table/capabilities.ts'
import type { Chat } from '../table/chat/chats.ts'

// pushes that went out beside their writes may have missed who came to hear of them just then
const catchUpS = 2

/** A chat as a connection was shown it: its thread, the order of the last event, its version. */
export interface Shown {
  id: string
  thread: number
  order: number
  version: number
}

const logFailure = (error: unknown) =>
  log.error('What a connection may have missed is not told', { cause: error })

/**
 * Begins what may miss a push: what is under way by then and was pushed to others alone bears an earlier
 * time. The function returned hands what was missed since to the delay queue. Never throws: what is written
 * by then stands.
 */
export const beginCatchUp = (ctx: Clock & Enqueues) => {
  const since = ctx.now() - audienceFreshMs - config.clockSkewMs()
  return async (connection: string, shown: readonly Shown[]): Promise<void> => {
    const chats: Record<string, [thread: number, order: number, version: number]> = {}
    for (const { id, thread, order, version } of shown) chats[id] = [thread, order, version]
    const until = ctx.now() + config.clockSkewMs()
    await ctx.enqueue({ job: 'catch_up', connection, chats, since, until }, catchUpS).catch(logFailure)
  }
}

// a request that had read the chat before may still write, until its deadline
const followUpS = [catchUpS, 16]

/** Hands to the delay queue what the connection of a new follower may miss of a chat. Never throws. */
export const enqueueFollowUp = async (
  ctx: Enqueues,
  connection: string,
  { id, ...shown }: Shown,
): Promise<void> => {
  const job = { job: 'catch_up_follower', connection, chat: id, ...shown } as const
  await Promise.all(followUpS.map((delayS) => ctx.enqueue(job, delayS).catch(logFailure)))
}

/** The same of all to whom a change of a chat's scopes gives access. */
export const enqueueGained = async (ctx: Enqueues, before: Chat, { id, ...shown }: Shown): Promise<void> => {
  const job = { job: 'catch_up_gained', before, chat: id, ...shown } as const
  await Promise.all(followUpS.map((delayS) => ctx.enqueue(job, delayS).catch(logFailure)))
}
