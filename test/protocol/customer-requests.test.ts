import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { customerPropertiesFault } from '../../shared/protocol/customer-fields.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { message } from '../support/events.ts'
import { faultsOf } from './faults.ts'

// Which payloads the customers' actions take, as data. What a text, an event, a property or a filter may be
// is tested with these (fields, events, properties); here is that each action takes them where it should.

const many = <T>(count: number, item: (i: number) => T) => Array.from({ length: count }, (_, i) => item(i))
const numbered = (count: number) => Object.fromEntries(many(count, (i) => [`n${i}`, 'x']))
const urlOf = (bytes: number) => 'https://shop.example/'.padEnd(bytes, 'x')
const half = 'half \ud800'
const long = (bytes: number) => `Too long: at most ${bytes} bytes of UTF-8`

/** A request of each action that is right, whatever of it is optional included. */
const details = {
  name: ' <b>Zoë</b> ',
  email: 'zoe at example',
  properties: { plan: 'gold', 'a.b c': '', gone: null },
  monitoring: {
    page: { url: 'https://a.example/?q=ü', title: '<i>', referrer: 'http://b.example/' },
    timezone: 'Europe/Warsaw',
  },
}
const properties = { ns: { a: { value: 1 } } }
const said = { ...message('hi'), custom_id: 'c-1', recipients: 'all', properties }
const right: Record<string, object> = {
  ping: {},
  login: { token: 't', customer: details, last_threads_limit: 5 },
  update_customer: { customer: details },
  start_chat: {
    chat: { scopes: { groups: [1] }, properties, events: [said], thread: { events: [said], properties } },
  },
  send_event: { chat_id: 'c', event: said },
  send_sneak_peek: { chat_id: 'c', sneak_peek_text: 'I am' },
  send_typing_indicator: { chat_id: 'c', is_typing: true },
  close_thread: { chat_id: 'c' },
  mark_event_as_seen: { chat_id: 'c', event_id: 'c_1_1' },
  update_last_seen_timestamp: { chat_id: 'c', timestamp: 5 },
  update_chat_scopes: { chat_id: 'c', add_scopes: { groups: [1] }, remove_scopes: { groups: [2] } },
  update_chat_properties: { chat_id: 'c', properties },
  update_chat_thread_properties: { chat_id: 'c', thread_id: 'c_1', properties },
  get_chats_summary: { pagination: { page: 9, limit: 25 } },
  list_group_statuses: { group_ids: [1, 2] },
  get_chat_threads: { chat_id: 'c', thread_ids: ['c_1'], before_order: 5, limit: 100 },
  get_chat_threads_summary: { chat_id: 'c', pagination: { offset: 5000, limit: 1000 } },
}

/**
 * One field's values that are refused; the answer names `at`, the field itself by default, with this
 * sentence.
 */
type Wrong = [field: string, values: unknown[], sentence?: string | undefined, at?: string]
const id = [undefined, null, 5, '', 'x'.repeat(129), ['c'], half]
const oneOf =
  'Must be one of message, annotation, filled_form, custom; system_message and file are made by the server'
const manyGroups = { groups: many(101, (i) => i) }
const tooLarge = { a: { x: 'x'.repeat(4000), y: 'y'.repeat(4000), z: 'z'.repeat(400) } }

const wrongScopes = (field: string): Wrong[] => [
  [field, [[1], 1, 'Sales']],
  [`${field}.groups`, [1, {}]],
  [field, [manyGroups], 'At most 100 entries', `${field}.groups`],
  [field, [{ groups: [1, 'Sales'] }, { groups: [1, 1.5] }], 'A group id is an integer', `${field}.groups.1`],
]
const wrongProperties = (field: string): Wrong[] => [
  [field, [[], 'x', 1]],
  [
    field,
    [{ routing: { idle: false } }, { routing: { idle: null } }, { routing: {} }],
    'The namespace routing is set by the server alone',
    `${field}.routing`,
  ],
  [field, [{ 'a b': { x: 1 } }], 'A namespace is 1-64 letters, digits, _ and -', `${field}.a b`],
  [field, [1.5, 2 ** 53, [1], { value: {} }].map((x) => ({ a: { x } })), undefined, `${field}.a.x`],
]
const wrongEvents = (field: string): Wrong[] => [
  [field, [{}, 'x']],
  [field, [many(21, () => message('x'))], 'At most 20 initial events'],
  [field, [[said, { type: 'system_message', text: 'x' }]], oneOf, `${field}.1.type`],
  [field, [[message('')]], 'Must not be empty', `${field}.0.text`],
]
const page = 'customer.monitoring.page'
const wrongDetails: Wrong[] = [
  ['customer', ['Carl', 5, []]],
  ...['customer.name', 'customer.email'].flatMap((field): Wrong[] => [
    [field, [5, {}, half]],
    [field, ['x'.repeat(257), `x${'é'.repeat(128)}`], long(256)],
  ]),
  ['customer.properties', ['x', 1, ['x']]],
  ['customer.properties', [numbered(51)], 'At most 50 properties'],
  ['customer.properties', [{ a: 'é'.repeat(1024), b: 'x'.repeat(2034) }], 'At most 4096 bytes in all'],
  ['customer.properties.bad', [1, true, {}, { value: 'x' }, ['x'], half, 'x'.repeat(4097)]],
  ['customer.properties.', ['x']],
  [`customer.properties.x${'é'.repeat(128)}`, ['x']],
  ['customer.properties', [JSON.parse('{"__proto__":"x"}')], undefined, 'customer.properties.__proto__'],
]

const wrong: Record<string, Wrong[]> = {
  login: [...wrongDetails, ['last_threads_limit', [0, 26, -1, 1.5, '5', true, [5]]]],
  update_customer: [...wrongDetails, ['customer', [undefined, null]]],
  start_chat: [
    ['chat', ['x', [], 5]],
    ['chat.thread', ['x', []]],
    ...wrongScopes('chat.scopes'),
    ...['chat.events', 'chat.thread.events'].flatMap(wrongEvents),
    ...['chat.properties', 'chat.thread.properties'].flatMap((field): Wrong[] => [
      ...wrongProperties(field),
      [field, [tooLarge], 'At most 8192 bytes'],
    ]),
  ],
  send_event: [
    ['event', [undefined, null, 'hi', []]],
    ['event.type', ['system_message', 'file', 'constructor', null, undefined], oneOf],
    ['event.text', [undefined, null, 5, '', 'x'.repeat(16_385), 'é'.repeat(8193), half]],
    ['event.custom_id', ['', 'x'.repeat(129)]],
    ...wrongProperties('event.properties'),
    ['event', [{ type: 'annotation' }], undefined, 'event.annotation_type'],
    ['event', [{ type: 'filled_form' }], undefined, 'event.fields'],
    ['event', [{ type: 'custom', content: [1] }], 'Must be a JSON object', 'event.content'],
  ],
  send_sneak_peek: [
    ['sneak_peek_text', [undefined, null, 5, { text: 'x' }, half]],
    ['sneak_peek_text', ['x'.repeat(16_385), `${'é'.repeat(8192)}x`], long(16_384)],
  ],
  send_typing_indicator: [['is_typing', [undefined, null, 1, 'yes', 'TRUE', {}], 'Must be true or false']],
  mark_event_as_seen: [['event_id', id]],
  update_last_seen_timestamp: [['timestamp', ['now', 1.5, -1, [1]]]],
  update_chat_scopes: ['add_scopes', 'remove_scopes'].flatMap(wrongScopes),
  update_chat_properties: [['properties', [undefined, null]], ...wrongProperties('properties')],
  update_chat_thread_properties: [
    ['thread_id', id],
    ['properties', [undefined, null]],
    ...wrongProperties('properties'),
  ],
  list_group_statuses: [
    ['group_ids', ['x', {}]],
    ['group_ids', [many(101, (n) => n)], 'At most 100 entries'],
    ['group_ids', [['x'], [1.5]], undefined, 'group_ids.0'],
  ],
  get_chats_summary: [
    ['pagination', ['first', []]],
    ['pagination.page', [0, 1.5, '1']],
    ['pagination.limit', [0, 26, 'all']],
  ],
  get_chat_threads: [
    ['thread_ids', ['x']],
    ['thread_ids', [many(101, (n) => `c_${n}`)], 'At most 100 entries'],
    ['thread_ids', [[5], ['']], undefined, 'thread_ids.0'],
    ...['before_order', 'limit'].map((field): Wrong => [field, [-1, 1.5, '1', true, []]]),
    ['limit', [0, 101]],
    ['after_order', [0, 1], 'before_order and after_order exclude each other'],
    [
      'thread_ids',
      [undefined, null, [], ['c_1', 'c_2']],
      'before_order and after_order need exactly one entry here',
    ],
  ],
  get_chat_threads_summary: [
    ['pagination', ['all', []]],
    ['pagination.offset', [-1, 1.5, '1']],
    ['pagination.limit', [0, 1001, true]],
  ],
}

/** One field's value that is taken, and as what, itself by default. */
type Taken = [field: string, value: unknown, as?: unknown]
const absent = undefined
const empty = (...fields: string[]): Taken[] => fields.map((field) => [field, null, absent])
/** What a browser says of itself: what does not fit is cut or left out, and nothing is refused. */
const takenOfBrowsers: Taken[] = [
  ...['customer.monitoring', page].flatMap((field): Taken[] =>
    ['https://a.example', 5, true, [{ url: 'https://a.example/' }]].map((value) => [field, value, absent]),
  ),
  // with no link to a page browsers say so by an empty referrer
  ...[`${page}.url`, `${page}.referrer`].flatMap((field): Taken[] => [
    ...[
      ...[
        '',
        1,
        {},
        ['https://a.example'],
        half,
        'javascript:alert(1)',
        'data:text/html,x',
        'ftp://a.example',
      ],
      ...[
        'android-app://com.google.android.gm/',
        'file:///android_asset/www/index.html',
        'ionic://localhost',
      ],
      ...['capacitor://localhost/', 'about:blank', '/cart', 'a.example', 'https://', ' https://a'],
    ].map((value): Taken => [field, value, absent]),
    ...['http://127.0.0.1:4000/#a', 'HTTPS://A.example'].map((value): Taken => [field, value]),
    [field, urlOf(2048)],
    [field, urlOf(2049), urlOf(2048)],
    [field, `${urlOf(2047)}éé`, urlOf(2047)],
    [field, 'https://a.example/?q=\ud83d', 'https://a.example/?q='],
  ]),
  ...[5, {}, '', '\udc00'].map((value): Taken => [`${page}.title`, value, absent]),
  [`${page}.title`, 'x'.repeat(512)],
  [`${page}.title`, 'é'.repeat(8192), 'é'.repeat(256)],
  [`${page}.title`, `${'x'.repeat(510)}😀`, 'x'.repeat(510)],
  [`${page}.title`, 'Sale \ud83d', 'Sale '],
  ...[5, {}, ''].map((value): Taken => ['customer.monitoring.timezone', value, absent]),
  ['customer.monitoring.timezone', 'Mars/Olympus_Mons'],
  ['customer.monitoring.timezone', 'x'.repeat(300), 'x'.repeat(256)],
]
const takenDetails: Taken[] = [
  ...empty('customer.name', 'customer.email', 'customer.properties', 'customer.monitoring'),
  ...empty(page, `${page}.url`, `${page}.title`, `${page}.referrer`, 'customer.monitoring.timezone'),
  ...['customer.name', 'customer.email'].flatMap((field): Taken[] => [
    [field, '', absent],
    [field, 'é'.repeat(128)],
  ]),
  ...takenOfBrowsers,
  ['customer.properties', { ...numbered(50), gone: null, too: null }],
  ['customer.properties', { a: 'é'.repeat(1024), b: 'x'.repeat(2033) }],
  ['customer.properties', { ['é'.repeat(128)]: 'x', constructor: 'x', toString: null, 'a#b': 'x' }],
  ['customer', { ...details, id: 'mine', type: 'agent', banned: false, present: true }, details],
  [
    'customer.monitoring',
    { ...details.monitoring, ip: '10.0.0.1', user_agent: 'x', stats: { visits_count: 9 } },
    details.monitoring,
  ],
  [page, { ...details.monitoring.page, opened_timestamp: 1 }, details.monitoring.page],
]
const input = { source: { type: 'widget', gone: null }, other: { gone: { value: null } } }
const change = {
  source: { type: { value: 'widget' }, gone: { value: null } },
  other: { gone: { value: null } },
}
const set = { source: { type: { value: 'widget' } } }

const taken: Record<string, Taken[]> = {
  login: [
    ...takenDetails,
    ...empty('customer', 'last_threads_limit'),
    ['last_threads_limit', 1],
    ['last_threads_limit', 25],
    // the answer to any of these is auth, which the schema cannot give
    ...[1, {}, [], '', true].map((token): Taken => ['token', token]),
  ],
  update_customer: [...takenDetails, ['customer', {}]],
  start_chat: [
    ...empty('chat', 'chat.scopes', 'chat.properties', 'chat.events', 'chat.thread'),
    ...empty('chat.scopes.groups', 'chat.thread.events', 'chat.thread.properties'),
    ['chat.scopes', { groups: ['1', 2, 1], agents: ['ann'] }, { groups: [1, 2] }],
    ...['chat.events', 'chat.thread.events'].flatMap((field): Taken[] => [
      [field, many(20, () => ({ ...said, recipients: 'agents' })), many(20, () => said)],
      [field, []],
    ]),
    ...['chat.properties', 'chat.thread.properties'].map((field): Taken => [field, input, set]),
    ['chat', { users: [{ id: 'x', type: 'customer' }], id: 'y', active: false }, {}],
  ],
  send_event: [
    ['event.text', 'x'.repeat(16_384)],
    ...['agents', 'nobody', 1, null, undefined].map((one): Taken => ['event.recipients', one, 'all']),
    ...empty('event.custom_id', 'event.properties'),
    ['event.properties', input, set],
    ['event', { ...said, id: 'x', author_id: 'ann', order: 1, timestamp: 1 }, said],
    ...[
      { type: 'annotation', annotation_type: 'rating' },
      { type: 'filled_form', fields: [{ type: 'text', name: 'n', label: 'l' }] },
    ].map((event): Taken => ['event', event, { ...event, recipients: 'all' }]),
    [
      'event',
      { type: 'custom', content: { a: 1 } },
      { type: 'custom', content: '{"a":1}', recipients: 'all' },
    ],
  ],
  send_sneak_peek: [
    ['sneak_peek_text', ''],
    ['sneak_peek_text', 'é'.repeat(8192)],
  ],
  send_typing_indicator: [
    ['is_typing', false],
    ['is_typing', 'true', true],
    ['is_typing', 'false', false],
  ],
  update_last_seen_timestamp: [...empty('chat_id', 'timestamp'), ['timestamp', 0]],
  update_chat_scopes: ['add_scopes', 'remove_scopes'].flatMap((field): Taken[] => [
    ...empty(field, `${field}.groups`),
    [field, { groups: ['3', 3], agents: [1] }, { groups: [3] }],
  ]),
  update_chat_properties: [
    ['properties', input, change],
    ['properties', {}],
  ],
  update_chat_thread_properties: [['properties', input, change]],
  list_group_statuses: [...empty('group_ids'), ['group_ids', ['3', 3, 1], [3, 1]]],
  get_chats_summary: [
    ...empty('pagination', 'pagination.page', 'pagination.limit'),
    ['pagination', { page: 1, limit: 1 }],
  ],
  get_chat_threads: [
    ...empty('before_order', 'limit'),
    ['thread_ids', ['c_1', 'c_1'], ['c_1']],
    ['before_order', 0],
  ],
  get_chat_threads_summary: [
    ...empty('pagination', 'pagination.offset', 'pagination.limit'),
    ['pagination', { offset: 0, limit: 1 }],
  ],
}

const valueAt = (payload: any, field: string): unknown =>
  field.split('.').reduce((inner, name) => inner?.[name], payload)
/** The right request of an action, but for this field. */
const having = (action: string, field: string, value: unknown): object => {
  const payload = structuredClone(right[action])
  const parents = field.split('.')
  const name = parents.pop() ?? ''
  Object.assign(valueAt(payload, parents.join('.')) ?? payload ?? {}, { [name]: value })
  return payload ?? {}
}
const short = (value: unknown) => JSON.stringify([value]).slice(1, 60)

test('there is a right request of each action', () => {
  expect(Object.keys(right).toSorted()).toEqual(customerActions.map(({ name }) => name).toSorted())
})

describe.each(customerActions.map((spec) => [spec.name, spec] as const))('%s', (name, spec) => {
  const outputOf = (payload: unknown) => JSON.parse(JSON.stringify(z.parse(spec.request, payload)))

  test('takes what is right and drops what it does not know', () => {
    const payload = right[name]
    expect(faultsOf(spec, payload)).toEqual([])
    expect(outputOf(payload)).toEqual(payload)
    expect(outputOf({ ...payload, routing_scope: 'x', version: 1 })).toEqual(payload)
  })

  test.each(taken[name] ?? [])('takes %s (row %#)', (field, value, ...as) => {
    const payload = having(name, field, value)
    expect(faultsOf(spec, payload), short(value)).toEqual([])
    expect(valueAt(outputOf(payload), field)).toEqual(as.length > 0 ? as[0] : value)
  })

  const chats: Wrong[] = 'chat_id' in (right[name] ?? {}) ? [['chat_id', id]] : []
  const optional = name === 'update_last_seen_timestamp'
  test.each([...chats, ...(wrong[name] ?? [])])(
    'names %s where it is wrong',
    (field, values, sentence, at = field) => {
      for (const value of values) {
        if (optional && field === 'chat_id' && (value ?? null) === null) continue
        expect(faultsOf(spec, having(name, field, value)), short(value)).toEqual([
          { path: `payload.${at}`, message: sentence ?? expect.stringMatching(/./) },
        ])
      }
    },
  )
})

test.each([
  'login',
  'ping',
  'start_chat',
  'get_chats_summary',
  'list_group_statuses',
  'update_last_seen_timestamp',
])('%s needs nothing', (name) => {
  for (const spec of customerActions.filter((one) => one.name === name))
    expect(faultsOf(spec, {})).toEqual([])
})

test('get_chat_threads pages one thread, forwards as well', () => {
  const [spec] = customerActions.filter(({ name }) => name === 'get_chat_threads')
  const faults = (more: object) => spec && faultsOf(spec, { chat_id: 'c', after_order: 1, ...more })
  expect(faults({ thread_ids: ['c_1'] })).toEqual([])
  expect(faults({})).toMatchObject([{ path: 'payload.thread_ids' }])
})

test('a request that is wrong in several places is told of each', () => {
  const [sendEvent] = customerActions.filter(({ name }) => name === 'send_event')
  expect(sendEvent && faultsOf(sendEvent, { event: { type: 'message', text: 5 } })).toMatchObject([
    { path: 'payload.chat_id' },
    { path: 'payload.event.text' },
  ])
})

test('properties of a customer are measured as they will stand, in bytes of UTF-8 of their JSON', () => {
  expect(customerPropertiesFault({ a: 'é'.repeat(1024), b: 'x'.repeat(2033) })).toBeUndefined()
  expect(customerPropertiesFault({ a: 'é'.repeat(1024), b: 'x'.repeat(2034) })).toBe(
    'At most 4096 bytes in all',
  )
  expect(customerPropertiesFault(numbered(50))).toBeUndefined()
  expect(customerPropertiesFault(numbered(51))).toBe('At most 50 properties')
})
