import { log } from './log.ts'

export interface BatchResult {
  batchItemFailures: { itemIdentifier: string }[]
}

/** Logs why a record failed and reports it, so that the event source hands it over again and no other. */
export const failed = (
  itemIdentifier: string,
  what: string,
  error: unknown,
): BatchResult['batchItemFailures'] => {
  log.error('A record failed', { what, cause: error instanceof Error ? String(error.stack) : String(error) })
  return [{ itemIdentifier }]
}
