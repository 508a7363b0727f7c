// What says nothing of the data that were asked for: the same call may succeed a moment later.

const throttled: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
])

/** DynamoDB took the call for one too many, on each of the SDK's own attempts. */
export const isThrottled = (error: unknown): boolean => error instanceof Error && throttled.has(error.name)

/** The connection broke before the answer came. */
export const isBroken = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')

const timedOut: ReadonlySet<string> = new Set(['AbortError', 'TimeoutError'])

/** Whether a failure is of the moment, not of what was asked for. */
export const isPassing = (error: unknown): boolean =>
  isThrottled(error) ||
  (error instanceof Error &&
    ('code' in error || timedOut.has(error.name) || ('$fault' in error && error.$fault === 'server')))
