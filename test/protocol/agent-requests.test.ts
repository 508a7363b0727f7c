import { pushKinds } from '../../shared/protocol/push-kinds.ts'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { readFrame } from '../../shared/protocol/envelope.ts'
import { faultsOf } from './faults.ts'

// What agents may send, field by field (protocol §3, §5, §8), without a socket: events, properties and
// filters have files of their own, here stands where they are. That a fault is answered as `validation`,
// before anything else of the payload counts, is proved on the wire (test/agent/envelope.test.ts).

/**
 * A value that is refused, the place in it that is complained of, and our own sentence where there is one.
 */
type Wrong = [value: unknown, at?: string | undefined, sentence?: string | undefined]
/** What a field is made of; the first of `fits` stands in the whole request. */
interface Part {
  fits: readonly unknown[]
  wrong: readonly Wrong[]
  isNeeded?: true
}
const needed = (part: Part): Part => ({ ...part, isNeeded: true })

const several = <T>(count: number, item: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => item(i))
const named = (count: number, value: unknown) => Object.fromEntries(several(count, (i) => [`n${i}`, value]))
const tooLong = (bytes: number) => `Too long: at most ${bytes} bytes of UTF-8`
const half = 'Not well-formed Unicode: half a surrogate pair'
const empty = 'Must not be empty'

const text = (bytes: number): Part => ({
  fits: ['x', 'x'.repeat(bytes)],
  wrong: [
    [5],
    [['x']],
    ['x'.repeat(bytes + 1), '', tooLong(bytes)],
    ['a\ud800', '', half],
    ['\udfff', '', half],
  ],
})
const id: Part = {
  fits: ['x', 'é'.repeat(64), '#', '__proto__'],
  wrong: [...text(128).wrong, ['', '', empty], [`${'é'.repeat(64)}x`, '', tooLong(128)]],
}
const tag: Part = {
  fits: ['x', 'Refund', ' ', '#', 'é'.repeat(32), '__proto__'],
  wrong: [...text(64).wrong, ['', '', empty], [`${'é'.repeat(32)}x`, '', tooLong(64)]],
}
const tags: Part = {
  fits: [['x', 'x'], [], Array.from({ length: 100 }, (_, i) => `tag ${i}`)],
  wrong: [
    ...['x', {}].map((value): Wrong => [value]),
    ...tag.wrong.map(([value, , sentence]): Wrong => [['x', value], '1', sentence]),
    [Array.from({ length: 101 }, (_, i) => `tag ${i}`), '', 'At most 100 entries'],
  ],
}
const ids = (most: number, what: Wrong[] = []): Part => ({
  fits: [['x', 'x'], several(most, String)],
  wrong: [
    ...['x', {}, 1].map((value): Wrong => [value]),
    ...id.wrong.map(([value, , sentence]): Wrong => [['x', value], '1', sentence]),
    [[null], '0'],
    [several(most + 1, String), '', `At most ${most} entries`],
    ...what,
  ],
})
const groupId = 'A group id is an integer'
const groups: Part = {
  fits: [[1, '2'], [0, -3], several(100, Number)],
  wrong: [
    [1],
    ...['A', '', '1.5', '0x1', null, true].map((value): Wrong => [[1, value], '1', groupId]),
    // zod's own sentences for integers
    ...[1.5, 2 ** 60].map((value): Wrong => [[1, value], '1']),
    [several(101, Number), '', 'At most 100 entries'],
  ],
}
const within = (field: string, { wrong }: Part): Wrong[] =>
  wrong.map(([value, at = '', sentence]) => [
    { [field]: value },
    at === '' ? field : `${field}.${at}`,
    sentence,
  ])
const scopes: Part = {
  fits: [{ groups: [1], agents: ['x'] }, {}, { groups: null, agents: null, teams: ['x'] }],
  wrong: [[[]], ['all'], ...within('groups', groups), ...within('agents', ids(100))],
}
const flag: Part = {
  fits: [true, false, 'true', 'false'],
  wrong: ['yes', 'True', '', 1, [true]].map((value) => [value, '', 'Must be true or false']),
}
/** One of these words, and none of `others`. */
const oneOf = (values: string[], ...others: string[]): Part => ({
  fits: values,
  wrong: [[''], ['x'], [true], [[values[0]]], ...others.map((other): Wrong => [other])],
})
const whole = (from: number, to: number, sentence?: string): Part => ({
  fits: [from, to],
  wrong: [[from - 1, '', sentence], [to + 1, '', sentence], [1.5], ['1'], [true], [[1]]],
})

const valueSentence = 'A property is a string of at most 4096 bytes, a boolean or an integer within 2^53'
const properties: Part = {
  fits: [{ a: { x: 1, y: { value: 'y' } } }, {}, named(20, { x: true }), { a: named(100, 1) }],
  wrong: [
    ...[[], 'a.x', 1].map((value): Wrong => [value]),
    ...[null, 1].map((value): Wrong => [{ a: value }, 'a']),
    [{ 'a.b': { x: 1 } }, 'a.b', 'A namespace is 1-64 letters, digits, _ and -'],
    [{ a: { 'x y': 1 } }, 'a.x y', 'A name is 1-64 letters, digits, ., _ and -'],
    [{ a: { x: 1.5 } }, 'a.x', valueSentence],
    [{ a: { x: 'x'.repeat(4097) } }, 'a.x', valueSentence],
    [{ a: { x: { value: 'é'.repeat(2049) } } }, 'a.x.value', tooLong(4096)],
    [{ routing: { idle: null } }, 'routing', 'The namespace routing is set by the server alone'],
    [named(21, { x: 1 }), '', 'At most 20 namespaces'],
    [{ a: named(101, 1) }, 'a', 'At most 100 names'],
    [{ a: { x: 'x'.repeat(4000), y: 'x'.repeat(4000), z: 'x'.repeat(4000) } }, '', 'At most 8192 bytes'],
  ],
}
/**
 * A change is measured in full once it is merged (test/chat/properties.test.ts): at most twice the limit
 * comes.
 */
const change: Part = {
  ...properties,
  wrong: [...properties.wrong.slice(0, -1), [{ a: named(100, 'x'.repeat(200)) }, '', 'At most 8192 bytes']],
}
const message = { type: 'message', text: 'hi' }
const event: Part = {
  fits: [message, { ...message, custom_id: null, recipients: null, properties: null }],
  wrong: [
    ...[[message], 'hello', 1].map((value): Wrong => [value]),
    [{ text: 'hello' }, 'type'],
    [{ type: 'file', url: 'https://example.com/a.png' }, 'type'],
    [{ type: 'message' }, 'text'],
    [{ ...message, text: 'é'.repeat(8193) }, 'text', tooLong(16_384)],
    ...within('custom_id', id).map(([value, at, sentence]): Wrong => [
      { ...message, ...(value as object) },
      at,
      sentence,
    ]),
    [{ ...message, recipients: 'customers' }, 'recipients'],
    [{ ...message, properties: { routing: { x: 1 } } }, 'properties.routing'],
    [{ type: 'annotation', text: 'x' }, 'annotation_type'],
    [{ type: 'filled_form', fields: [{ type: 'password', name: 'n', label: 'l' }] }, 'fields.0.type'],
    [{ type: 'custom', content: [] }, 'content', 'Must be a JSON object'],
  ],
}
const clientsOnly: Part = {
  ...event,
  wrong: [...event.wrong, [{ type: 'system_message', text: 'x', system_message_type: 'mine' }, 'type']],
}
const system = (system_message_type?: string) => ({ type: 'system_message', text: 'x', system_message_type })
const initialEvents: Part = {
  fits: [[message, system('mine'), system()], [], several(20, () => message)],
  wrong: [
    ...[{}, 'x'].map((value): Wrong => [value]),
    ...event.wrong.map(([value, at = '', sentence]): Wrong => [
      ...([[message, value], at === '' ? '1' : `1.${at}`, sentence] as const),
    ]),
    [
      [message, system('agent_left')],
      '1.system_message_type',
      'This type is reserved for the server: use another, or none',
    ],
    [[message, { type: 'system_message' }], '1.text'],
    [several(21, () => message), '', 'At most 20 initial events'],
  ],
}
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) })
const content: Part = {
  fits: [{}, nested(64), { t: 'ä'.repeat(8188) }],
  wrong: [
    ...['hello', 5, true, [{}]].map((value): Wrong => [value, '', 'Must be a JSON object']),
    [nested(65), '', 'At most 64 levels deep'],
    [{ t: `${'ä'.repeat(8188)}x` }, '', 'Too long: at most 16384 bytes of JSON'],
  ],
}
const oneType = 'Name one filter type for a property: exists, values or exclude_values'
const filters: Part = {
  fits: [{ 'a.x': { exists: true }, a: { y: { values: [1] } } }, {}, { a: {} }],
  wrong: [
    ...[[], 'a.x', true].map((value): Wrong => [value]),
    [{ a: 1 }, 'a', 'A property is named as {"namespace": {"name": …}} or as "namespace.name"'],
    [{ 'a.x': { exists: null } }, 'a.x', oneType],
    [{ 'a.x': { exists: true }, a: { x: { values: [1] } } }, 'a.x', oneType],
    [{ 'a.x': { exists: 1 } }, 'a.x.exists', 'Must be true or false'],
    [{ 'a.x': { values: [1, 0.5] } }, 'a.x.values.1', valueSentence],
    [{ a: { x: { exclude_values: several(101, Number) } } }, 'a.x.exclude_values', 'At most 100 values'],
    [{ a: named(101, { exists: true }) }, '', 'At most 100 properties can be filtered by'],
  ],
}
const pagination: Part = {
  fits: [
    { page: 1, limit: 100 },
    {},
    { page: null, limit: null },
    { page: Number.MAX_SAFE_INTEGER, limit: 1 },
  ],
  wrong: [
    [2],
    [[1, 25]],
    ...within('page', whole(1, Number.MAX_SAFE_INTEGER)),
    ...within('limit', whole(1, 100)),
  ],
}
const day: Part = {
  fits: ['2016-12-31', '0000-01-01', '9999-12-31', '2016-02-29', '2000-02-29'],
  wrong: [
    ...[
      ...['2016-02-30', '2016-13-01', '2016-00-10', '2016-01-00', '2015-02-29', '1900-02-29', '2016-1-1'],
      ...['16-01-01', '2016/01/01', '20160101', '01-01-2016', '2016-01-01T00:00:00Z', ' 2016-01-01', ''],
      ...['2016-01-01\n', ' ', 'today', '-2016-01-01', '+002016-01-01', '２０１６-01-01'],
    ].map((value): Wrong => [value, '', 'A date is a day that there is, as YYYY-MM-DD']),
    ...[20_160_101, 0, true, ['2016-01-01'], { date: '2016-01-01' }].map((value): Wrong => [value]),
  ],
}
const firebaseToken: Part = { ...text(1024), wrong: [...text(1024).wrong, ['', '', empty]] }
const platform = oneOf(['ios', 'android'], 'web')
const customerUser = { id: 'x', type: 'customer' }
const customers: Part = {
  fits: [[customerUser], []],
  wrong: [
    ...[customerUser, 'x'].map((value): Wrong => [value]),
    [['x'], '0'],
    [[{ type: 'customer' }], '0.id'],
    [[{ id: 'x' }], '0.type'],
    [[{ id: 'x', type: 'agent' }], '0.type', 'Must be customer: agents are added by join_chat'],
    [[{ ...customerUser, id: 'x'.repeat(129) }], '0.id', tooLong(128)],
    [[customerUser, customerUser], '', 'At most one customer'],
  ],
}
const said = ['x', '', 'x'.repeat(257), 5, ['x'], 'a\ud800']
const anObject: Part = { fits: [{}], wrong: [[[]], ['x'], [5]] }

const chatId = { chat_id: needed(id) }
const events = { initial_events: initialEvents, 'chat.thread.events': initialEvents }
/**
 * Every action, with its fields by their paths. A login's token is `auth` whatever it is, and has its own
 * tests.
 */
const requests: Record<string, Record<string, Part>> = {
  login: {
    reconnect: flag,
    // what an app says of itself refuses nothing
    application: { fits: [{}, [], 'x', 5], wrong: [] },
    'application.name': { fits: said, wrong: [] },
    'application.version': { fits: said, wrong: [] },
    pushes: {
      fits: [[], ['incoming_event'], ['thread_closed', 'thread_closed']],
      wrong: [
        ['incoming_event'],
        [['incoming'], '0', `Unknown push. Known are: ${Object.keys(pushKinds).join(', ')}`],
        [[5], '0'],
      ],
    },
    chats: oneOf(['accessible', 'my'], 'all'),
    push_notifications: { ...anObject, fits: [{ firebase_token: 'x', platform: 'ios' }] },
    'push_notifications.firebase_token': needed(firebaseToken),
    'push_notifications.platform': needed(platform),
  },
  ping: { cursor: flag },
  start_chat: {
    chat: anObject,
    'chat.users': customers,
    'chat.properties': properties,
    'chat.scopes': scopes,
    'chat.thread': anObject,
    'chat.thread.properties': properties,
    'chat.thread.scopes': scopes,
    ...events,
  },
  send_event: { ...chatId, event: needed(clientsOnly) },
  join_chat: { ...chatId, agent_ids: needed(ids(20, [[[], '', 'Name at least one agent']])) },
  supervise_chat: { ...chatId, agent_ids: { ...ids(20), fits: [['x'], [], several(20, String)] } },
  remove_from_chat: { ...chatId, agent_ids: ids(20), customer_ids: ids(20) },
  close_thread: { ...chatId, thread_id: id },
  transfer_chat: {
    ...chatId,
    target: {
      fits: [
        { type: 'agent', ids: ['x'] },
        { type: 'group', ids: [1, '2'] },
      ],
      wrong: [
        [[]],
        ['x'],
        [{ type: 'team', ids: ['x'] }, 'type'],
        ...[{ type: 'agent' }, { type: 'group' }].map((value): Wrong => [value, 'ids']),
        [{ type: 'agent', ids: [] }, 'ids', 'Name at least one'],
        [{ type: 'group', ids: ['x'] }, 'ids.0', groupId],
      ],
    },
    ignore_agents_availability: flag,
    ignore_requester_presence: flag,
  },
  list_agents_for_transfer: chatId,
  logout: { firebase_token: firebaseToken },
  list_group_statuses: { group_ids: groups },
  follow_chat: chatId,
  unfollow_chat: chatId,
  get_chat_threads: { ...chatId, thread_ids: ids(100), limit: whole(1, 100) },
  sync: {
    cursor: needed({ fits: ['', 'x', 'x'.repeat(1000)], wrong: [[5], [true], [{}], [[]]] }),
    limit: whole(1, 100),
  },
  get_filtered_chats: {
    filters: anObject,
    'filters.include_active': flag,
    'filters.properties': filters,
    pagination,
  },
  get_archives: {
    filters: anObject,
    'filters.query': {
      fits: ['hello', '', ' \t\u3000'],
      wrong: [[5], [['hello']], ['hello \ud800', '', half]],
    },
    'filters.date_from': day,
    'filters.date_to': day,
    'filters.agent_ids': ids(100),
    'filters.agents': ids(100),
    'filters.customer_ids': ids(100),
    'filters.team_ids': groups,
    'filters.properties': filters,
    'filters.tags': { fits: [{}, { exists: 'true', values: null }], wrong: [[[]], ['refund'], [true]] },
    'filters.tags.exists': flag,
    'filters.tags.values': tags,
    'filters.tags.exclude_values': tags,
    pagination,
  },
  mark_event_as_seen: { ...chatId, event_id: needed(id) },
  update_last_seen_timestamp: { ...chatId, timestamp: whole(0, Number.MAX_SAFE_INTEGER) },
  send_typing_indicator: {
    ...chatId,
    is_typing: needed(flag),
    recipients: oneOf(['all', 'agents'], 'customers'),
  },
  send_broadcast: { content: needed(content), scopes },
  update_chat_scopes: { ...chatId, add_scopes: scopes, remove_scopes: scopes },
  update_chat_properties: { ...chatId, properties: needed(change) },
  update_chat_thread_properties: { ...chatId, thread_id: needed(id), properties: needed(change) },
  tag_thread: { ...chatId, thread_id: needed(id), tag: needed(tag) },
  untag_thread: { ...chatId, thread_id: needed(id), tag: needed(tag) },
  update_agent: {
    agent_id: id,
    routing_status: needed(
      oneOf(['accepting_chats', 'not_accepting_chats', 'offline'], 'online', 'accepting chats'),
    ),
  },
  change_push_notifications: {
    firebase_token: needed(firebaseToken),
    platform: needed(platform),
    enabled: needed(flag),
  },
  get_customer: { customer_id: needed(id) },
  update_customer: {
    customer_id: needed(id),
    customer: needed(anObject),
    'customer.name': text(256),
    'customer.email': text(256),
    'customer.properties': {
      fits: [{ a: 'b', c: null }, {}, named(50, 'x')],
      wrong: [
        ...['x', 5, []].map((value): Wrong => [value]),
        [{ a: 5 }, 'a'],
        [{ a: 'x'.repeat(4097) }, 'a', tooLong(4096)],
        [named(51, 'x'), '', 'At most 50 properties'],
        [named(3, 'x'.repeat(2000)), '', 'At most 4096 bytes in all'],
      ],
    },
  },
  ban_customer: {
    customer_id: needed(id),
    ban: needed({ fits: [{ days: 1 }], wrong: [[5], [[]]] }),
    'ban.days': needed(whole(1, 3650, 'A ban lasts 1-3650 days')),
  },
  unban_customer: { customer_id: needed(id) },
}

const specOf = (name: string) => agentActions.find((one) => one.name === name)!
/** The payload with this value in this place; undefined takes away what stood there. */
const put = (payload: object, path: string, value: unknown): object => {
  const changed = structuredClone(payload)
  const [last = '', ...parents] = path.split('.').toReversed()
  const place = parents.reduceRight<any>((at, key) => (at[key] ??= {}), changed)
  place[last] = value
  return changed
}
const wholeOf = (name: string): object =>
  Object.entries(requests[name] ?? {}).reduce((made, [path, { fits }]) => put(made, path, fits[0]), {})
const shown = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 100)

test('what agents may send is written down for every action', () => {
  expect(Object.keys(requests).toSorted()).toEqual(agentActions.map(({ name }) => name).toSorted())
})

describe.each(Object.entries(requests))('a request %s', (name, fields) => {
  const spec = specOf(name)
  const asked = wholeOf(name)

  test('is taken with whatever fits, and without what is optional: null is absence', () => {
    expect(faultsOf(spec, asked)).toEqual([])
    for (const [path, { fits, isNeeded }] of Object.entries(fields))
      for (const value of [...fits, ...(isNeeded === true ? [] : [undefined, null])])
        expect(faultsOf(spec, put(asked, path, value)), `${path} ${shown(value)}`).toEqual([])
  })

  test('is read without the fields that it does not know', () => {
    const more = { routing_scope: 'x', version: 3, author_id: 'eve', active: true, license_id: 'other' }
    expect(z.parse(spec.request, { ...more, ...asked })).toEqual(z.parse(spec.request, asked))
  })

  test('is refused with the place of what is wrong', () => {
    for (const [path, { wrong, isNeeded }] of Object.entries(fields))
      for (const [value, at = '', sentence] of [
        ...wrong,
        ...(isNeeded === true ? [[undefined], [null]] : []),
      ])
        expect(faultsOf(spec, put(asked, path, value)), `${path} ${shown(value)}`).toEqual([
          {
            path: ['payload', path, ...(at === '' ? [] : [at])].join('.'),
            message: sentence ?? expect.stringMatching(/./),
          },
        ])
  })
})

describe('a request', () => {
  const faults = (name: string, payload: object) => faultsOf(specOf(name), payload).map(({ path }) => path)

  test('is told all that is wrong with it at once', () => {
    const wrong = { query: 5, date_from: '2016-02-30', agents: [''], properties: { a: 1 } }
    expect(
      faults('get_archives', { filters: wrong, pagination: { page: 0, limit: 101 } }).toSorted(),
    ).toEqual([
      ...['payload.filters.agents.0', 'payload.filters.date_from', 'payload.filters.properties.a'],
      ...['payload.filters.query', 'payload.pagination.limit', 'payload.pagination.page'],
    ])
    expect(faults('change_push_notifications', {})).toEqual([
      ...['payload.firebase_token', 'payload.platform', 'payload.enabled'],
    ])
  })

  test('get_chat_threads names one thread where it names an order, before it or after it', () => {
    const chat_id = 'c'
    for (const name of ['before_order', 'after_order']) {
      for (const order of [0, 1, 99_999_999, Number.MAX_SAFE_INTEGER, null])
        expect(faults('get_chat_threads', { chat_id, thread_ids: ['t', 't'], [name]: order })).toEqual([])
      for (const order of [-1, 1.5, '1', true, [], 2 ** 53])
        expect(faults('get_chat_threads', { chat_id, thread_ids: ['t'], [name]: order })).toEqual([
          `payload.${name}`,
        ])
      for (const thread_ids of [undefined, null, [], ['t', 'u']])
        expect(faults('get_chat_threads', { chat_id, thread_ids, [name]: 1 })).toEqual(['payload.thread_ids'])
    }
    const both = { chat_id, thread_ids: ['t'], before_order: 2, after_order: 0 }
    expect(faults('get_chat_threads', both)).toEqual(['payload.after_order'])
  })

  test('update_agent names a change: other fields are none', () => {
    for (const change of [{}, { agent_id: 'ann' }, { routing_status: null }, { status: 'accepting_chats' }])
      expect(faultsOf(specOf('update_agent'), change)).toEqual([
        {
          path: 'payload.routing_status',
          message: 'Name at least one change: accepting_chats or not_accepting_chats, for a bot also offline',
        },
      ])
  })
})

describe('JSON that JavaScript has no value for', () => {
  const faults = (name: string, json: string) => {
    const { payload } = readFrame(`{"action":"${name}","payload":${json}}`, name)
    return faultsOf(specOf(name), payload).map(({ path }) => path)
  }
  const inEvent = (json: string) => `{"chat_id":"c","event":${json}}`

  test('is none: a number that nothing can hold, wherever it stands but in content', () => {
    for (const [name, json, path] of [
      ['start_chat', '12345678901234567890', 'payload'],
      ['start_chat', '{"chat":1e400}', 'payload.chat'],
      ['start_chat', '{"chat":{"scopes":1e400}}', 'payload.chat.scopes'],
      ['start_chat', '{"chat":{"thread":1e400}}', 'payload.chat.thread'],
      ['send_event', inEvent('1e400'), 'payload.event'],
      ['send_event', inEvent('{"type":"message","text":1e400}'), 'payload.event.text'],
      ['send_event', inEvent('{"type":"message","text":"a","custom_id":1e400}'), 'payload.event.custom_id'],
      ['send_event', inEvent('{"type":"message","text":"a","properties":1e400}'), 'payload.event.properties'],
      ['send_event', inEvent('{"type":"filled_form","fields":[1e400]}'), 'payload.event.fields.0'],
      ['send_event', inEvent('{"type":"custom","content":1e400}'), 'payload.event.content'],
      ['send_broadcast', '{"content":1e400}', 'payload.content'],
    ] as const)
      expect([json, faults(name, json)]).toEqual([json, [path]])
    expect(
      faults('send_event', inEvent('{"type":"message","text":"a","x":1e400,"__proto__":1e400}')),
    ).toEqual([])
    expect(faults('send_broadcast', '{"content":{"big":1e400}}')).toEqual([])
  })

  test('is refused as a property: an integer beyond 2^53', () => {
    for (const number of ['9007199254740992', '-9007199254740993', '1e300', '1e400', '123456789012345678901'])
      for (const value of [number, `{"value":${number}}`])
        expect(
          faults('update_chat_properties', `{"chat_id":"c","properties":{"a":{"x":${value}}}}`),
          number,
        ).toEqual(['payload.properties.a.x'])
  })

  test('is refused as a name: __proto__, whatever else there is', () => {
    for (const [name, json, path] of [
      ['update_chat_properties', '{"__proto__":{"x":1},"a":{"b":1}}', 'properties.__proto__'],
      ['update_chat_properties', '{"a":{"__proto__":{"value":1},"b":1}}', 'properties.a.__proto__'],
    ] as const)
      expect(faults(name, `{"chat_id":"c","properties":${json}}`)).toEqual([`payload.${path}`])
    for (const name of ['get_archives', 'get_filtered_chats'])
      expect(faults(name, '{"filters":{"properties":{"__proto__":{"x":{"exists":true}}}}}')).toEqual([
        'payload.filters.properties.__proto__',
      ])
    expect(({} as any).x).toBeUndefined()
  })
})
