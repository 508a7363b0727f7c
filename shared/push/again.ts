import type { Job } from '../runtime/later.ts'
import { log } from '../runtime/log.ts'
import { keys } from '../table/keys.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { AgentSocketItem, agentSocketRemoved, isLive, socketRemoved } from '../table/sockets.ts'
import { post } from './connections.ts'

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
  else log.warn('A push was given up', { connections: waiting.map(({ connection }) => connection) })
}

/** Whether there is nothing left to do for this connection. */
const sent = async (
  ctx: Trying,
  target: Target,
  frames: readonly string[],
  posting: AbortSignal,
): Promise<boolean> => {
  const { license_id, agent_id, connection } = target
  const item = await ctx.read.get(keys.agentSocket(license_id, agent_id, connection), { strong: true })
  if (item === undefined || !isLive(AgentSocketItem.parse(item), ctx.now())) return true
  for (const frame of frames) {
    const outcome = await post(connection, frame, posting)
    if (outcome === 'gone') {
      const gone = [socketRemoved(connection), agentSocketRemoved(license_id, agent_id, connection)]
      await Promise.all(gone.map((op) => ctx.write.write(op)))
      return true
    }
    if (outcome !== 'sent') return false
  }
  return true
}
