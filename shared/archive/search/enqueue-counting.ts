import { log } from '../../platform/log.ts'
import type { Job } from '../../jobs/job-queue.ts'
import type { Counted } from './kept-counts.ts'

/** Has months counted that a search has read to count them, so that the next one need not. */
export const countSoon = async (
  ctx: { later: (job: Job, delayS: number) => Promise<void> },
  { license, since, search }: Counted,
): Promise<void> => {
  await ctx
    .later({ job: 'keep_counts', license_id: license, since, search }, 0)
    // a queue that fails makes the next search read them once more
    .catch((error: unknown) => log.error('Months are not counted', { cause: error }))
}
