import { expect, test } from 'vitest'
import {
  actionGrants,
  customerKeyGrant,
  mobileGrant,
  socketGrants,
  workerGrants,
  type Grant,
} from '../../infra/grants.ts'
import { addressPk, keys } from '../../shared/table/keys.ts'

const spelled = (grants: readonly Grant[]) =>
  grants.map(
    ({ sid, actions, on, leadingKeys }) =>
      `${sid}: ${actions.join(' ')} on ${on}${leadingKeys ? ` where ${leadingKeys.join(' ')}` : ''}`,
  )

const counters = 'Counters: dynamodb:UpdateItem on table where ADDRESS#* COUNT#*'
const session = [
  'Session: dynamodb:GetItem on table where SOCKET#*',
  counters,
  'Later: sqs:SendMessage on later',
]
const read = ['Read: dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query on table']
const write = [
  'Write: dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:ConditionCheckItem on table',
]
const push = [
  'Push: execute-api:ManageConnections on posts',
  'SocketRows: dynamodb:DeleteItem dynamodb:UpdateItem on table where SOCKET#* LICENSE#*#SOCKETS CUSTOMER#*#SOCKETS',
]

test.each([
  { needs: [], session: 'none', grants: session },
  { needs: [], session: 'required', grants: session },
  { needs: [], session: 'login', grants: session },
  { needs: ['read'], session: 'required', grants: [...session, ...read] },
  { needs: ['write'], session: 'required', grants: [...session, ...write] },
  { needs: ['push'], session: 'required', grants: [...session, ...push] },
  { needs: ['read', 'push'], session: 'none', grants: [...session, ...read, ...push] },
  {
    needs: ['push', 'fan_out'],
    session: 'required',
    grants: [...session, ...push, 'FanOut: lambda:InvokeFunction on fanOut'],
  },
  {
    needs: ['look'],
    session: 'login',
    grants: [...session, 'Look: execute-api:ManageConnections on looks'],
  },
  { needs: ['read', 'write', 'push'], session: 'login', grants: [...session, ...read, ...write, ...push] },
] as const)('an action with needs $needs and session $session may do just that', ({ grants, ...spec }) => {
  expect(spelled(actionGrants(spec))).toEqual(grants)
})

test('the gateway’s own routes may write and delete their socket, and nothing else', () => {
  const connect = 'Connect: dynamodb:PutItem on table where SOCKET#*'
  const later = 'Later: sqs:SendMessage on later'
  expect(spelled(socketGrants.connect)).toEqual([connect, counters, later])
  expect(spelled(socketGrants.disconnect)).toEqual([
    'Disconnect: dynamodb:DeleteItem on table where SOCKET#* LICENSE#*#SOCKETS CUSTOMER#*#SOCKETS',
  ])
  expect(spelled(socketGrants.default)).toEqual(session)
})

test('customers’ $connect may besides look at licences, and count by address', () => {
  expect(spelled(socketGrants.connectCustomer)).toEqual([
    'Connect: dynamodb:PutItem on table where SOCKET#*',
    'License: dynamodb:GetItem on table where LICENSE#*',
    counters,
    'Later: sqs:SendMessage on later',
  ])
})

test('the patterns for keys take the keys that they are for', () => {
  const patterns = [
    ...socketGrants.connectCustomer,
    ...socketGrants.disconnect,
    ...workerGrants.index,
  ].flatMap((grant) => ('leadingKeys' in grant ? (grant.leadingKeys ?? []) : []))
  const takes = (pk: string) =>
    patterns.filter((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(pk))
  expect(takes(keys.customerSocket('l', 'c', 'x=').pk)).toEqual(['CUSTOMER#*#SOCKETS'])
  expect(takes(keys.customer('l', 'c').pk)).toEqual([])
  expect(takes(keys.minute(addressPk('10.0.0.1'), 7).pk)).toEqual(['ADDRESS#*'])
  expect(takes(keys.license('l').pk)).toEqual(['LICENSE#*'])
  expect(takes(keys.socket('x=').pk)).toEqual(['SOCKET#*', 'SOCKET#*'])
  for (const key of [keys.chat('c'), keys.manifest('c', 1), keys.words('c', 1, 0)])
    expect(takes(key.pk)).toEqual(['CHAT#*'])
  for (const key of [keys.posting('l', 'T.all', { at: 0, id: 'c_1' }), keys.mark('l', 'T.all', '2026-01')])
    expect(takes(key.pk)).toEqual(['INDEX#*'])
  expect(takes(keys.load('l', 'a').pk)).toEqual(['LICENSE#*'])
})

const worker = [
  ...read,
  ...write,
  ...push,
  'Close: execute-api:ManageConnections on closings',
  'Later: sqs:SendMessage on later',
]
const ofStream = [
  'Stream: dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams on stream',
  'Failures: sqs:SendMessage on failures',
]
test('workers may read, write, push, close and put off, and read what feeds them', () => {
  expect(spelled(workerGrants.clock)).toEqual(worker)
  expect(spelled(workerGrants.later)).toEqual([
    ...worker,
    'Receive: sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes on later',
  ])
  expect(spelled(workerGrants.notify)).toEqual([...worker, ...ofStream])
})

test('what posts to many may push, and put off what does not get through, and nothing else', () => {
  expect(spelled(workerGrants.fan_out)).toEqual([
    ...push,
    'Later: sqs:SendMessage on later',
    'Failures: sqs:SendMessage on failures',
  ])
})

test('the index’s worker reads, writes the index and what it notes beside chats, and nothing else', () => {
  expect(spelled(workerGrants.index)).toEqual([
    ...read,
    'Manifests: dynamodb:PutItem on table where CHAT#*',
    'Index: dynamodb:BatchWriteItem on table where INDEX#*',
    ...ofStream,
  ])
})

test('where mobile notifications are sent, their secret may be read, and nothing else with it', () => {
  expect(spelled([mobileGrant])).toEqual(['MobileSecret: secretsmanager:GetSecretValue on fcmSecret'])
})

test('where customers log in, the key of their tokens may be read, and nothing else with it', () => {
  expect(spelled([customerKeyGrant])).toEqual(['CustomerKey: secretsmanager:GetSecretValue on customerKey'])
})

test('no grant scans or has a wildcard action', () => {
  const all = [
    ...actionGrants({ needs: ['read', 'write', 'push', 'fan_out', 'look'] }),
    ...Object.values(socketGrants).flat(),
    ...Object.values(workerGrants).flat(),
    mobileGrant,
    customerKeyGrant,
  ]
  for (const action of all.flatMap((grant) => grant.actions)) expect(action).not.toMatch(/\*|Scan|PartiQL/)
})
