import type { Settings } from './handlers.ts'
import type { StackOptions } from './stack-options.ts'

export const fcmSecretId = 'fcm'
export const eventBus = 'events'
export const customerKeyId = 'customer-key'

/** Where the parts of a stack are, as its functions reach them. */
interface Addresses {
  queueUrl: string
  secretsUrl: string
  jwksUrl: string
  fanOutUrl: string
  eventsUrl: string | undefined
  agents: { callbackUrl: string }
  customers: { callbackUrl: string }
}

/** What the functions find in their environment. */
export const settingsOf = (options: StackOptions, at: Addresses): Settings => ({
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_ENDPOINT_URL_DYNAMODB: options.endpoint,
  AWS_ENDPOINT_URL_SQS: new URL(at.queueUrl).origin,
  TABLE_NAME: options.tableName,
  AWS_ENDPOINT_URL_SECRETS_MANAGER: at.secretsUrl,
  AGENT_CALLBACK_URL: at.agents.callbackUrl,
  CUSTOMER_CALLBACK_URL: at.customers.callbackUrl,
  CUSTOMER_KEY_SECRET_ID: customerKeyId,
  RATE_START_CHAT: String(options.rates?.startChat ?? 0),
  RATE_SEND_EVENT: String(options.rates?.sendEvent ?? 0),
  RATE_OTHER: String(options.rates?.other ?? 0),
  RATE_ADDRESS_FACTOR: String(options.rates?.addressFactor ?? 0),
  RATE_LICENSE_START_CHAT: String(options.rates?.licenseStarts ?? 0),
  AGENT_RATE_START_CHAT: String(options.agentRates?.startChat ?? 0),
  AGENT_RATE_SEND_EVENT: String(options.agentRates?.sendEvent ?? 0),
  AGENT_RATE_OTHER: String(options.agentRates?.other ?? 0),
  LATER_QUEUE_URL: at.queueUrl,
  FAN_OUT_URL: at.fanOutUrl,
  TOKEN_ISSUER: options.issuer,
  TOKEN_AUDIENCE: options.audience,
  TOKEN_JWKS_URL: at.jwksUrl,
  PRESENCE_GRACE_S: String(options.presenceGraceS ?? 20),
  // one process, one clock
  CLOCK_SKEW_MS: '0',
  ...(at.eventsUrl !== undefined && { EVENT_BUS_NAME: eventBus, EVENTS_URL: at.eventsUrl }),
  ...(options.fcm !== undefined && { FCM_SECRET_ID: fcmSecretId }),
  ...(options.fcm?.endpoint !== undefined && { FCM_ENDPOINT: options.fcm.endpoint }),
})
