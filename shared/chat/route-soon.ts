import type { Job } from '../runtime/later.ts'
import { log } from '../runtime/log.ts'

/**
 * Has a licence's waiting chats given to whoever is free, by a worker: an answer does not wait for it. `chat`: also this
 * one, where nobody may be there for it. Never throws: the clock finds what was missed.
 */
export const routeSoon = async (
  ctx: { later: (job: Job, delayS: number) => Promise<void> },
  license: string,
  chat?: string,
): Promise<void> => {
  const job: Job = { job: 'route', license_id: license, ...(chat === undefined ? {} : { chat }) }
  await ctx.later(job, 0).catch((error: unknown) => log.error('Routing was not set off', { cause: error }))
}
