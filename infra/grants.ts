import type { ActionSpec, Need } from '../shared/protocol/action.ts'
import { chatPk, keys, licensePk, socketsPk } from '../shared/table/keys.ts'

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
  | 'proxySecret'
  | 'customerKey'

/** One statement of a policy, as data. `leadingKeys`: only items whose partition key matches one of these. */
export interface Grant {
  readonly sid: string
  readonly actions: readonly string[]
  readonly on: Target
  readonly leadingKeys?: readonly string[]
}

const socketPks = keys.socket('*').pk
const agentSocketPks = socketsPk('*')
const customerSocketPks = 'CUSTOMER#*#SOCKETS'
const counterPks = ['ADDRESS#*', 'COUNT#*']
const indexPks = 'INDEX#*'

const later: Grant = { sid: 'Later', actions: ['sqs:SendMessage'], on: 'later' }

const session: Grant = {
  sid: 'Session',
  actions: ['dynamodb:GetItem'],
  on: 'table',
  leadingKeys: [socketPks],
}

const counters: Grant = {
  sid: 'Counters',
  actions: ['dynamodb:UpdateItem'],
  on: 'table',
  leadingKeys: counterPks,
}

// Queries are for the table alone: there is no index, and no `Scan` anywhere.
const needed: Record<Need, readonly Grant[]> = {
  read: [
    { sid: 'Read', actions: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query'], on: 'table' },
  ],
  write: [
    {
      sid: 'Write',
      actions: [
        'dynamodb:PutItem',
        'dynamodb:UpdateItem',
        'dynamodb:DeleteItem',
        'dynamodb:ConditionCheckItem',
      ],
      on: 'table',
    },
  ],
  push: [
    { sid: 'Push', actions: ['execute-api:ManageConnections'], on: 'posts' },
    {
      sid: 'SocketRows',
      actions: ['dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
      on: 'table',
      leadingKeys: [socketPks, agentSocketPks, customerSocketPks],
    },
  ],
  fan_out: [{ sid: 'FanOut', actions: ['lambda:InvokeFunction'], on: 'fanOut' }],
  look: [{ sid: 'Look', actions: ['execute-api:ManageConnections'], on: 'looks' }],
}

const close: Grant = { sid: 'Close', actions: ['execute-api:ManageConnections'], on: 'closings' }
const worker: readonly Grant[] = [...needed.read, ...needed.write, ...needed.push, close, later]

/** What an action's function may touch: its `needs`, its session, the counters of rate limits, and `later`. */
export const actionGrants = ({ needs }: Pick<ActionSpec, 'needs'>): readonly Grant[] => [
  session,
  counters,
  later,
  ...needs.flatMap((need) => needed[need]),
]

const connect: Grant = {
  sid: 'Connect',
  actions: ['dynamodb:PutItem'],
  on: 'table',
  leadingKeys: [socketPks],
}

/** What the functions behind the gateway's own routes may touch: `$disconnect` and `$default` are alike on both endpoints. */
export const socketGrants = {
  connect: [connect, counters, later],
  connectCustomer: [
    connect,
    { sid: 'License', actions: ['dynamodb:GetItem'], on: 'table', leadingKeys: [licensePk('*')] },
    counters,
    later,
  ],
  disconnect: [
    {
      sid: 'Disconnect',
      actions: ['dynamodb:DeleteItem'],
      on: 'table',
      leadingKeys: [socketPks, agentSocketPks, customerSocketPks],
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
  leadingKeys: [indexPks],
}

/** What the workers may touch. */
export const workerGrants = {
  notify: [...worker, ...ofStream],
  index: [
    ...needed.read,
    // what it notes beside a chat
    {
      sid: 'Manifests',
      actions: ['dynamodb:PutItem'],
      on: 'table',
      leadingKeys: [chatPk('*')],
    },
    indexing,
    later,
    ...ofStream,
  ],
  later: [
    ...worker,
    indexing,
    {
      sid: 'Receive',
      actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
      on: 'later',
    },
  ],
  clock: worker,
  fan_out: [...needed.push, later, failures],
} as const satisfies Record<string, readonly Grant[]>

/** Beside its own: what `notify` may do where mobile notifications are sent. */
export const mobileGrant: Grant = {
  sid: 'MobileSecret',
  actions: ['secretsmanager:GetSecretValue'],
  on: 'fcmSecret',
}

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
