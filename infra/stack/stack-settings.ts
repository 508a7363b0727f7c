import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Node } from 'constructs'
import { resolve } from 'node:path'
import * as z from 'zod'
import { strangersAtOnce } from './throttles.ts'

const daysAllowed: readonly RetentionDays[] = Object.values(RetentionDays).filter(
  (days) => typeof days === 'number',
)

// what `-c` gives is text, what stands in cdk.json may be a number or a boolean
const flag = z.union(
  [z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')],
  'must be true or false',
)
const text = (pattern: RegExp, error: string) => z.string(error).regex(pattern, error)
const numeric = (pattern: RegExp, error: string) =>
  z.union([z.number(), text(pattern, error).transform(Number)], error)
const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`
  return numeric(/^\d{1,9}$/, error).pipe(z.int(error).min(min, error).max(max, error))
}
const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, `must be ${values.join(' or ')}`)
const https = z.url({ protocol: /^https$/, error: 'must be an https:// address' })
// the six characters are Secrets Manager's own: an ARN without them is one of many
const secret =
  /^(arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}|[\w/+=.@-]{1,512})$/

const stream = /^arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table\/[\w.-]{3,255}\/stream\/[\w:.-]+$/

const kmsKeyArn = /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]{1,128}$/

// Lambda keeps so much of an account's concurrency for functions without a reservation
const leastUnreserved = 100

const aboveZero = 'must be a number above 0'
const perMinute = whole(0, 10_000)

/** The settings of a deployment: `-c <name>=<value>`, or `context` in `cdk.json`. */
const Fields = z.object({
  /** The stack's name: another one is another, independent deployment in the same account. */
  name: text(
    /^[A-Za-z][A-Za-z0-9-]{0,63}$/,
    'must be up to 64 letters, digits and hyphens, a letter first',
  ).default('AgentChat'),
  /**
   * Whether table, user pool, customers' key and logs survive the stack, the first two even a deletion by
   * hand.
   */
  retain: flag.default(true),
  /**
   * The stream of the table to use, where that was restored from a backup: the stack then makes none
   * (docs/backups.md).
   */
  tableStream: text(stream, 'must be the ARN of a table’s stream').optional(),
  /** Megabytes of every function: CPU grows with them. */
  memory: whole(128, 10_240).default(1024),
  logDays: z
    .unknown()
    .transform((days) => daysAllowed.find((allowed) => String(allowed) === String(days)))
    .pipe(z.enum(RetentionDays, `must be one that CloudWatch knows: ${daysAllowed.join(', ')}`))
    .default(RetentionDays.ONE_MONTH),
  /**
   * How many functions the account may run at once in its region: what strangers may take is a share of it.
   */
  accountConcurrency: whole(10, 1_000_000).default(1000),
  /**
   * Whether that share is reserved as well: no more of these functions then run, whatever passes the
   * throttles.
   */
  reserveConcurrency: flag.default(false),
  /** Requests per second and at once, of each route of agents that is not for strangers. */
  rate: numeric(/^\d{1,9}(\.\d{1,9})?$/, aboveZero)
    .pipe(z.number().positive(aboveZero))
    .default(2000),
  burst: whole(1, 1_000_000).default(1000),
  /** Per minute and customer, by action; 0: as many as it likes. */
  customerStartChatRate: perMinute.default(5),
  customerSendEventRate: perMinute.default(60),
  customerOtherRate: perMinute.default(120),
  /** So many times that from one IP address; 0: as many as it likes. */
  customerAddressFactor: whole(0, 10_000).default(20),
  /** Threads that all customers of a license may begin in a minute; 0: as many as they like. */
  licenseStartChatRate: perMinute.default(600),
  /** The same of an agent: as many as it likes, unless set. */
  agentStartChatRate: perMinute.default(0),
  agentSendEventRate: perMinute.default(0),
  agentOtherRate: perMinute.default(0),
  /** Seconds that an agent or customer may be away before it counts as offline. */
  presenceGraceS: whole(1, 900).default(20),
  /** Milliseconds that the clocks of two functions may be apart. */
  clockSkewMs: whole(0, 10_000).default(250),
  /** Who signs the agents' tokens; all three or none. */
  issuer: https.optional(),
  audience: text(/./, 'must not be empty').optional(),
  jwksUrl: https.optional(),
  /**
   * `access`: tokens say that they are access tokens (`token_use`, or type `at+jwt`). `any`: they need not.
   */
  tokenType: oneOf(['access', 'any']).default('access'),
  /** The resource server whose scopes restrict agents, as `<name>/<scope>`; without it those of any count. */
  resourceServer: text(
    /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/,
    'must be the identifier of a resource server',
  ).optional(),
  /**
   * Where the stack's own user pool gives bots their tokens: the first part of its domain, one in its region.
   */
  botDomain: text(
    /^(?!.*(?:aws|amazon|cognito))[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be up to 63 small letters, digits and hyphens between them, without aws, amazon and cognito',
  ).optional(),
  /** The secret with the service account that sends mobile notifications; none are sent without. */
  fcmSecret: text(secret, 'must be the name of a secret or its whole ARN').optional(),
  /** Whether there is an event bus, to which licenses that want it send what happens in their chats. */
  events: flag.default(false),
  /** Who is written to when an alarm goes off. */
  alarmEmail: z.email('must be an e-mail address').optional(),
  /**
   * Whether to let API Gateway write logs: one setting per account and region, which this stack then sets.
   */
  gatewayLogs: oneOf(['set', 'keep']).default('set'),
  /**
   * The secret that a proxy before the customers' endpoint shows; without it the gateway says where they come
   * from.
   */
  proxySecret: text(secret, 'must be the name of a secret or its whole ARN').optional(),
  /** The header in which that proxy tells the visitor's address. */
  proxyAddressHeader: text(/^[A-Za-z0-9-]{1,64}$/, 'must be the name of a header').default(
    'CloudFront-Viewer-Address',
  ),
  /** The key that encrypts table, queues and logs; without it they are encrypted by keys of AWS. */
  kmsKey: text(kmsKeyArn, 'must be the ARN of a key').optional(),
  /** Where `npm run build` puts the bundles. */
  dist: text(/./, 'must be a folder').default(resolve(import.meta.dirname, '../../dist')),
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

/** A fault of the settings, for people: its message is all there is to say. */
export class SettingsError extends Error {}

/** Reads the settings from the context; throws a `SettingsError` with one sentence per wrong one. */
export const settingsFrom = (node: Node): StackSettings => {
  const names = Object.keys(Fields.shape)
  const given = names.map((name): [string, unknown] => [name, node.tryGetContext(name)])
  const parsed = Settings.safeParse(Object.fromEntries(given))
  const faults = [
    ...Object.keys(node.getAllContext())
      .filter((name) => !names.includes(name) && !isOfCdk(name))
      .map((name) => `-c ${name}: is no setting; did you mean ${nearest(name, names)}?`),
    ...(parsed.error?.issues ?? []).map((issue) => `-c ${issue.path.join('.')}: ${issue.message}`),
  ]
  if (parsed.success && faults.length === 0) return parsed.data
  throw new SettingsError(`The stack's settings are wrong. ${faults.join('; ')}`)
}

/**
 * What cdk and its command line keep in the context: `@aws-cdk/…`, `aws:cdk:…`, `vpc-provider:…` and two
 * more.
 */
const isOfCdk = (name: string): boolean =>
  name.startsWith('@') || name.includes(':') || ['acknowledged-issue-numbers', 'cli-telemetry'].includes(name)

const nearest = (name: string, names: readonly string[]): string | undefined => {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '')
  const far = (known: string) => distance(plain(name), plain(known))
  return names.toSorted((one, other) => far(one) - far(other))[0]
}

/** How many letters must be put in, left out or replaced to make the one text of the other. */
const distance = (one: string, other: string): number => {
  const letters = Array.from(other)
  let above = [...letters.keys(), letters.length]
  for (const [i, letter] of Array.from(one).entries()) {
    const row = [i + 1]
    for (const [j, at] of letters.entries()) {
      const [replaced = 0, leftOut = 0] = above.slice(j)
      row.push(Math.min(replaced + (letter === at ? 0 : 1), leftOut + 1, (row[j] ?? 0) + 1))
    }
    above = row
  }
  return above.at(-1) ?? 0
}
