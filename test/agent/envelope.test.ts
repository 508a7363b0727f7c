import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readFrame } from '../../shared/protocol/envelope.ts'
import type { Client, Response } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
let client: Client
/** Each frame here is sent by one socket that outlives them all: none may close or hang it. */
beforeAll(async () => {
  world = await sharedWorld()
  const license = await world.license({ ann: {} })
  client = await license.login('ann')
})
afterEach(async () => {
  await client.ok('ping')
  await client.receivesNothing()
})

const answerTo = (frame: string, on: Client = client): Promise<Response> => {
  on.send(frame)
  return on.response()
}
/** The text of the answer, to tell `1` from `"1"` and a number from one near it. */
const textOf = async (frame: string): Promise<string> => {
  await answerTo(frame)
  return client.answers.at(-1) ?? ''
}
const validation = { type: 'validation', code: 400, message: 'Wrong format of request' }
const unknownChat = { chat_id: 'nosuchchat', event: { type: 'message', text: 'x' } }

describe('a request is answered under the id that it came with', () => {
  test('id, request_id, both, or neither', async () => {
    const ping = { action: 'ping', type: 'response', success: true }
    expect(await answerTo('{"action":"ping"}')).toEqual(ping)
    expect(await answerTo('{"action":"ping","id":"a"}')).toEqual({ ...ping, id: 'a' })
    expect(await answerTo('{"action":"ping","request_id":"b"}')).toEqual({ ...ping, request_id: 'b' })
    expect(await answerTo('{"action":"ping","id":"a","request_id":"b"}')).toEqual({
      ...ping,
      id: 'a',
      request_id: 'b',
    })
  })

  test('an error as well', async () => {
    expect(
      await answerTo('{"id":1,"request_id":"b","action":"get_chat_threads","payload":{"chat_id":"nosuch"}}'),
    ).toEqual({
      id: 1,
      request_id: 'b',
      action: 'get_chat_threads',
      type: 'response',
      success: false,
      payload: { error: { type: 'not_found', code: 404, message: 'Not found' } },
    })
  })

  test.each([
    '1',
    '0',
    '-7',
    '1.5',
    '9007199254740993',
    '12345678901234567890123456789012345678901234567890',
    '0.12345678901234567890',
    '1e400',
    '-1E-400',
    '"1"',
    '"9007199254740993"',
    '"é\u{1F600}"',
    '" "',
  ])('with the value and the type it came: %s', async (id) => {
    expect(await textOf(`{"action":"ping","id":${id}}`)).toContain(`"id":${id},`)
    expect(await textOf(`{"action":"ping","request_id":${id}}`)).toContain(`"request_id":${id},`)
  })

  test('of 128 characters at the most', async () => {
    const longest = 'x'.repeat(128)
    expect(await answerTo(`{"action":"ping","request_id":"${longest}"}`)).toMatchObject({
      success: true,
      request_id: longest,
    })
    const emojis = '\u{1F600}'.repeat(64)
    expect(await answerTo(`{"action":"ping","request_id":"${emojis}"}`)).toMatchObject({ success: true })
  })

  test.each([
    ['empty', '""'],
    ['too long', JSON.stringify('x'.repeat(129))],
    ['30 KB long', JSON.stringify('x'.repeat(30_000))],
    ['a number of 30 KB', '7'.repeat(30_000)],
    ['true', 'true'],
    ['an object', '{"a":1}'],
    ['a list', '["a"]'],
  ])('and where it is %s, the error says so and does not repeat it', async (_what, id) => {
    for (const name of ['id', 'request_id'])
      expect(await answerTo(`{"action":"ping","${name}":${id}}`)).toEqual({
        action: 'ping',
        type: 'response',
        success: false,
        payload: {
          error: {
            ...validation,
            details: [{ path: name, message: 'Must be a string of 1-128 characters or a number' }],
          },
        },
      })
  })

  test('null is no id; of two, the good one is repeated', async () => {
    expect(await answerTo('{"action":"ping","id":null,"request_id":null}')).toEqual({
      action: 'ping',
      type: 'response',
      success: true,
    })
    expect(await answerTo('{"action":"ping","id":[],"request_id":5}')).toMatchObject({
      success: false,
      request_id: 5,
    })
  })
})

describe('what is no request is answered with validation', () => {
  const broken: [string, string][] = [
    ['text', 'hello'],
    ['a broken object', '{"action":"ping"'],
    ['JSON with unquoted keys', '{action:"ping"}'],
    ['two objects', '{"action":"ping"}{"action":"ping"}'],
    ['a lone surrogate escape in no JSON', '\\ud800'],
    ['nothing', ''],
    ['white space', ' \n'],
  ]
  test.each(broken)('%s', async (_what, frame) => {
    expect(await answerTo(frame)).toEqual({
      type: 'response',
      success: false,
      payload: { error: { ...validation, details: [{ path: '', message: 'The frame is not JSON' }] } },
    })
  })

  test.each(['null', '5', '1e999', '"ping"', 'true', '[]', '[{"action":"ping"}]'])(
    'JSON that is no object: %s',
    async (frame) => {
      expect(await answerTo(frame)).toEqual({
        type: 'response',
        success: false,
        payload: {
          error: { ...validation, details: [{ path: '', message: 'The frame is not a JSON object' }] },
        },
      })
    },
  )

  test.each(['{"request_id":"a"}', '{"request_id":"a","action":null}', '{"request_id":"a","__proto__":{}}'])(
    'no action: %s',
    async (frame) => {
      expect(await answerTo(frame)).toEqual({
        request_id: 'a',
        type: 'response',
        success: false,
        payload: {
          error: { ...validation, details: [{ path: 'action', message: 'Required: the name of an action' }] },
        },
      })
    },
  )

  test.each(['5', 'true', '["ping"]', '{"action":"ping"}', '1e400'])(
    'an action that is no string: %s',
    async (action) => {
      expect(await answerTo(`{"request_id":"a","action":${action}}`)).toEqual({
        request_id: 'a',
        type: 'response',
        success: false,
        payload: { error: { ...validation, details: [{ path: 'action', message: 'No such action' }] } },
      })
    },
  )

  test.each([
    'no_such_action',
    'Ping',
    'ping ',
    '',
    '$connect',
    '$disconnect',
    '$default',
    'constructor',
    '__proto__',
    'agent_updated',
  ])('an unknown action, which is repeated: %s', async (action) => {
    expect(await answerTo(JSON.stringify({ request_id: 'a', action }))).toEqual({
      request_id: 'a',
      action,
      type: 'response',
      success: false,
      payload: { error: { ...validation, details: [{ path: 'action', message: 'No such action' }] } },
    })
  })

  test('an action of 30 KB, which is not repeated', async () => {
    expect(await answerTo(JSON.stringify({ id: 1, action: 'x'.repeat(30_000) }))).toEqual({
      id: 1,
      type: 'response',
      success: false,
      payload: { error: { ...validation, details: [{ path: 'action', message: 'No such action' }] } },
    })
  })

  test('before login too', async () => {
    const stranger = await world.open()
    for (const frame of ['hello', '{"action":"no_such_action"}', '[]'])
      expect(await answerTo(frame, stranger)).toMatchObject({ payload: { error: { type: 'validation' } } })
  })

  test('a frame of 32 KiB is read, whatever it is filled with', async () => {
    const fills = ['[', '{"a":', '"', '1', '{"action":"ping","x":']
    for (const fill of fills) {
      const frame = fill.repeat(Math.floor((32 * 1024) / fill.length))
      expect(await answerTo(frame)).toMatchObject({ payload: { error: { type: 'validation' } } })
    }
  })

  test.each([16_000, 3000, 198])('arrays %d deep in a field that nobody reads', async (levels) => {
    const nested = `${'['.repeat(levels)}${']'.repeat(levels)}`
    const frame = `{"id":9007199254740993,"action":"ping","payload":{"x":${nested}},"request_id":1e400}`
    const [before, behind] = [
      '{"id":9007199254740993,"request_id":1e400,"action":"ping","type":"response",',
      '}',
    ]
    const details = [{ path: '', message: 'Objects and arrays may be nested at most 200 levels deep' }]
    expect(await textOf(frame)).toBe(
      levels === 198
        ? `${before}"success":true${behind}`
        : `${before}"success":false,"payload":${JSON.stringify({ error: { ...validation, details } })}${behind}`,
    )
  })
})

describe('the action is the one that the gateway routed by', () => {
  test('of repeated keys the last one counts, for both', async () => {
    expect(await answerTo('{"action":"login","request_id":"a","action":"ping"}')).toEqual({
      request_id: 'a',
      action: 'ping',
      type: 'response',
      success: true,
    })
    expect(await answerTo('{"action":"ping","action":"no_such_action"}')).toMatchObject({
      action: 'no_such_action',
      payload: { error: { type: 'validation' } },
    })
  })

  test('another is a fault of the frame', () => {
    expect(readFrame('{"id":3,"action":"ping","action":"login"}', 'ping')).toEqual({
      echo: { id: 3, action: 'login' },
      payload: {},
      faults: [{ path: 'action', message: 'No such action' }],
    })
  })
})

describe('a payload', () => {
  test.each(['', ',"payload":null', ',"payload":{}'])('may be absent or null: %s', async (payload) => {
    expect(await answerTo(`{"action":"ping"${payload}}`)).toMatchObject({ success: true })
    expect(await answerTo(`{"action":"start_chat"${payload}}`)).toMatchObject({ success: true })
    await client.next('incoming_chat_thread')
  })

  test.each(['[]', '[{}]', '"text"', '5', 'true', '1e400'])('that is no object: %s', async (payload) => {
    for (const action of ['ping', 'start_chat', 'send_event', 'get_chat_threads', 'login'])
      expect(await answerTo(`{"action":"${action}","payload":${payload}}`)).toMatchObject({
        action,
        payload: { error: { ...validation, details: [{ path: 'payload', message: expect.any(String) }] } },
      })
  })

  test('says in its details where each mistake is', async () => {
    const { details } = await client.refused('send_event', { event: { type: 'message', text: 5 } })
    expect(details).toEqual([
      { path: 'payload.chat_id', message: expect.any(String) },
      { path: 'payload.event.text', message: expect.any(String) },
    ])
    for (const { message } of details ?? []) expect(message).not.toBe('Invalid input')
  })
})

describe('fields that the protocol does not know', () => {
  test('are ignored at every level, neither stored nor shown', async () => {
    const chat = {
      routing_scope: 'x',
      active: true,
      thread: {
        version: 3,
        events: [{ type: 'message', text: 'a', author_id: 'eve', order: 99, id: 'mine', thread_id: 'x' }],
      },
    }
    client.send(
      JSON.stringify({
        id: 1,
        action: 'start_chat',
        type: 'request',
        version: '3.0',
        payload: { chat, x: 1 },
      }),
    )
    const started = await client.response()
    expect(started).toMatchObject({ id: 1, success: true })
    const { chat: shown } = await client.next('incoming_chat_thread')
    expect(shown.thread.events).toMatchObject([{ author_id: 'ann', order: 1, text: 'a' }])
    const event = { type: 'message', text: 'b', custom_id: null, properties: null, timestamp: 5 }
    const sent = await client.ok('send_event', { chat_id: shown.id, routing_scope: 'y', event })
    expect(Object.keys(sent.event).toSorted()).toEqual([
      'author_id',
      'id',
      'order',
      'recipients',
      'text',
      'timestamp',
      'type',
    ])
    await client.next('incoming_event')
  })

  test('null on an optional field is absence', async () => {
    const chat = { properties: null, scopes: null, thread: { events: null, properties: null, scopes: null } }
    const { chat: shown } = await client.ok('start_chat', { initial_events: null, chat })
    expect(shown.thread.events).toEqual([])
    const page = { thread_ids: null, before_order: null, after_order: null, limit: null }
    await client.ok('get_chat_threads', { chat_id: shown.id, ...page })
    await client.ok('close_thread', { chat_id: shown.id, thread_id: null })
    await client.ok('remove_from_chat', { chat_id: shown.id, agent_ids: null, customer_ids: null })
    await client.received()
  })

  test('null on a required field is none', async () => {
    expect(await client.refused('get_chat_threads', { chat_id: null })).toMatchObject(validation)
    expect(await client.refused('join_chat', { chat_id: 'nosuch', agent_ids: null })).toMatchObject(
      validation,
    )
  })

  test('names of prototypes are names like any other', async () => {
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString'])
      expect(
        await answerTo(`{"${name}":{"action":"ping"},"action":"ping","payload":{"${name}":{"x":1}}}`),
      ).toEqual({ action: 'ping', type: 'response', success: true })
  })
})

describe('checks come in order', () => {
  test('frame and action, before the session', async () => {
    const stranger = await world.open()
    expect(await answerTo('{"action":"start_chat","id":true}', stranger)).toMatchObject({
      payload: { error: { type: 'validation' } },
    })
  })

  test('the session, before the payload', async () => {
    const stranger = await world.open()
    for (const payload of [undefined, {}, [], { chat_id: 5 }])
      expect(await stranger.refused('send_event', payload)).toMatchObject({
        type: 'auth',
        message: 'Not logged in',
      })
  })

  test('the payload, before the chat', async () => {
    expect(await client.refused('send_event', { ...unknownChat, event: { type: 'file' } })).toMatchObject({
      type: 'validation',
    })
    expect(await client.refused('join_chat', { chat_id: 'nosuch', agent_ids: [] })).toMatchObject({
      type: 'validation',
    })
    expect(await client.refused('send_event', unknownChat)).toMatchObject({ type: 'not_found' })
  })

  test('permission before state', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
    await ann.ok('close_thread', { chat_id: chat.id })
    expect(await ben.refused('close_thread', { chat_id: chat.id })).toMatchObject({ type: 'authorization' })
    expect(await ann.refused('close_thread', { chat_id: chat.id })).toMatchObject({ type: 'chat_inactive' })
  })
})

test('each of many requests at once is answered once, under its own id', async () => {
  const before = client.answers.length
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      i % 3 === 0
        ? client.call('ping')
        : client.call('get_chat_threads', i % 3 === 1 ? { chat_id: 5 } : { chat_id: 'nosuch' }),
    ),
  )
  expect(new Set(answers.map((answer) => answer.request_id)).size).toBe(60)
  await client.caughtUp()
  expect(client.answers.length - before).toBe(60)
})

test('a request that is wrong in thousands of places is answered with the first of them, in a small frame', async () => {
  const fields = Array.from({ length: 50 }, () => ({
    type: 'radio',
    name: 'n',
    label: 'l',
    options: Array.from({ length: 99 }, () => ({})),
  }))
  const many = { type: 'filled_form', fields }
  const bad = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`!${i}`, 1]))
  const long = { [`!${'x'.repeat(20_000)}`]: 1 }
  for (const event of [
    many,
    { type: 'message', text: 'x', properties: { a: bad } },
    { type: 'message', text: 'x', properties: long },
  ]) {
    const before = client.answers.length
    const error = await client.refused('send_event', { chat_id: 'nosuch', event })
    expect(error.type).toBe('validation')
    expect(error.details?.length).toBeGreaterThan(0)
    expect(error.details?.length).toBeLessThanOrEqual(21)
    expect(client.answers.at(before)?.length).toBeLessThan(20_000)
  }
})
