import { log } from './log.ts'
import { count } from './metrics.ts'

export interface BatchResult {
  batchItemFailures: { itemIdentifier: string }[]
}

/** Logs why a record failed and reports it, so that the event source hands it over again and no other. */
export const failed = (
  itemIdentifier: string,
  what: string,
  error: unknown,
): BatchResult['batchItemFailures'] => {
  count('records_failed')
  log.error('A record failed', { what, cause: error })
  return [{ itemIdentifier }]
}
