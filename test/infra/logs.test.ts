import { beforeAll, expect, test, vi } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { type License, startWorld, type Visitor, type World } from '../support/world.ts'

// Every word that people write here begins so, and so do their names, addresses and tokens.
const mark = 'MARKED'
const secret = (what: string): string => `${mark}-${what}`

let world: World
beforeAll(async () => {
  process.env['DEPLOYMENT'] = 'Logged'
  world = await startWorld({ presenceGraceS: 1 })
})

/** Keeps what is written to the log. */
const listen = (): string[] => {
  const output: string[] = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      output.push(String(chunk))
      return true
    })
  return output
}

const properties = { [secret('space')]: { [secret('property')]: { value: secret('value') } } }
const message = { type: 'message', text: secret('text'), custom_id: secret('custom-id'), properties }
const details = {
  name: secret('customer-name'),
  email: `${mark}@customer.example.com`,
  properties: { [secret('field')]: secret('field-value') },
}
const device = { firebase_token: secret('device'), platform: 'ios' }

interface Scene {
  license: License
  chat_id: string
  thread_id: string
  event_id: string
  customer: string
}
type Frames = (scene: Scene) => [action: string, payload: object][]

/**
 * What agents may ask for, with something to keep secret wherever there is room. Closing and leaving come
 * last.
 */
const byAgents: Frames = ({ chat_id, thread_id, event_id, customer }) => [
  ['ping', { [secret('ping')]: secret('pong') }],
  ['start_chat', { chat: { properties, thread: { events: [message], properties } } }],
  [
    'get_filtered_chats',
    {
      filters: {
        properties: { [`${secret('space')}.${secret('property')}`]: { values: [secret('value')] } },
      },
    },
  ],
  ['sync', { cursor: secret('cursor') }],
  ['get_archives', { filters: { query: secret('query') } }],
  ['get_chat_threads', { chat_id }],
  ['list_agents_for_transfer', { chat_id }],
  ['follow_chat', { chat_id }],
  ['unfollow_chat', { chat_id }],
  ['send_event', { chat_id, event: message }],
  [
    'send_event',
    { chat_id, event: { type: 'custom', content: { [secret('content')]: [secret('content-value')] } } },
  ],
  [
    'send_event',
    { chat_id, event: { type: 'annotation', annotation_type: secret('kind'), text: secret('note') } },
  ],
  ['send_broadcast', { content: { [secret('broadcast')]: secret('content') } }],
  ['send_typing_indicator', { chat_id, is_typing: true }],
  ['mark_event_as_seen', { chat_id, event_id }],
  ['update_last_seen_timestamp', { chat_id }],
  ['update_chat_properties', { chat_id, properties }],
  ['update_chat_thread_properties', { chat_id, thread_id, properties }],
  ['tag_thread', { chat_id, thread_id, tag: secret('tag') }],
  ['untag_thread', { chat_id, thread_id, tag: secret('tag') }],
  ['update_chat_scopes', { chat_id, add_scopes: { agents: ['ben'] } }],
  ['update_agent', { routing_status: 'not_accepting_chats' }],
  ['change_push_notifications', { ...device, enabled: true }],
  ['join_chat', { chat_id, agent_ids: ['ann', 'ben'] }],
  ['transfer_chat', { chat_id, target: { type: 'agent', ids: ['ann', 'ben'] }, [secret('wish')]: true }],
  ['supervise_chat', { chat_id, agent_ids: ['cat'] }],
  ['remove_from_chat', { chat_id, agent_ids: ['ben'] }],
  [
    'login',
    { token: secret('token'), application: { name: secret('application') }, push_notifications: device },
  ],
  ['close_thread', { chat_id }],
  ['get_customer', { customer_id: customer }],
  ['update_customer', { customer_id: customer, customer: details }],
  ['ban_customer', { customer_id: customer, ban: { days: 3 } }],
  ['unban_customer', { customer_id: customer }],
  ['list_group_statuses', { group_ids: [1] }],
  ['logout', { firebase_token: secret('device') }],
]

const byCustomers: Frames = ({ chat_id, thread_id, event_id }) => [
  ['ping', { [secret('ping')]: secret('pong') }],
  ['start_chat', { chat: { properties, thread: { events: [message], properties } } }],
  ['get_chats_summary', {}],
  ['list_group_statuses', { group_ids: [1] }],
  ['get_chat_threads_summary', { chat_id }],
  ['get_chat_threads', { chat_id }],
  ['send_event', { chat_id, event: message }],
  ['send_sneak_peek', { chat_id, sneak_peek_text: secret('peek') }],
  ['send_typing_indicator', { chat_id, is_typing: true }],
  ['mark_event_as_seen', { chat_id, event_id }],
  ['update_last_seen_timestamp', { chat_id }],
  ['update_chat_properties', { chat_id, properties }],
  ['update_chat_thread_properties', { chat_id, thread_id, properties }],
  ['update_chat_scopes', { chat_id, add_scopes: { groups: [1] } }],
  ['update_customer', { customer: details }],
  ['login', { token: secret('token'), customer: details }],
  ['close_thread', { chat_id }],
]

/**
 * The same frame, wrong wherever it can be: with secrets in place of ids, of fields' names and of whole
 * values.
 */
const wrong = (payload: object): object[] => [
  Object.fromEntries(Object.keys(payload).map((name) => [name, secret(`in-place-of-${name}`)])),
  Object.fromEntries(Object.keys(payload).map((name) => [name, { [secret('nested')]: [secret('in')] }])),
  { ...payload, chat_id: secret('chat-id'), event_id: secret('event-id'), [secret('unknown')]: 1 },
]

const anyText = (request: object): string =>
  JSON.stringify(request).match(/MARKED[\w-]*/)?.[0] ?? secret('other')
const itemsOf = ({ TransactItems = [] }: any): any[] => TransactItems.map(({ Put }: any) => Put?.Item)

/** Ways of an engine to fail that repeat what it was told, or that the SDK cannot read. */
const faults: Record<string, (request: any) => Fault> = {
  'a validation that quotes': (request) => ({
    errorType: 'ValidationException',
    body: { message: `1 validation error detected: Value '${anyText(request)}' at 'key' is too long` },
  }),
  'a cancelled transaction with items': (request) => ({
    errorType: 'TransactionCanceledException',
    body: {
      message: `Transaction cancelled, please refer to "${anyText(request)}"`,
      CancellationReasons: (itemsOf(request).length > 0 ? itemsOf(request) : [request.Item]).map((Item) => ({
        Code: 'ItemCollectionSizeLimitExceeded',
        Message: secret('reason'),
        Item,
      })),
    },
  }),
  'an answer that is none': () => ({
    status: 400,
    body: { __type: { [secret('type')]: [secret('inner')] }, message: { [secret('message')]: 1 } },
  }),
  'an error of its own': (request) => ({
    errorType: 'StrangeException',
    body: { message: `"${anyText(request)}"` },
  }),
}

const openScene = async (): Promise<Scene & { ann: Client; visitor: Visitor }> => {
  const license = await world.license(
    {
      ann: { name: secret('ann'), email: `${mark}@agent.example.com`, permission: 'owner' },
      ben: { name: secret('ben'), avatar: `https://example.com/${mark}.png` },
      cat: {},
    },
    { groups: [secret('group')] },
  )
  const ann = await license.login('ann', { push_notifications: device })
  const visitor = await license.visit({ customer: details })
  const started = await visitor.client.ok('start_chat', { chat: { thread: { events: [message] } } })
  const [chat_id, thread_id] = [started.chat.id, started.chat.thread.id]
  return { license, ann, visitor, chat_id, thread_id, event_id: `${thread_id}_1`, customer: visitor.id }
}

/** Sends one after the other; resolves to those that were refused, with why. */
const sendAll = async (client: Client | CustomerClient, frames: [string, object][]): Promise<string[]> => {
  const refused: string[] = []
  for (const [action, payload] of frames) {
    const answer = await client.call(action, payload)
    if (!answer.success) refused.push(`${action} ${(answer.payload as any).error.type}`)
  }
  return refused
}

/** The lines since, each a JSON object. */
const linesOf = (text: string): any[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

test('every action is here', () => {
  const scene = { license: {} as License, chat_id: '', thread_id: '', event_id: '', customer: '' }
  const named = (frames: Frames) => [...new Set(frames(scene).map(([action]) => action))].sort()
  expect(named(byAgents)).toEqual(agentActions.map(({ name }) => name).sort())
  expect(named(byCustomers)).toEqual(customerActions.map(({ name }) => name).sort())
})

/** The engine fails with reads, with writes, and with all, in each way that is given. */
const expectNothingTold = async (failures: readonly (readonly [name: string, only: RegExp])[]) => {
  const output = listen()
  const before = world.requests.length
  const scene = await openScene()
  const { ann, visitor } = scene
  const tokens = [visitor.token, await scene.license.token('ann')]
  // who logs out is not closed a second later, but at the end
  const goOn = world.queue.hold()
  for (const [client, frames] of [
    [visitor.client, byCustomers],
    [ann, byAgents],
  ] as const) {
    expect(await sendAll(client, frames(scene))).toEqual(['login auth'])
    if (client === ann) await ann.ok('login', { token: tokens[1] })
    await Promise.all(
      frames(scene).flatMap(([action, payload]) => wrong(payload).map((other) => client.call(action, other))),
    )
    for (const text of [
      `{"action":"${mark}"}`,
      mark,
      `{"action":"ping","payload":"${mark}","id":{"${mark}":1}}`,
    ])
      client.send(text)
    for (let n = 0; n < 3; n += 1) await client.response()
  }
  await ann.call('login', { token: `Bearer ${tokens[1]}${mark}` })
  goOn()

  for (const [name, only] of failures) {
    const { ann, visitor, ...own } = await openScene()
    world.proxy.setFault(({ operation, request }) =>
      only.test(operation) ? faults[name]!(request) : undefined,
    )
    await sendAll(visitor.client, byCustomers(own))
    await sendAll(ann, byAgents(own))
    await expect(own.license.arrive(), name).rejects.toThrow()
    world.proxy.setFault(undefined)
  }

  // what is stored is not what the code takes it to be
  const broken = await openScene()
  for (const key of [keys.chat(broken.chat_id), keys.customer(broken.license.id, broken.customer)])
    await world.table.write.write({
      Put: { Item: { ...key, [secret('stored')]: secret('item'), version: secret('v') } },
    })
  await sendAll(broken.ann, byAgents(broken))
  await sendAll(broken.visitor.client, byCustomers(broken))

  // pushes that are late, and are given up
  const slow = await openScene()
  await slow.ann.ok('join_chat', { chat_id: slow.chat_id, agent_ids: ['ann'] })
  const refuse = { post: () => ({ status: 429, errorType: 'LimitExceededException' }) }
  for (const gateway of [world.gateway, world.customers]) gateway.setFaults(refuse)
  await slow.ann.ok('send_event', { chat_id: slow.chat_id, event: message })
  await world.queue.flush()
  await world.queue.flush()
  for (const gateway of [world.gateway, world.customers]) gateway.setFaults({})
  await world.settled()
  const ofClock: unknown = await world.tick(Date.now() + 3_600_000).catch((error: unknown) => error)
  await world.settled()

  vi.restoreAllMocks()
  const text = output.join('')
  const lines = linesOf(text)
  for (const hidden of [mark, ...tokens, ...tokens.map((token) => token.split('.').at(-1)!), 'Bearer'])
    expect(
      text.split('\n').find((line) => line.includes(hidden)),
      hidden,
    ).toBeUndefined()
  for (const line of lines) {
    expect(line).toMatchObject({
      level: expect.stringMatching(/^(INFO|WARN|ERROR)$/),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      request: expect.any(String),
      kind: expect.stringMatching(/^(agent|customer|socket|worker)$/),
      action: expect.any(String),
    })
    if (line.kind !== 'worker') expect(line, JSON.stringify(line)).toHaveProperty('connection')
  }
  const requests = world.requests.slice(before)
  const measured = lines.filter((line) => '_aws' in line)
  const told = lines.filter((line) => !('_aws' in line))
  // one line for each request that either gateway has had, under its id
  expect(
    measured
      .filter(({ kind }) => kind !== 'worker')
      .map(({ request }) => request)
      .sort(),
  ).toEqual(requests.map(({ requestId }) => requestId).sort())
  for (const action of ['notify', 'later', 'clock'])
    expect(
      measured.filter((line) => line.kind === 'worker' && line.action === action),
      action,
    ).not.toEqual([])
  // something was told at all: of each endpoint, of crashes and of pushes
  const causes = told.filter(({ cause }) => cause !== undefined)
  for (const kind of ['agent', 'customer', 'worker'])
    expect(
      causes.filter((line) => line.kind === kind),
      kind,
    ).not.toEqual([])
  for (const { cause } of causes) expect(cause).toMatch(/^[\w$]+(: .+)?(\n|$)/)
  expect(told.map((line) => line.message)).toContain('A push was given up')
  // what Lambda itself logs of a handler that throws
  const thrown = [ofClock, ...requests.map(({ error }) => error)].filter((error) => error instanceof Error)
  expect(thrown).toContain(ofClock)
  expect(thrown.length).toBeGreaterThan(1)
  for (const error of thrown)
    for (const name of Object.getOwnPropertyNames(error))
      expect(String(Reflect.get(error, name)), name).not.toContain(mark)
}

const [reads, writes] = [/Get|Query/, /Put|Update|Delete|Transact/]
const title =
  'no line of the log holds what people wrote, what they are called or what lets them in; each says whose it is'
const names = Object.keys(faults)
test(`${title}, where the engine fails`, { tags: ['full'] }, () => expectNothingTold([[names[0]!, reads]]))
test(`${title}, however the engine fails`, { tags: ['full'] }, () =>
  expectNothingTold(
    names.flatMap(
      (name) =>
        [
          [name, reads],
          [name, writes],
        ] as const,
    ),
  ),
)
