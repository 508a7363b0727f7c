import { socketWrites, workerWrites } from '../../shared/platform/writes.ts'
import { type ActionSpec, type Family, isOverHttp, type Need } from '../../shared/protocol/action.ts'
import { common, families } from '../../shared/table/families.ts'
import type { SocketFamily } from '../../shared/table/sockets.ts'

/** What a function may touch; the stack knows the ARNs. */
export type Target =
  | 'table'
  | 'stream'
  | 'later'
  | 'failures'
  | 'posts'
  | 'closings'
  | 'looks'
  | 'fanOut'
  | 'fcmSecret'
  | 'eventBus'
  | 'proxySecret'
  | 'customerKey'

/** One statement of a policy, as data. `items`: only those of these families. */
export interface Grant {
  readonly sid: string
  readonly actions: readonly string[]
  readonly on: Target
  readonly items?: readonly Family[]
}

/**
 * The partition keys of families, as patterns of IAM. `*` goes on over `#`, so that the pattern of an account
 * takes the keys of its license's lists as well: where these are not named themselves, they are `not` among
 * the keys.
 */
export const leadingKeys = (named: readonly Family[]): { like: string[]; not: string[] } => {
  const like = named.map((family) => families[family])
  const others = Object.values(families).filter((pattern) => !like.includes(pattern))
  return { like, not: others.filter((other) => like.some((pattern) => takes(pattern, other))) }
}

/** Whether IAM takes a key for one of a pattern. */
export const takes = (pattern: string, key: string): boolean =>
  new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(key)

/** A grant on these resources as a policy's statement. */
export const statementOf = ({ sid, actions, items }: Grant, arns: readonly string[]) => ({
  Sid: sid,
  Effect: 'Allow',
  Action: actions,
  Resource: arns,
  ...(items && { Condition: conditionOn(leadingKeys(items)) }),
})

const conditionOn = ({ like, not }: ReturnType<typeof leadingKeys>) => ({
  'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': like },
  ...(not.length > 0 && { 'ForAllValues:StringNotLike': { 'dynamodb:LeadingKeys': not } }),
  // ForAllValues also holds where a request names no key at all
  Null: { 'dynamodb:LeadingKeys': 'false' },
})

const later: Grant = { sid: 'Later', actions: ['sqs:SendMessage'], on: 'later' }

const session: Grant = {
  sid: 'Session',
  actions: ['dynamodb:GetItem'],
  on: 'table',
  items: ['socket'],
}

/** Whose token it is, of requests over HTTP. */
const token: Grant = {
  sid: 'Token',
  actions: ['dynamodb:GetItem'],
  on: 'table',
  items: ['identity', 'account'],
}

const counters: Grant = {
  sid: 'Counters',
  actions: ['dynamodb:UpdateItem'],
  on: 'table',
  items: ['address', 'count'],
}

const connections: readonly SocketFamily[] = ['socket', 'agentSockets', 'audience', 'customerSockets']

// Queries are for the table alone: there is no index, and no `Scan` anywhere.
const read = (items?: readonly Family[]): Grant => ({
  sid: 'Read',
  actions: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query'],
  on: 'table',
  ...(items && { items }),
})

const needed: Record<Exclude<Need, 'read'>, readonly Grant[]> = {
  push: [
    { sid: 'Push', actions: ['execute-api:ManageConnections'], on: 'posts' },
    {
      sid: 'SocketRows',
      actions: ['dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
      on: 'table',
      items: connections,
    },
  ],
  fan_out: [{ sid: 'FanOut', actions: ['lambda:InvokeFunction'], on: 'fanOut' }],
  connection_status: [{ sid: 'Look', actions: ['execute-api:ManageConnections'], on: 'looks' }],
}

// one statement for all families: the keys of a transaction may be looked at together
const write = (items: readonly Family[]): Grant => ({
  sid: 'Write',
  actions: ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:ConditionCheckItem'],
  on: 'table',
  items,
})

const close: Grant = { sid: 'Close', actions: ['execute-api:ManageConnections'], on: 'closings' }
const worker = (writes: readonly Family[]): readonly Grant[] => [
  read(),
  write([...writes, ...connections]),
  ...needed.push,
  close,
  later,
]

/**
 * What an action's function may touch: what it needs and writes, its session or its token's agent, the
 * counters of rate limits, and `later`.
 */
export const actionGrants = ({
  needs,
  alsoReads = [],
  writes,
  ...by
}: Pick<ActionSpec, 'needs' | 'alsoReads' | 'writes' | 'by' | 'socketOnly'>): readonly Grant[] => [
  session,
  ...(isOverHttp(by) ? [token] : []),
  counters,
  later,
  ...needs.flatMap((need) => (need === 'read' ? read([...common, ...alsoReads]) : needed[need])),
  ...(writes === undefined ? [] : [write(writes)]),
]

const connect: Grant = {
  sid: 'Connect',
  actions: ['dynamodb:PutItem'],
  on: 'table',
  items: ['socket'],
}

/**
 * What the functions behind the gateway's own routes may touch: `$disconnect` and `$default` are alike on
 * both endpoints.
 */
export const socketGrants = {
  connect: [connect, counters, later],
  connectCustomer: [
    connect,
    { sid: 'License', actions: ['dynamodb:GetItem'], on: 'table', items: ['account'] },
    counters,
    later,
  ],
  disconnect: [
    {
      sid: 'Disconnect',
      actions: ['dynamodb:DeleteItem'],
      on: 'table',
      items: socketWrites.disconnect,
    },
  ],
  default: [session, counters, later],
} as const satisfies Record<string, readonly Grant[]>

const failures: Grant = { sid: 'Failures', actions: ['sqs:SendMessage'], on: 'failures' }
const ofStream: readonly Grant[] = [
  {
    sid: 'Stream',
    // Lambda's poller reads with the function's role, and refuses a mapping without these four.
    actions: [
      'dynamodb:DescribeStream',
      'dynamodb:GetRecords',
      'dynamodb:GetShardIterator',
      'dynamodb:ListStreams',
    ],
    on: 'stream',
  },
  failures,
]

const indexing: Grant = {
  sid: 'Index',
  actions: ['dynamodb:BatchWriteItem'],
  on: 'table',
  items: ['postings', 'marks'],
}

/** What the workers may touch. */
export const workerGrants = {
  notify: [...worker(workerWrites.notify), ...ofStream],
  index: [
    read(),
    // what it notes beside a chat
    {
      sid: 'Manifests',
      actions: ['dynamodb:PutItem', 'dynamodb:UpdateItem'],
      on: 'table',
      items: ['chat'],
    },
    indexing,
    {
      sid: 'Words',
      actions: ['dynamodb:UpdateItem'],
      on: 'table',
      items: ['count'],
    },
    later,
    ...ofStream,
  ],
  later: [
    ...worker(workerWrites.later),
    indexing,
    {
      sid: 'Receive',
      actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
      on: 'later',
    },
  ],
  clock: worker(workerWrites.clock),
  fan_out: [...needed.push, later, failures],
} as const satisfies Record<string, readonly Grant[]>

/** Beside its own: what `notify` may do where mobile notifications are sent. */
export const mobileGrant: Grant = {
  sid: 'MobileSecret',
  actions: ['secretsmanager:GetSecretValue'],
  on: 'fcmSecret',
}

/** Beside its own: what `notify` may do where there is an event bus. */
export const eventsGrant: Grant = { sid: 'Events', actions: ['events:PutEvents'], on: 'eventBus' }

/** Beside its own: what the customers' `login` may do, which alone signs and verifies their tokens. */
export const customerKeyGrant: Grant = {
  sid: 'CustomerKey',
  actions: ['secretsmanager:GetSecretValue'],
  on: 'customerKey',
}

/** Beside its own: what the customers' `$connect` may do where a proxy stands before it. */
export const proxyGrant: Grant = {
  sid: 'ProxySecret',
  actions: ['secretsmanager:GetSecretValue'],
  on: 'proxySecret',
}
