import { resolve } from 'node:path'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Node } from 'constructs'
import * as z from 'zod'
import { strangersAtOnce } from './throttles.ts'

const daysAllowed: readonly RetentionDays[] = Object.values(RetentionDays).filter(
  (days) => typeof days === 'number',
)

const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])
const https = z.url({ protocol: /^https$/, error: 'must be an https:// address' })
// the six characters are Secrets Manager's own: an ARN without them is one of many
const secret =
  /^(arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}|[\w/+=.@-]{1,512})$/

const stream = /^arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table\/[\w.-]{3,255}\/stream\/[\w:.-]+$/

const kmsKeyArn = /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]{1,128}$/

// Lambda keeps so much of an account's concurrency for functions without a reservation
const leastUnreserved = 100

const perMinute = z.coerce.number().int().min(0).max(10_000)

/** The settings of a deployment: `-c <name>=<value>`, or `context` in `cdk.json`. */
const Fields = z.object({
  /** The stack's name: another one is another, independent deployment in the same account. */
  name: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'must be letters, digits and hyphens')
    .default('AgentChat'),
  /** Whether table, user pool, customers' key and logs survive the stack, the first two even a deletion by hand. */
  retain: flag.default(true),
  /** The stream of the table to use, where that was restored from a backup: the stack then makes none (docs/backups.md). */
  tableStream: z.string().regex(stream, 'must be the ARN of a table’s stream').optional(),
  /** Megabytes of every function: CPU grows with them. */
  memory: z.coerce.number().int().min(128).max(10_240).default(1024),
  logDays: z.coerce
    .number()
    .transform((days) => daysAllowed.find((allowed) => allowed === days))
    .pipe(z.enum(RetentionDays, { error: `must be one that CloudWatch knows: ${daysAllowed.join(', ')}` }))
    .default(RetentionDays.ONE_MONTH),
  /**
   * How many functions the account may run at once in its region: what strangers may take is a share of it.
   */
  accountConcurrency: z.coerce.number().int().min(10).max(1_000_000).default(1000),
  /**
   * Whether that share is reserved as well: no more of these functions then run, whatever passes the
   * throttles.
   */
  reserveConcurrency: flag.default(false),
  /** Requests per second and at once, of each route of agents that is not for strangers. */
  rate: z.coerce.number().positive().default(2000),
  burst: z.coerce.number().int().positive().default(1000),
  /** Per minute and customer, by action; 0: as many as it likes. */
  customerStartChatRate: perMinute.default(5),
  customerSendEventRate: perMinute.default(60),
  customerOtherRate: perMinute.default(120),
  /** So many times that from one IP address; 0: as many as it likes. */
  customerAddressFactor: z.coerce.number().int().min(0).max(10_000).default(20),
  /** Threads that all customers of a license may begin in a minute; 0: as many as they like. */
  licenseStartChatRate: perMinute.default(600),
  /** The same of an agent: as many as it likes, unless set. */
  agentStartChatRate: perMinute.default(0),
  agentSendEventRate: perMinute.default(0),
  agentOtherRate: perMinute.default(0),
  /** Seconds that an agent or customer may be away before it counts as offline. */
  presenceGraceS: z.coerce.number().int().min(1).max(900).default(20),
  /** Milliseconds that the clocks of two functions may be apart. */
  clockSkewMs: z.coerce.number().int().min(0).max(10_000).default(250),
  /** Who signs the agents' tokens; all three or none. */
  issuer: https.optional(),
  audience: z.string().min(1).optional(),
  jwksUrl: https.optional(),
  /** `access`: tokens say that they are access tokens (`token_use`, or type `at+jwt`). `any`: they need not. */
  tokenType: z.enum(['access', 'any']).default('access'),
  /** The resource server whose scopes restrict agents, as `<name>/<scope>`; without it those of any count. */
  resourceServer: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'must be the identifier of a resource server')
    .optional(),
  /** The secret with the service account that sends mobile notifications; none are sent without. */
  fcmSecret: z.string().regex(secret, 'must be the name of a secret or its whole ARN').optional(),
  /** Who is written to when an alarm goes off. */
  alarmEmail: z.email().optional(),
  /** Whether to let API Gateway write logs: one setting per account and region, which this stack then sets. */
  gatewayLogs: z.enum(['set', 'keep']).default('set'),
  /**
   * The secret that a proxy before the customers' endpoint shows; without it the gateway says where they come
   * from.
   */
  proxySecret: z.string().regex(secret, 'must be the name of a secret or its whole ARN').optional(),
  /** The header in which that proxy tells the visitor's address. */
  proxyAddressHeader: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be the name of a header')
    .default('CloudFront-Viewer-Address'),
  /** The key that encrypts table, queues and logs; without it they are encrypted by keys of AWS. */
  kmsKey: z.string().regex(kmsKeyArn, 'must be the ARN of a key').optional(),
  /** Where `npm run build` puts the bundles. */
  dist: z.string().default(resolve(import.meta.dirname, '../dist')),
})

const Settings = Fields.check(({ value, issues }) => {
  const { accountConcurrency, reserveConcurrency } = value
  const reserved = strangersAtOnce(accountConcurrency)
  if (!reserveConcurrency || accountConcurrency - reserved >= leastUnreserved) return
  issues.push({
    code: 'custom',
    path: ['reserveConcurrency'],
    input: reserveConcurrency,
    message:
      `would reserve ${reserved} of the ${accountConcurrency} functions that the account may run at once ` +
      `(-c accountConcurrency), and Lambda keeps ${leastUnreserved} unreserved: leave it out, or ask AWS for more first`,
  })
})

export type StackSettings = z.output<typeof Settings>

/** Reads the settings from the context; throws one sentence per wrong one. */
export const settingsFrom = (node: Node): StackSettings => {
  const given = Object.keys(Fields.shape).map((name): [string, unknown] => [name, node.tryGetContext(name)])
  const parsed = Settings.safeParse(Object.fromEntries(given))
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `-c ${issue.path.join('.')}: ${issue.message}`)
    throw new Error(`The stack's settings are wrong. ${faults.join('; ')}`)
  }
  return parsed.data
}
