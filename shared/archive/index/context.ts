import type { Job } from '../../jobs/job-queue.ts'
import type { Clock, Reads, Writes } from '../../table/capabilities.ts'
import type { Common } from '../../table/families.ts'

// Brings the index in line with chats as they are. Whatever it is told has changed, it reads anew, after the
// manifest that it then replaces; messages do not change. So it may run twice, late, and beside itself.

/** What a run leaves to another one. */
export type IndexJob = Extract<Job, { job: 'index_access' }>

export interface Indexing
  extends Reads<Common | 'marks'>, Writes<'chat' | 'postings' | 'marks' | 'count'>, Clock {
  /** By when (ms) every call of this run has ended. */
  endsAt: number
  /** Waits a short random time before attempt `tries`; throws where it is too late for another. */
  pause: (tries: number) => Promise<void>
  /** Whether a license has the texts of its messages indexed. */
  indexesTexts: (license: string) => Promise<boolean>
  /** Hands what is left to a run of its own. */
  goOn: (job: IndexJob) => Promise<void>
}
