import { setTimeout as wait } from 'node:timers/promises'
import { ProtocolError } from '../protocol/errors.ts'
import { deadlines } from '../protocol/limits.ts'
import { count } from './metrics.ts'

const longestPauseMs = 1000

/** The time of one request: when it began and is over, and the signal that then aborts every call of it. */
export interface Deadline {
  /** By `performance.now()`. */
  startedAt: number
  endsAt: number
  signal: AbortSignal
}

/**
 * Runs a request within its 15 s (protocol §1), other work within its own time: then every call under way is
 * aborted and `request_timeout` thrown, so that nothing of it runs on. What a request that ended earlier has
 * left under way is aborted too.
 */
export const withinDeadline = async <T>(
  run: (deadline: Deadline) => Promise<T>,
  abortMs: number = deadlines.abortMs,
): Promise<T> => {
  const controller = new AbortController()
  const startedAt = performance.now()
  const deadline = { startedAt, endsAt: startedAt + abortMs, signal: controller.signal }
  const timer = setTimeout(() => controller.abort(), abortMs)
  const late = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(new ProtocolError('request_timeout')), {
      once: true,
    })
  })
  // a run that throws before its first await leaves nobody who waits for it
  late.catch(() => undefined)
  try {
    return await Promise.race([run(deadline), late])
  } catch (error) {
    // aborted calls reject with errors of their own
    throw controller.signal.aborted ? new ProtocolError('request_timeout') : error
  } finally {
    clearTimeout(timer)
    // a read that was not needed after all; those beside the call that failed
    controller.abort()
  }
}

/**
 * Waits before another attempt at a lost race, longer after each, and a random part of the time that the
 * request has taken so far: where reads and writes are slow, others need as long. Throws `too_many_requests`
 * past the 12 s.
 */
export const pauseBefore = async (
  tries: number,
  { startedAt, signal }: Pick<Deadline, 'startedAt' | 'signal'>,
): Promise<void> => {
  count('retries')
  const elapsedMs = () => performance.now() - startedAt
  const mostMs = Math.min(longestPauseMs, Math.max(elapsedMs(), 5 * 2 ** tries))
  await wait(Math.random() * mostMs, undefined, { signal })
  if (elapsedMs() <= deadlines.lastRetryMs) return
  count('retries_given_up')
  throw new ProtocolError('too_many_requests')
}
