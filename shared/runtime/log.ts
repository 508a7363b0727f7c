import { Logger } from '@aws-lambda-powertools/logger'

/**
 * The function's log: JSON lines with the request's id. It names fields and never holds tokens, texts or properties.
 * Level and service come from the environment (`POWERTOOLS_LOG_LEVEL`, `POWERTOOLS_SERVICE_NAME`).
 */
export const log = new Logger()
