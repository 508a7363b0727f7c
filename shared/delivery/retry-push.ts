import pLimit from 'p-limit'
import type { Enqueues, Job } from '../jobs/job-queue.ts'
import { log } from '../platform/log.ts'
import { count } from '../platform/metrics.ts'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import { removeConnection } from '../table/end-session.ts'
import { readRows } from '../table/socket-lists.ts'
import { isLive, type SocketFamily } from '../table/sockets.ts'
import { postsAtOnce } from './connections.ts'
import { targetOf } from './deferred-push.ts'
import { postFrames } from './post-frames.ts'

type PushJob = Extract<Job, { job: 'push' }>

interface Trying extends Reads, Writes<SocketFamily>, Clock, Enqueues {
  signal: AbortSignal
}

const postingMs = 3000
/** A push is tried twice more after its request; delays in seconds before the second of these. */
const moreTries = 2
const retryS = 5

/**
 * Pushes that did not go through: tried again where the connection still counts, and once more after that.
 * Those whose turn did not come, since too many before them hung, have been tried no more often than before.
 */
export const retryPush = async (ctx: Trying, { targets, frames, tries }: PushJob): Promise<void> => {
  const rows = (await readRows(ctx.read, targets)).filter((row) => isLive(row, ctx.now()))
  const posting = AbortSignal.any([ctx.signal, AbortSignal.timeout(postingMs)])
  const limit = pLimit(postsAtOnce)
  const outcomes = await Promise.all(
    rows.map((row) =>
      limit(async () => {
        if (posting.aborted) return 'untried'
        const { through, isGone } = await postFrames(row, frames, posting, ctx.now())
        if (isGone) await Promise.all(removeConnection(row).map((op) => ctx.write.write(op)))
        return isGone || through === frames.length ? 'done' : 'failed'
      }),
    ),
  )
  const those = (outcome: 'untried' | 'failed') =>
    rows.filter((_, index) => outcomes[index] === outcome).map(targetOf)
  const [untried, failed] = [those('untried'), those('failed')]
  if (untried.length > 0) await ctx.enqueue({ job: 'push', targets: untried, frames, tries }, retryS)
  if (failed.length === 0) return
  if (tries + 1 < moreTries)
    await ctx.enqueue({ job: 'push', targets: failed, frames, tries: tries + 1 }, retryS)
  else {
    count('pushes_failed', failed.length * frames.length)
    log.warn('A push was given up', { connections: failed.map(({ connection }) => connection) })
  }
}
