import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { errorTable } from '../../shared/protocol/errors.ts'
import type { CustomerClient, Response } from '../support/client.ts'
import { type License, sharedWorld } from '../support/world.ts'

const world = await sharedWorld()
let license: License
let client: CustomerClient
let chatId: string
/** Each frame here is sent by one socket that outlives them all: none may close or hang it. */
beforeAll(async () => {
  license = await world.license({})
  ;({ client } = await license.visit())
  chatId = (await client.ok('start_chat')).chat.id
  await world.settled()
  await client.received()
})
afterEach(async () => {
  await client.ok('ping')
  await client.receivesNothing()
})

const answerTo = (frame: string, on: CustomerClient = client): Promise<Response> => {
  on.send(frame)
  return on.response()
}
/** The text of the answer, to tell `1` from `"1"` and a number from one near it. */
const textOf = async (frame: string): Promise<string> => {
  await answerTo(frame)
  return client.answers.at(-1) ?? ''
}
const validation = { type: 'validation', code: 400, message: 'Wrong format of request' }
const failing = (error: object, echo: object = {}) => ({
  ...echo,
  type: 'response',
  success: false,
  payload: { error },
})
const noSuchAction = { ...validation, details: [{ path: 'action', message: 'No such action' }] }

describe('a request is answered under the id that it came with', () => {
  test('id, request_id, both, or neither', async () => {
    const ping = { action: 'ping', type: 'response', success: true }
    expect(await answerTo('{"action":"ping"}')).toEqual(ping)
    expect(await answerTo('{"action":"ping","id":"a"}')).toEqual({ ...ping, id: 'a' })
    expect(await answerTo('{"action":"ping","request_id":"b"}')).toEqual({ ...ping, request_id: 'b' })
    expect(await answerTo('{"action":"ping","id":"a","request_id":"b"}')).toEqual({
      ...{ ...ping, id: 'a', request_id: 'b' },
    })
  })

  test('an error as well', async () => {
    expect(
      await answerTo('{"id":1,"request_id":"b","action":"get_chat_threads","payload":{"chat_id":"nosuch"}}'),
    ).toEqual(
      failing(
        { type: 'not_found', code: 404, message: 'Not found' },
        { id: 1, request_id: 'b', action: 'get_chat_threads' },
      ),
    )
  })

  test.each(['1', '-7', '1.5', '9007199254740993', '1e400', '"1"', '"é\u{1F600}"', '" "'])(
    'with the value and the type it came: %s',
    async (id) => {
      expect(await textOf(`{"action":"ping","id":${id}}`)).toContain(`"id":${id},`)
      expect(await textOf(`{"action":"get_chats_summary","request_id":${id}}`)).toContain(
        `"request_id":${id},`,
      )
    },
  )

  test('of 128 characters at the most', async () => {
    const longest = 'x'.repeat(128)
    expect(await answerTo(`{"action":"ping","request_id":"${longest}"}`)).toMatchObject({
      ...{ success: true, request_id: longest },
    })
  })

  test.each([
    ['empty', '""'],
    ['too long', JSON.stringify('x'.repeat(129))],
    ['30 KB long', JSON.stringify('x'.repeat(30_000))],
    ['true', 'true'],
    ['an object', '{"a":1}'],
    ['a list', '["a"]'],
  ])('and where it is %s, the error says so and does not repeat it', async (_what, id) => {
    const message = 'Must be a string of 1-128 characters or a number'
    for (const name of ['id', 'request_id'])
      expect(await answerTo(`{"action":"ping","${name}":${id}}`)).toEqual(
        failing({ ...validation, details: [{ path: name, message }] }, { action: 'ping' }),
      )
  })

  test('null is no id; of two, the good one is repeated', async () => {
    expect(await answerTo('{"action":"ping","id":null,"request_id":null}')).toEqual({
      ...{ action: 'ping', type: 'response', success: true },
    })
    expect(await answerTo('{"action":"ping","id":[],"request_id":5}')).toMatchObject({
      ...{ success: false, request_id: 5 },
    })
  })
})

describe('what is no request is answered with validation', () => {
  test.each([
    ['text', 'hello'],
    ['a broken object', '{"action":"ping"'],
    ['two objects', '{"action":"ping"}{"action":"ping"}'],
    ['nothing', ''],
    ['white space', ' \n'],
  ])('%s', async (_what, frame) => {
    const details = [{ path: '', message: 'The frame is not JSON' }]
    expect(await answerTo(frame)).toEqual(failing({ ...validation, details }))
  })

  test.each(['null', '5', '"ping"', 'true', '[]', '[{"action":"ping"}]'])(
    'JSON that is no object: %s',
    async (frame) => {
      const details = [{ path: '', message: 'The frame is not a JSON object' }]
      expect(await answerTo(frame)).toEqual(failing({ ...validation, details }))
    },
  )

  test.each(['{"request_id":"a"}', '{"request_id":"a","action":null}', '{"request_id":"a","__proto__":{}}'])(
    'no action: %s',
    async (frame) => {
      const details = [{ path: 'action', message: 'Required: the name of an action' }]
      expect(await answerTo(frame)).toEqual(failing({ ...validation, details }, { request_id: 'a' }))
    },
  )

  test.each(['no_such_action', 'Ping', 'ping ', '', '$connect', '$disconnect', '$default', '__proto__'])(
    'an unknown action, which is repeated: %s',
    async (action) => {
      expect(await answerTo(JSON.stringify({ request_id: 'a', action }))).toEqual(
        failing(noSuchAction, { request_id: 'a', action }),
      )
    },
  )

  test('an action of 30 KB, which is not repeated', async () => {
    expect(await answerTo(JSON.stringify({ id: 1, action: 'x'.repeat(30_000) }))).toEqual(
      failing(noSuchAction, { id: 1 }),
    )
  })

  test('an action of agents alone, as if there was none', async () => {
    const own = new Set(customerActions.map(({ name }) => name))
    const theirs = agentActions.map(({ name }) => name).filter((name) => !own.has(name))
    expect(theirs).toContain('join_chat')
    expect(theirs).toContain('ban_customer')
    for (const action of theirs)
      expect(
        await answerTo(JSON.stringify({ id: 1, action, payload: { chat_id: chatId, agent_ids: ['ann'] } })),
      ).toEqual(failing(noSuchAction, { id: 1, action }))
  })

  test('an action of customers alone, on the agents’ endpoint', async () => {
    const own = new Set(agentActions.map(({ name }) => name))
    const theirs = customerActions.map(({ name }) => name).filter((name) => !own.has(name))
    expect(theirs.toSorted()).toEqual(['get_chat_threads_summary', 'get_chats_summary', 'send_sneak_peek'])
    const ann = await (await world.license({ ann: {} })).login('ann')
    for (const action of theirs) expect(await ann.refused(action, { chat_id: chatId })).toEqual(noSuchAction)
  })

  test('before login too', async () => {
    const stranger = await license.arrive()
    for (const frame of ['hello', '{"action":"no_such_action"}', '[]'])
      expect(await answerTo(frame, stranger)).toMatchObject({ payload: { error: { type: 'validation' } } })
  })

  test('a frame of 32 KiB is read, whatever it is filled with', async () => {
    for (const fill of ['[', '{"a":', '"', '1', '{"action":"ping","x":']) {
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

  test('of repeated keys the last one counts', async () => {
    expect(await answerTo('{"action":"login","request_id":"a","action":"ping"}')).toEqual({
      ...{ request_id: 'a', action: 'ping', type: 'response', success: true },
    })
  })
})

test.each([
  ['larger than 32 KiB', 1009, (on: CustomerClient) => on.send('x'.repeat(32 * 1024 + 1))],
  ['binary', 1003, (on: CustomerClient) => on.socket.send(Buffer.from('{"action":"ping"}'))],
])('a frame that is %s closes the socket', async (_what, code, sendTo) => {
  const stranger = await license.arrive()
  sendTo(stranger)
  expect(await stranger.closing()).toBe(code)
})

describe('a payload', () => {
  test.each(['', ',"payload":null', ',"payload":{}'])('may be absent or null: %s', async (payload) => {
    for (const action of ['ping', 'get_chats_summary', 'login'])
      expect(await answerTo(`{"action":"${action}"${payload}}`)).toMatchObject({ action, success: true })
  })

  test.each(['[]', '[{}]', '"text"', '5', 'true', '1e400'])('that is no object: %s', async (payload) => {
    for (const { name } of customerActions)
      expect(await answerTo(`{"action":"${name}","payload":${payload}}`)).toMatchObject({
        action: name,
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

  test('with names of prototypes has names like any other', async () => {
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString'])
      expect(
        await answerTo(`{"${name}":{"action":"ping"},"action":"ping","payload":{"${name}":{"x":1}}}`),
      ).toEqual({ action: 'ping', type: 'response', success: true })
  })
})

describe('checks come in order', () => {
  test('frame and action, before the session', async () => {
    const stranger = await license.arrive()
    expect(await answerTo('{"action":"start_chat","id":true}', stranger)).toMatchObject({
      payload: { error: { type: 'validation' } },
    })
  })

  test('the session, before the payload: of every action but login and ping', async () => {
    const stranger = await license.arrive()
    const names = customerActions.map(({ name }) => name).filter((name) => !['login', 'ping'].includes(name))
    expect(names).toHaveLength(15)
    for (const name of names)
      for (const payload of [undefined, [], { chat_id: chatId }])
        expect(await stranger.refused(name, payload), name).toEqual({
          ...{ type: 'auth', code: 401, message: 'Not logged in' },
        })
  })

  test('the payload, before the chat', async () => {
    expect(await client.refused('send_event', { chat_id: 'nosuch', event: { type: 'file' } })).toMatchObject({
      type: 'validation',
    })
    expect(
      await client.refused('send_event', { chat_id: 'nosuch', event: { type: 'message', text: 'x' } }),
    ).toMatchObject({ type: 'not_found' })
  })

  test('the chat, before its state', async () => {
    const other = await license.visit()
    await other.client.ok('start_chat')
    const theirs = await other.client.ok('get_chats_summary')
    const chat_id = theirs.chats_summary[0].id
    await other.client.ok('close_thread', { chat_id })
    await other.client.received()
    expect(await client.refused('close_thread', { chat_id })).toMatchObject({ type: 'not_found' })
    expect(await other.client.refused('close_thread', { chat_id })).toMatchObject({ type: 'chat_inactive' })
  })
})

describe('an error', () => {
  test('that nobody foresaw is internal, and tells nothing of what is inside', async () => {
    world.proxy.setFault(() => ({ status: 500, body: { message: 'secret inside' } }))
    try {
      expect(await client.refused('get_chats_summary')).toEqual({
        ...{ type: 'internal', code: errorTable.internal.code, message: 'Internal server error' },
      })
    } finally {
      world.proxy.setFault(undefined)
    }
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
  const bad = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`p${i}`, 1]))
  const long = { [`p${'x'.repeat(20_000)}`]: 1 }
  for (const properties of [bad, long]) {
    const before = client.answers.length
    const error = await client.refused('update_customer', { customer: { properties } })
    expect(error.type).toBe('validation')
    expect(error.details?.length).toBeGreaterThan(0)
    expect(error.details?.length).toBeLessThanOrEqual(21)
    expect(client.answers.at(before)?.length).toBeLessThan(20_000)
  }
})
