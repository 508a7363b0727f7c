import { expect, test } from 'vitest'
import {
  actionGrants,
  customerKeyGrant,
  leadingKeys,
  eventsGrant,
  mobileGrant,
  socketGrants,
  takes,
  workerGrants,
  type Grant,
} from '../../infra/stack/grants.ts'
import type { Family } from '../../shared/protocol/action.ts'
import { addressPk, agentCounterPk, audiencePk, keys } from '../../shared/table/keys.ts'

const where = (items: readonly Family[]): string => {
  const { like, not } = leadingKeys(items)
  return ` where ${like.join(' ')}${not.length > 0 ? ` but ${not.join(' ')}` : ''}`
}
const spelled = (grants: readonly Grant[]) =>
  grants.map(
    ({ sid, actions, on, items }) => `${sid}: ${actions.join(' ')} on ${on}${items ? where(items) : ''}`,
  )

const counters = 'Counters: dynamodb:UpdateItem on table where ADDRESS#* COUNT#*#*'
const session = [
  'Session: dynamodb:GetItem on table where SOCKET#*',
  counters,
  'Later: sqs:SendMessage on later',
]
const readAll = ['Read: dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query on table']
const common = 'LICENSE#* CUSTOMER#*#* CHAT#* SOCKET#* LICENSE#*#SOCKETS AUDIENCE#*#* CUSTOMER#*#*#SOCKETS'
const reading = (keys: string) => [`${readAll[0]} where ${keys}`]
const read = reading(
  `${common} but LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED LICENSE#*#LOAD`,
)
const write = (keys: string) => [
  `Write: dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:ConditionCheckItem on table where ${keys}`,
]
const rows = 'SOCKET#* LICENSE#*#SOCKETS AUDIENCE#*#* CUSTOMER#*#*#SOCKETS'
const push = [
  'Push: execute-api:ManageConnections on posts',
  `SocketRows: dynamodb:DeleteItem dynamodb:UpdateItem on table where ${rows}`,
]

test.each([
  { needs: [], session: 'none', grants: session },
  { needs: [], session: 'required', grants: session },
  { needs: [], session: 'login', grants: session },
  { needs: ['read'], session: 'required', grants: [...session, ...read] },
  {
    needs: ['read'],
    alsoReads: ['loads', 'device'],
    session: 'required',
    grants: [
      ...session,
      ...reading(
        `${common} LICENSE#*#LOAD DEVICE#* but LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED`,
      ),
    ],
  },
  { needs: [], writes: ['chat'], session: 'required', grants: [...session, ...write('CHAT#*')] },
  { needs: ['push'], session: 'required', grants: [...session, ...push] },
  { needs: ['read', 'push'], session: 'none', grants: [...session, ...read, ...push] },
  {
    needs: ['push', 'fan_out'],
    session: 'required',
    grants: [...session, ...push, 'FanOut: lambda:InvokeFunction on fanOut'],
  },
  {
    needs: ['connection_status'],
    session: 'login',
    grants: [...session, 'Look: execute-api:ManageConnections on looks'],
  },
  {
    needs: ['read', 'push'],
    writes: ['chat', 'loads'],
    session: 'login',
    grants: [...session, ...read, ...push, ...write('CHAT#* LICENSE#*#LOAD')],
  },
] as const)(
  'an action with needs $needs $alsoReads, writes $writes and session $session may do just that',
  (row) => {
    const { grants, ...spec } = row
    expect(spelled(actionGrants({ ...spec, socketOnly: true }))).toEqual(grants)
    expect(spelled(actionGrants({ ...spec, by: 'customer' }))).toEqual(grants)
  },
)

test('an action that agents may ask for over HTTP may look up whose token it is, beside', () => {
  const own = where(['identity', 'account'])
  expect(spelled(actionGrants({ needs: [] })).toSorted()).toEqual(
    [...session, `Token: dynamodb:GetItem on table${own}`].toSorted(),
  )
})

test.each([
  { items: ['chat'], like: ['CHAT#*'], not: [] },
  {
    items: ['account', 'loads'],
    like: ['LICENSE#*', 'LICENSE#*#LOAD'],
    not: [
      'LICENSE#*#SOCKETS',
      'LICENSE#*#CHATS',
      'LICENSE#*#ACTIVE',
      'LICENSE#*#WAITING',
      'LICENSE#*#CHANGED',
    ],
  },
  { items: ['customer'], like: ['CUSTOMER#*#*'], not: ['CUSTOMER#*#*#SOCKETS'] },
  { items: ['customer', 'customerSockets'], like: ['CUSTOMER#*#*', 'CUSTOMER#*#*#SOCKETS'], not: [] },
] as const)('of $items the keys are those of no family that is not named', ({ items, ...expected }) => {
  expect(leadingKeys(items)).toEqual(expected)
})

/** A key of each family, of ids that look like parts of keys. */
const oneOf = (id: string): Record<Family, string> => ({
  licenses: keys.licenseListed(id).pk,
  account: keys.agent(id, id).pk,
  agentSockets: keys.agentSocket(id, id, id).pk,
  audience: audiencePk(id, id),
  chats: keys.chatListed(id, id).pk,
  activeChats: keys.activeChat(id, id).pk,
  waitingChats: keys.waitingChat(id, id).pk,
  changedChats: keys.changedChat(id, 1, id).pk,
  loads: keys.load(id, id).pk,
  groupStatuses: keys.groupStatuses(id).pk,
  identity: keys.identity(id, id).pk,
  customer: keys.customer(id, id).pk,
  customerSockets: keys.customerSocket(id, id, id).pk,
  address: keys.minute(addressPk(id), 0).pk,
  count: keys.minute(agentCounterPk(id, id), 0).pk,
  socket: keys.socket(id).pk,
  device: keys.device(id).pk,
  chat: keys.chat(id).pk,
  postings: keys.posting(id, id, { at: 0, id }).pk,
  marks: keys.mark(id, id, '2026-01').pk,
  keptCounts: keys.keptCount(id, id, '2026-01').pk,
})

test.each(['l', 'SOCKETS', 'a#SOCKETS', '#ACTIVE', '*', 'LIST', 'x#LIST#y', '%23'])(
  'a grant on one family takes keys of it alone, also with the id %s',
  (id) => {
    const all = Object.entries(oneOf(id)) as [Family, string][]
    for (const [family] of all) {
      const { like, not } = leadingKeys([family])
      const taken = all.filter(
        ([, pk]) => like.some((one) => takes(one, pk)) && !not.some((one) => takes(one, pk)),
      )
      expect(taken.map(([name]) => name)).toEqual([family])
    }
  },
)

test('the gateway’s own routes may write and delete their socket, and nothing else', () => {
  const connect = 'Connect: dynamodb:PutItem on table where SOCKET#*'
  const later = 'Later: sqs:SendMessage on later'
  expect(spelled(socketGrants.connect)).toEqual([connect, counters, later])
  expect(spelled(socketGrants.disconnect)).toEqual([`Disconnect: dynamodb:DeleteItem on table where ${rows}`])
  expect(spelled(socketGrants.default)).toEqual(session)
})

test('customers’ $connect may besides look at licenses, and count by address', () => {
  expect(spelled(socketGrants.connectCustomer)).toEqual([
    'Connect: dynamodb:PutItem on table where SOCKET#*',
    'License: dynamodb:GetItem on table where LICENSE#* but LICENSE#*#SOCKETS LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED LICENSE#*#LOAD',
    counters,
    'Later: sqs:SendMessage on later',
  ])
})

const accounts = 'LICENSE#*'
const threads = 'LICENSE#*#CHANGED LICENSE#*#LOAD'
const routed = `CHAT#* LICENSE#*#ACTIVE LICENSE#*#WAITING ${threads}`
const worker = (keys: string, but = 'LICENSE#*#CHATS') => [
  ...readAll,
  ...write(`${keys} ${rows} but ${but}`),
  ...push,
  'Close: execute-api:ManageConnections on closings',
  'Later: sqs:SendMessage on later',
]
const ofStream = [
  'Stream: dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams on stream',
  'Failures: sqs:SendMessage on failures',
]
const index = 'Index: dynamodb:BatchWriteItem on table where INDEX#*#LIST#*#* INDEX#*#MARKS#*'
test('workers may read, write what they name and connections, push, close and put off, and read what feeds them', () => {
  expect(spelled(workerGrants.clock)).toEqual(worker(`${accounts} ${routed}`))
  expect(spelled(workerGrants.later)).toEqual([
    ...worker(
      `${accounts} CUSTOMER#*#* ${routed} STATUS#*#GROUPS INDEX#*#LIST#*#* INDEX#*#MARKS#* INDEX#*#COUNTS#* COUNT#*#*`,
    ),
    index,
    'Receive: sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes on later',
  ])
  expect(spelled(workerGrants.notify)).toEqual([
    ...worker(
      `${accounts} DEVICE#* CHAT#* LICENSE#*#ACTIVE ${threads} STATUS#*#GROUPS`,
      'LICENSE#*#CHATS LICENSE#*#WAITING',
    ),
    ...ofStream,
  ])
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
    ...readAll,
    'Manifests: dynamodb:PutItem dynamodb:UpdateItem on table where CHAT#*',
    index,
    'Words: dynamodb:UpdateItem on table where COUNT#*#*',
    'Later: sqs:SendMessage on later',
    ...ofStream,
  ])
})

test('where mobile notifications are sent, their secret may be read, and nothing else with it', () => {
  expect(spelled([mobileGrant])).toEqual(['MobileSecret: secretsmanager:GetSecretValue on fcmSecret'])
})

test('where there is an event bus, events may be put on it, and nothing else', () => {
  expect(spelled([eventsGrant])).toEqual(['Events: events:PutEvents on eventBus'])
})

test('where customers log in, the key of their tokens may be read, and nothing else with it', () => {
  expect(spelled([customerKeyGrant])).toEqual(['CustomerKey: secretsmanager:GetSecretValue on customerKey'])
})

test('no grant scans or has a wildcard action', () => {
  const all = [
    ...actionGrants({ needs: ['read', 'push', 'fan_out', 'connection_status'], writes: ['chat'] }),
    ...Object.values(socketGrants).flat(),
    ...Object.values(workerGrants).flat(),
    mobileGrant,
    eventsGrant,
    customerKeyGrant,
  ]
  for (const action of all.flatMap((grant) => grant.actions)) expect(action).not.toMatch(/\*|Scan|PartiQL/)
})
