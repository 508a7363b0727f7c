import { catchUp, catchUpFollower, catchUpGained } from '../../shared/account/catch-up.ts'
import { disconnect, disconnectIfOver } from '../../shared/account/disconnect.ts'
import { expectAgent, expectCustomer } from '../../shared/account/presence.ts'
import type { Indexing } from '../../shared/archive/index/context.ts'
import { indexAccess } from '../../shared/archive/index/index-chat.ts'
import { keepCounts, queryOfJob } from '../../shared/archive/search/kept-counts.ts'
import { announcePending } from '../../shared/chat/announce/pending-writes.ts'
import { announceWritten } from '../../shared/chat/announce/written.ts'
import { retryPush } from '../../shared/delivery/retry-push.ts'
import { runWork, type WorkCtx } from '../../shared/delivery/worker-context.ts'
import { Job } from '../../shared/jobs/job-queue.ts'
import { type BatchResult, failed } from '../../shared/platform/batch.ts'
import { measured } from '../../shared/platform/metrics.ts'
import type { WorkerWrites } from '../../shared/platform/writes.ts'
import { parseJson } from '../../shared/protocol/json.ts'
import { tellQueue } from '../../shared/routing/queue.ts'
import { refreshStatuses } from '../../shared/routing/refresh-statuses.ts'
import { rescope } from '../../shared/routing/rescope.ts'
import { routeChats } from '../../shared/routing/route-chats.ts'
import { licenseIndexesTexts } from '../../shared/table/accounts.ts'
import { readSocket } from '../../shared/table/sockets.ts'

interface QueueEvent {
  Records: { messageId: string; body: string }[]
}

/**
 * The delay queue's worker. Each job may come twice and finds out for itself whether there is still anything
 * to do.
 */
const carryOutAll = async ({ Records }: QueueEvent): Promise<BatchResult> => {
  const failures = await Promise.all(
    Records.map(async ({ messageId, body }) => {
      try {
        const job = Job.parse(parseJson(body))
        await runWork<'later'>((ctx) => carryOut(ctx, job))
        return []
      } catch (error) {
        return failed(messageId, 'delay queue', error)
      }
    }),
  )
  return { batchItemFailures: failures.flat() }
}

export const handler = measured('worker', 'later', carryOutAll)

const carryOut = (ctx: WorkCtx<WorkerWrites['later']>, job: Job): Promise<void> => {
  switch (job.job) {
    case 'end_session':
      return endSession(ctx, job)
    case 'close':
      return close(ctx, job)
    case 'expect_login':
      return expectLogin(ctx, job.connection)
    case 'tell_written':
      return announceWritten(ctx, { ...job, keys: job.keys.map(([pk, sk]) => ({ pk, sk })) })
    case 'tell_pending':
      return announcePending(ctx, job)
    case 'push':
      return retryPush(ctx, job)
    case 'catch_up':
      return catchUp(ctx, job)
    case 'catch_up_follower':
      return catchUpFollower(ctx, job)
    case 'catch_up_gained':
      return catchUpGained(ctx, job)
    case 'expect_agent':
      return expectAgent(ctx, job.license_id, job.agent_id, job)
    case 'expect_customer':
      return expectCustomer(ctx, job.license_id, job.customer_id, job)
    case 'route':
      return routeChats(ctx, job.license_id, job)
    case 'tell_queue':
      return tellQueue(ctx, job.license_id, { isDue: true })
    case 'group_statuses':
      return refreshStatuses(ctx, job.license_id)
    case 'rescope':
      return rescope(ctx, job.license_id, job.after)
    case 'index_access':
      return indexAccess(indexingOf(ctx), job.chat, job)
    case 'keep_counts':
      return keepCounts(ctx, { license: job.license_id, since: job.since, search: queryOfJob(job.search) })
  }
}

const indexingOf = (ctx: WorkCtx<WorkerWrites['later']>): Indexing => ({
  ...ctx,
  endsAt: ctx.now() + (ctx.endsAt - performance.now()),
  indexesTexts: (license) => licenseIndexesTexts(ctx.read, license),
  goOn: (job) => ctx.enqueue(job, 0),
})

const endSession = async (
  ctx: WorkCtx,
  { connection, reason }: Extract<Job, { job: 'end_session' }>,
): Promise<void> => {
  // one that was refused for this has no session to end
  const socket =
    reason === 'too_many_connections' ? await readSocket(ctx.read, connection, ctx.now()) : undefined
  if (socket !== undefined && socket.session === undefined)
    await disconnect(ctx, connection, reason, undefined)
  else await disconnectIfOver(ctx, connection)
}

const close = async (ctx: WorkCtx, { connection, reason }: Extract<Job, { job: 'close' }>): Promise<void> => {
  const socket = await readSocket(ctx.read, connection, ctx.now())
  if (socket !== undefined) await disconnect(ctx, connection, reason, socket.session)
}

const expectLogin = async (ctx: WorkCtx, connection: string): Promise<void> => {
  const socket = await readSocket(ctx.read, connection, ctx.now())
  if (socket !== undefined && socket.session === undefined)
    await disconnect(ctx, connection, 'agent_disconnected_by_server', undefined)
}
