import { count } from '../platform/metrics.ts'
import { type Connected, isStarting } from '../table/sockets.ts'
import { endpointOf, post } from './connections.ts'

/**
 * A connection that leaves a post open for so long is slow; half as long, where it has taken no other frame
 * before.
 */
const slowPostMs = 1000

/** What came of posts to a connection. `through`: how many of the frames it has taken. */
interface Posted {
  through: number
  isGone: boolean
  isSlow: boolean
}

/** Posts frames to a connection one after the other, up to one that does not get through. Never throws. */
export const postFrames = async (
  row: Connected & { ttl: number },
  frames: readonly string[],
  signal: AbortSignal,
  nowMs: number,
): Promise<Posted> => {
  for (const [through, frame] of frames.entries()) {
    const startedAt = performance.now()
    const outcome = await post(endpointOf(row), row.connection, frame, signal)
    if (outcome === 'sent') {
      count('pushes_sent')
      continue
    }
    const openMs = performance.now() - startedAt
    const isGone = outcome === 'gone' && !isStarting(row, nowMs)
    if (isGone) count('pushes_gone')
    const isSlow = outcome === 'late' && openMs >= (through === 0 ? slowPostMs / 2 : slowPostMs)
    return { through, isGone, isSlow }
  }
  return { through: frames.length, isGone: false, isSlow: false }
}
