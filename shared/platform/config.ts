import { InternalError } from '../protocol/errors.ts'

/** A setting of this function; throws, naming it, where the stack did not set it. */
const required = (name: string): string => {
  const value = process.env[name]
  if (value === undefined || value === '')
    throw new InternalError(`The environment variable ${name} is not set`)
  return value
}

const optional = (name: string): string | undefined => process.env[name] || undefined

const number = (name: string, fallback: number): number => {
  const value = Number(process.env[name] ?? fallback)
  if (Number.isNaN(value)) throw new InternalError(`The environment variable ${name} is not a number`)
  return value
}

/**
 * The function's settings, read from its environment when asked for: each function is given only what it
 * uses.
 */
export const config = {
  /**
   * The stack's name, which its metrics go by; undefined where nothing is deployed: no metrics are written.
   */
  deployment: () => optional('DEPLOYMENT'),
  tableName: () => required('TABLE_NAME'),
  /** Where posts to agents' connections go: `https://{api}.execute-api.{region}.amazonaws.com/{stage}`. */
  agentCallbackUrl: () => required('AGENT_CALLBACK_URL'),
  /** The same for customers' connections. */
  customerCallbackUrl: () => required('CUSTOMER_CALLBACK_URL'),
  /** The secret whose text signs customers' tokens. */
  customerKeySecretId: () => required('CUSTOMER_KEY_SECRET_ID'),
  /**
   * What a customer may ask for in a minute, and an address: so many times that; how many threads the
   * customers of a license may begin. 0: as much as they like.
   */
  rates: () => ({
    start_chat: number('RATE_START_CHAT', 5),
    send_event: number('RATE_SEND_EVENT', 60),
    other: number('RATE_OTHER', 120),
    addressFactor: number('RATE_ADDRESS_FACTOR', 20),
    licenseStarts: number('RATE_LICENSE_START_CHAT', 600),
  }),
  /** The same of an agent. */
  agentRates: () => ({
    start_chat: number('AGENT_RATE_START_CHAT', 0),
    send_event: number('AGENT_RATE_SEND_EVENT', 0),
    other: number('AGENT_RATE_OTHER', 0),
  }),
  /**
   * The proxy before the endpoint: its secret, and the header with the client's address; undefined: there is
   * none.
   */
  proxy: () => {
    const secretId = optional('PROXY_SECRET_ID')
    return secretId === undefined ? undefined : { secretId, addressHeader: required('PROXY_ADDRESS_HEADER') }
  },
  laterQueueUrl: () => required('LATER_QUEUE_URL'),
  /**
   * Where `fan_out` is invoked:
   * `https://lambda.{region}.amazonaws.com/2015-03-31/functions/{name}/invocations`.
   */
  fanOutUrl: () => required('FAN_OUT_URL'),
  /** As Lambda sets them. */
  credentials: () => {
    const sessionToken = optional('AWS_SESSION_TOKEN')
    return {
      region: required('AWS_REGION'),
      accessKeyId: required('AWS_ACCESS_KEY_ID'),
      secretAccessKey: required('AWS_SECRET_ACCESS_KEY'),
      ...(sessionToken !== undefined && { sessionToken }),
    }
  },
  tokenIssuer: () => required('TOKEN_ISSUER'),
  tokenAudience: () => required('TOKEN_AUDIENCE'),
  tokenJwksUrl: () => required('TOKEN_JWKS_URL'),
  /** Whether a token must say that it is an access token; `any`: it need not. */
  tokenType: () => (optional('TOKEN_TYPE') === 'any' ? 'any' : 'access'),
  /** The resource server whose scopes grant something; undefined: those of any. */
  tokenResourceServer: () => optional('TOKEN_RESOURCE_SERVER'),
  /** The secret with the service account that sends mobile notifications; undefined: none are sent. */
  fcmSecretId: () => optional('FCM_SECRET_ID'),
  fcmEndpoint: () => optional('FCM_ENDPOINT') ?? 'https://fcm.googleapis.com',
  /** The bus that pushes about chats and customers go out to, and its service; undefined: there is none. */
  eventBus: () => {
    const name = optional('EVENT_BUS_NAME')
    return name === undefined ? undefined : { name, url: required('EVENTS_URL') }
  },
  /** How long an agent may be away before it counts as offline, in seconds. */
  presenceGraceS: () => number('PRESENCE_GRACE_S', 20),
  /** How far the clocks of two Lambdas may be apart, in milliseconds. */
  clockSkewMs: () => number('CLOCK_SKEW_MS', 250),
} as const
