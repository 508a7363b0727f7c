import type { Enqueues, Job } from '../../jobs/job-queue.ts'
import { log } from '../../platform/log.ts'
import type { Counted } from './kept-counts.ts'
import type { Query } from './query.ts'

type QueryOfJob = Extract<Job, { job: 'keep_counts' }>['search']

const jobOf = ({ allOf: all, accessLists: seen, noneOf: none }: Query): QueryOfJob => ({ all, seen, none })

/** The query as a job names it: those under way when a stack is upgraded are still read. */
export const queryOfJob = ({ all, seen, none }: QueryOfJob): Query => ({
  allOf: all,
  ...(seen === undefined ? {} : { accessLists: seen }),
  noneOf: none,
})

/** Has months counted that a search has read to count them, so that the next one need not. */
export const enqueueCounting = async (ctx: Enqueues, { license, since, search }: Counted): Promise<void> => {
  await ctx
    .enqueue({ job: 'keep_counts', license_id: license, since, search: jobOf(search) }, 0)
    // a queue that fails makes the next search read them once more
    .catch((error: unknown) => log.error('Months are not counted', { cause: error }))
}
