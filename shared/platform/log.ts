import { Logger } from '@aws-lambda-powertools/logger'
import type { OnInvalidItem } from '../table/ops.ts'
import { causeOf } from './cause.ts'
import { config } from './config.ts'
import { runUnderWay } from './metrics.ts'

const logger = new Logger({ serviceName: config.deployment() ?? 'agent-chat' })

/** Numbers, ids and words of this code; a `cause` is whatever was thrown. */
type Fields = Readonly<Record<string, unknown>> & { cause?: unknown }

const told = ({ cause, ...fields }: Fields) => ({
  ...runUnderWay(),
  ...fields,
  ...(cause !== undefined && { cause: causeOf(cause) }),
})

/**
 * The function's log: lines of JSON, each with its request, connection and action. It names fields and never
 * holds tokens, texts, names or properties. `POWERTOOLS_LOG_LEVEL` sets what is written.
 */
export const log = {
  warn: (message: string, fields: Fields = {}): void => logger.warn(message, told(fields)),
  error: (message: string, fields: Fields = {}): void => logger.error(message, told(fields)),
}

/** Says of an item in the table that its schema does not fit it. */
export const logInvalidItem: OnInvalidItem = (item) =>
  log.error('An item of the table is not as it should be', item)
