import { log } from '../runtime/log.ts'
import { sendLater } from '../runtime/later.ts'
import type { Writer } from '../table/ops.ts'
import {
  type AgentSocketItem,
  agentSocketRemoved,
  agentSocketSlow,
  isLive,
  socketRemoved,
} from '../table/sockets.ts'

import { post, type PostOutcome } from './connections.ts'

/** A push of one request: its frame and who gets it. */
export interface Push {
  to(row: AgentSocketItem): boolean
  frame: string
}

/** All posts of a request share this time; what is still open then goes to the delay queue. */
const postingMs = 1000
/** How long a connection that timed out is pushed to by the `later` worker only. */
const slowMs = 60_000
const laterDelayS = 1

interface Delivery {
  row: AgentSocketItem
  frames: string[]
}

/** What each live connection is to get, in the order of the pushes. */
const deliveriesOf = (rows: readonly AgentSocketItem[], pushes: readonly Push[], nowMs: number): Delivery[] =>
  rows
    .filter((row) => isLive(row, nowMs))
    .map((row) => ({ row, frames: pushes.filter(({ to }) => to(row)).map(({ frame }) => frame) }))
    .filter(({ frames }) => frames.length > 0)

/** Posts a connection's frames one after the other; resolves to what came of it and what is still to be sent. */
const postAll = async (
  { row, frames }: Delivery,
  signal: AbortSignal,
): Promise<{ outcome: PostOutcome; left: string[] }> => {
  for (const [index, frame] of frames.entries()) {
    const outcome = await post(row.connection, frame, signal)
    if (outcome !== 'sent') return { outcome, left: frames.slice(index) }
  }
  return { outcome: 'sent', left: [] }
}

/**
 * Sends a request's pushes: at least once to each living connection, connections side by side, each one's in order.
 * A push that fails fails nothing else: a connection that is gone loses its rows, one that is late or throttled is
 * left to the delay queue. Never throws; takes a second at the most.
 */
export const deliver = async (options: {
  rows: readonly AgentSocketItem[]
  pushes: readonly Push[]
  write: Writer
  /** The request's own end, where it comes before the second is over. */
  signal: AbortSignal
  nowMs: number
}): Promise<void> => {
  const { write, nowMs } = options
  const deliveries = deliveriesOf(options.rows, options.pushes, nowMs)
  const slow = deliveries.filter(({ row }) => (row.slow_until ?? 0) > nowMs)
  const posting = AbortSignal.any([options.signal, AbortSignal.timeout(postingMs)])
  const waiting = new Map<string, AgentSocketItem[]>()
  const wait = (row: AgentSocketItem, frames: readonly string[]) => {
    const key = keyOf(frames)
    waiting.set(key, [...(waiting.get(key) ?? []), row])
  }
  for (const { row, frames } of slow) wait(row, frames)

  const settled: Promise<unknown>[] = []
  await Promise.all(
    deliveries
      .filter((delivery) => !slow.includes(delivery))
      .map(async (delivery) => {
        const { row } = delivery
        const { outcome, left } = await postAll(delivery, posting)
        if (outcome === 'gone') settled.push(...rowsOf(row).map((op) => write.write(op)))
        if (outcome === 'late') settled.push(write.write(agentSocketSlow(row, nowMs + slowMs)))
        if (outcome === 'late' || outcome === 'failed') wait(row, left)
      }),
  )
  for (const [frames, rows] of waiting)
    settled.push(sendLater(pushJob(rows, frames), laterDelayS, options.signal))
  for (const result of await Promise.allSettled(settled)) {
    if (result.status === 'rejected')
      log.error('A push could not be put off or its rows not cleared', { error: result.reason })
  }
}

const rowsOf = ({ license_id, agent_id, connection }: AgentSocketItem) => [
  socketRemoved(connection),
  agentSocketRemoved(license_id, agent_id, connection),
]

// frames are JSON, which has no raw line breaks
const keyOf = (frames: readonly string[]): string => frames.join('\n')

const pushJob = (rows: readonly AgentSocketItem[], frames: string) => ({
  job: 'push' as const,
  targets: rows.map(({ license_id, agent_id, connection }) => ({ license_id, agent_id, connection })),
  frames: frames.split('\n'),
  tries: 0,
})
