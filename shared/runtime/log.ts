import { Logger } from '@aws-lambda-powertools/logger'

/**
 * The function's log: JSON lines with the request's id. It names fields and never holds tokens, texts or properties.
 * `POWERTOOLS_LOG_LEVEL` sets what is written.
 */
export const log = new Logger({ serviceName: 'agent-chat' })
