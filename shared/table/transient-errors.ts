// What says nothing of the data that were asked for: the same call may succeed a moment later.

const throttled: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
])

/** DynamoDB took the call for one too many, on each of the SDK's own attempts. */
export const isThrottled = (error: unknown): boolean => error instanceof Error && throttled.has(error.name)

/** The connection broke before the answer came. */
const isBroken = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')

const repeats = 2

/**
 * Repeats at once a call whose connection broke: one that may be made twice. A function that was frozen may
 * find all of its kept connections dead, and makes calls over all of them; the SDK, where it repeats them
 * itself, has no more than so many retries for all.
 */
export const retryTransient = async <T>(call: () => Promise<T>): Promise<T> => {
  for (let tries = 0; ; tries += 1)
    try {
      return await call()
    } catch (error) {
      if (tries === repeats || !isBroken(error)) throw error
    }
}

const timedOut: ReadonlySet<string> = new Set(['AbortError', 'TimeoutError'])

/** Whether a failure is of the moment, not of what was asked for. */
export const isTransient = (error: unknown): boolean =>
  isThrottled(error) ||
  (error instanceof Error &&
    ('code' in error || timedOut.has(error.name) || ('$fault' in error && error.$fault === 'server')))
