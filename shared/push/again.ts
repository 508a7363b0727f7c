import type { Job } from '../runtime/later.ts'
import { log } from '../runtime/log.ts'
import { count } from '../runtime/metrics.ts'
import type { Reader, Writer } from '../table/ops.ts'
import {
  AgentSocketItem,
  connectionRemoved,
  CustomerSocketItem,
  isCustomers,
  isLive,
  isStarting,
  rowKey,
} from '../table/sockets.ts'
import { endpointOf, post } from './connections.ts'

type PushJob = Extract<Job, { job: 'push' }>
type Target = PushJob['targets'][number]

interface Trying {
  read: Reader
  write: Writer
  signal: AbortSignal
  now(): number
  later(job: Job, delayS: number): Promise<void>
}

const postingMs = 3000
/** A push is tried twice more after its request; delays in seconds before the second of these. */
const moreTries = 2
const retryS = 5

/** Pushes that did not go through: tried again where the connection still counts, and once more after that. */
export const pushAgain = async (ctx: Trying, { targets, frames, tries }: PushJob): Promise<void> => {
  const posting = AbortSignal.any([ctx.signal, AbortSignal.timeout(postingMs)])
  const left = await Promise.all(
    targets.map(async (target) => ((await sent(ctx, target, frames, posting)) ? [] : [target])),
  )
  const waiting = left.flat()
  if (waiting.length === 0) return
  if (tries + 1 < moreTries)
    await ctx.later({ job: 'push', targets: waiting, frames, tries: tries + 1 }, retryS)
  else {
    count('pushes_failed', waiting.length * frames.length)
    log.warn('A push was given up', { connections: waiting.map(({ connection }) => connection) })
  }
}

/** Whether there is nothing left to do for this connection. */
const sent = async (
  ctx: Trying,
  target: Target,
  frames: readonly string[],
  posting: AbortSignal,
): Promise<boolean> => {
  const { connection } = target
  const item = await ctx.read.get(rowKey(target, connection), { strong: true })
  if (item === undefined) return true
  const row = isCustomers(target) ? CustomerSocketItem.parse(item) : AgentSocketItem.parse(item)
  if (!isLive(row, ctx.now())) return true
  for (const frame of frames) {
    const outcome = await post(endpointOf(target), connection, frame, posting)
    if (outcome === 'gone' && !isStarting(row, ctx.now())) {
      count('pushes_gone')
      await Promise.all(connectionRemoved(target).map((op) => ctx.write.write(op)))
      return true
    }
    if (outcome !== 'sent') return false
    count('pushes_sent')
  }
  return true
}
