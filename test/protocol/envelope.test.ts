import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { sendEvent } from '../../shared/protocol/agent/send_event.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { answered, detailsOf, pushed, readFrame, refused } from '../../shared/protocol/envelope.ts'
import { errorTable, type ErrorType, ProtocolError } from '../../shared/protocol/errors.ts'
import { pushes } from '../../shared/protocol/pushes.ts'

const faultsOf = (frame: string, route?: string) => readFrame(frame, route).faults
const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('a frame', () => {
  test('gives its ids as they came, its action and its payload', () => {
    expect(readFrame('{"id":7,"request_id":"r","action":"ping","payload":{"a":1}}', 'ping')).toEqual({
      echo: { id: 7, request_id: 'r', action: 'ping' },
      payload: { a: 1 },
      faults: [],
    })
  })

  test.each(['{"action":"ping"}', '{"action":"ping","payload":null}', '{"action":"ping","id":null}'])(
    'may leave out its payload and its ids, or give them as null: %s',
    (frame) => {
      expect(readFrame(frame, 'ping')).toEqual({ echo: { action: 'ping' }, payload: {}, faults: [] })
    },
  )

  test('keeps a payload that is no object, for the schema to refuse', () => {
    for (const payload of [1, 'a', [], false]) {
      const frame = JSON.stringify({ action: 'ping', payload })
      expect(readFrame(frame, 'ping').payload).toEqual(payload)
    }
    for (const { request } of agentActions)
      for (const raw of ['1', '"a"', '[]', 'false', '1e400']) {
        const { payload } = readFrame(`{"action":"x","payload":${raw}}`, 'x')
        expect(z.safeParse(request, payload).success, raw).toBe(false)
      }
  })

  test.each(['', ' ', 'x', '{', '{"action":ping}', '\u0000', '[', '{"action":"ping"}}'])(
    '%j is no JSON',
    (frame) => {
      expect(readFrame(frame, 'ping')).toEqual({
        echo: {},
        payload: undefined,
        faults: [{ path: '', message: 'The frame is not JSON' }],
      })
    },
  )

  test.each(['1', 'null', 'true', '"ping"', '[]', '[{"action":"ping"}]', '1e400', '123456789012345678901'])(
    '%s is JSON, but no object',
    (frame) => {
      expect(faultsOf(frame, 'ping')).toEqual([{ path: '', message: 'The frame is not a JSON object' }])
    },
  )

  test.each(['{}', '{"action":null}', '{"id":1,"payload":{}}'])('%s lacks an action', (frame) => {
    expect(faultsOf(frame)).toEqual([{ path: 'action', message: 'Required: the name of an action' }])
  })

  test('is refused where its action is not the one that it was routed by, under the name that it gave', () => {
    const frame = '{"action":"login","action":"ping"}'
    expect(readFrame(frame, 'login')).toMatchObject({
      echo: { action: 'ping' },
      faults: [{ path: 'action' }],
    })
    expect(faultsOf('{"action":"ping"}', undefined)).toHaveLength(1)
    for (const action of ['1', '["ping"]', '{"toString":"ping"}', 'true', '""', '"Ping"'])
      expect(faultsOf(`{"action":${action}}`, 'ping'), action).toHaveLength(1)
  })

  test('inherits no action: keys that objects have by nature are not read', () => {
    expect(faultsOf('{"__proto__":{"action":"ping","id":1}}', 'ping')).toHaveLength(1)
    expect(readFrame('{"__proto__":{"id":1},"action":"ping"}', 'ping').echo).toEqual({ action: 'ping' })
  })

  test.each(['""', 'true', '{}', '[]', '["a"]', `"${'x'.repeat(129)}"`, `1${'0'.repeat(200)}`])(
    'has an id that is refused, and not repeated: %s',
    (id) => {
      for (const name of ['id', 'request_id']) {
        const { echo, faults } = readFrame(`{"action":"ping","${name}":${id}}`, 'ping')
        expect(faults.map(({ path }) => path)).toEqual([name])
        expect(echo).toEqual({ action: 'ping' })
      }
    },
  )

  test.each([
    '"a"',
    `"${'x'.repeat(128)}"`,
    '1',
    '0',
    '-1',
    '1.5',
    '9007199254740993',
    '1e400',
    '"\\ud800"',
    '" "',
  ])('has an id that comes back as it was: %s', (id) => {
    const { echo, faults } = readFrame(`{"id":${id},"action":"ping"}`, 'ping')
    expect(faults).toEqual([])
    expect(answered(echo, undefined)).toBe(`{"id":${id},"action":"ping","type":"response","success":true}`)
  })

  test('repeats the good id where the other is bad', () => {
    const { echo, faults } = readFrame('{"id":{},"request_id":"r","action":"ping"}', 'ping')
    expect(echo).toEqual({ request_id: 'r', action: 'ping' })
    expect(faults).toHaveLength(1)
  })

  describe('that is nested deeper than 200 levels', () => {
    const tooDeep = { path: '', message: 'Objects and arrays may be nested at most 200 levels deep' }
    const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`

    test.each(['1', '-1.5', '"a"', '9007199254740993', '1e400', '"]\\"[["', '0.10000000000000000000001'])(
      'is refused, and its id comes back as it was: %s',
      (id) => {
        for (const levels of [200, 500, 16_000])
          for (const frame of [
            `{"id":${id},"action":"ping","x":${deep(levels)}}`,
            `{"x":${deep(levels)},"action":"ping","id":${id}}`,
            `{"payload":{"content":[${deep(levels)}]},"id":${id},"x":${deep(levels)},"action":"ping"}`,
            `{"id":${deep(levels)},"action":"ping","id":${id}}`,
          ]) {
            const { echo, faults } = readFrame(frame, 'ping')
            expect(faults).toEqual([tooDeep])
            expect(answered(echo, undefined)).toContain(`"id":${id},`)
            expect(echo.action).toBe('ping')
          }
      },
    )

    test('is one whose own braces are the first level', () => {
      expect(faultsOf(`{"action":"ping","x":${deep(199)}}`, 'ping')).toEqual([])
      expect(faultsOf(`{"action":"ping","x":${deep(200)}}`, 'ping')).toEqual([tooDeep])
    })

    test('has every other fault too', () => {
      const frame = `{"id":${deep(300)},"action":${deep(300)}}`
      expect(faultsOf(frame, 'ping').map(({ path }) => path)).toEqual(['', 'id', 'action'])
      expect(faultsOf(deep(300), 'ping')).toEqual([
        tooDeep,
        { path: '', message: 'The frame is not a JSON object' },
      ])
      expect(faultsOf(`{"action":"ping","x":${deep(300)}`, 'ping')).toEqual([
        { path: '', message: 'The frame is not JSON' },
      ])
    })

    test('changes no number of a frame that is a level less deep', () => {
      const content = '{"n":[1e400,9007199254740993,0.12345678901234567890]}'
      const event = `{"type":"custom","content":${content},"x":${deep(197)}}`
      const { payload, faults } = readFrame(
        `{"action":"send_event","payload":{"chat_id":"c","event":${event}}}`,
        'send_event',
      )
      expect(faults).toEqual([])
      expect(z.parse(sendEvent.request, payload)).toMatchObject({ event: { content } })
    })
  })

  test('does not repeat an action that is longer than any name', () => {
    expect(readFrame(JSON.stringify({ action: 'x'.repeat(30_000) }), undefined).echo).toEqual({})
  })

  test('is read whatever it is: nothing is thrown, and a fault or a payload comes of it', () => {
    const frame = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc
        .record({
          id: fc.jsonValue(),
          request_id: fc.jsonValue(),
          action: fc.jsonValue(),
          payload: fc.jsonValue(),
        })
        .map((value) => JSON.stringify(value)),
    )
    fc.assert(
      fc.property(frame, fc.constantFrom('ping', undefined), (text, route) => {
        const { faults, echo } = readFrame(text, route)
        if (!isJson(text) || route === undefined) expect(faults.length).toBeGreaterThan(0)
        expect(JSON.parse(refused(echo, new ProtocolError('validation', { details: faults })))).toMatchObject(
          {
            type: 'response',
            success: false,
          },
        )
      }),
      { numRuns: 2000 },
    )
  })
})

describe('an answer', () => {
  test('has no payload key where the action has no payload', () => {
    expect(answered({ action: 'ping' }, undefined)).toBe('{"action":"ping","type":"response","success":true}')
    expect(answered({ id: 1 }, { a: 1 })).toBe('{"id":1,"type":"response","success":true,"payload":{"a":1}}')
  })

  test('names the code of its error and the default sentence, or the one given', () => {
    for (const [type, { code, message }] of Object.entries(errorTable)) {
      const error = new ProtocolError(type as ErrorType)
      expect(JSON.parse(refused({ request_id: 'r' }, error))).toEqual({
        ...{ request_id: 'r', type: 'response', success: false },
        payload: { error: { type, code, message } },
      })
    }
    const own = new ProtocolError('authorization', { message: 'You cannot.' })
    expect(JSON.parse(refused({}, own)).payload.error.message).toBe('You cannot.')
  })

  test('lists details where there are some', () => {
    const details = [{ path: 'payload.a', message: 'Missing' }]
    const error = new ProtocolError('validation', { details })
    expect(JSON.parse(refused({}, error)).payload.error.details).toEqual(details)
  })
})

describe('a push', () => {
  test('carries its name, its type and its payload, and no id', () => {
    expect(JSON.parse(pushed('agent_updated', { agent_id: 'a', routing_status: 'offline' }))).toEqual({
      action: 'agent_updated',
      type: 'push',
      payload: { agent_id: 'a', routing_status: 'offline' },
    })
    expect(Object.keys(pushes)).not.toContain('response')
  })
})

describe('the table of errors', () => {
  test('is the one of the protocol', () => {
    expect(errorTable).toEqual({
      validation: { code: 400, message: 'Wrong format of request' },
      auth: { code: 401, message: 'Invalid access token' },
      license_expired: { code: 402, message: 'License expired' },
      authorization: { code: 403, message: 'Authorization error' },
      customer_banned: { code: 403, message: 'Customer is banned' },
      not_found: { code: 404, message: 'Not found' },
      license_not_found: { code: 404, message: 'License not found' },
      request_timeout: { code: 408, message: 'Request timed out' },
      chat_inactive: { code: 409, message: 'Chat is inactive' },
      too_many_requests: { code: 429, message: 'Too many requests' },
      too_many_connections: { code: 429, message: 'Too many connections' },
      internal: { code: 500, message: 'Internal server error' },
    })
  })
})

describe('details', () => {
  const schema = z.object({
    list: z.array(z.object({ name: z.string() })),
    either: z.union([z.string(), z.object({ a: z.string(), b: z.string() })]),
  })
  const of = (value: unknown) => detailsOf(z.safeParse(schema, value).error?.issues ?? [], 'payload')

  test('say where, down to the entry of a list', () => {
    expect(of({ list: [{ name: 'a' }, { name: 1 }], either: '' }).map(({ path }) => path)).toEqual([
      'payload.list.1.name',
    ])
    expect(of(1).map(({ path }) => path)).toEqual(['payload'])
  })

  test('of alternatives of different types is one sentence, at the field itself', () => {
    expect(of({ list: [], either: 1 }).map(({ path }) => path)).toEqual(['payload.either'])
  })

  test('of alternatives with fields are those of the one that complains of the fewest', () => {
    const one = z.object({ a: z.string(), b: z.string(), c: z.string() })
    const other = z.object({ a: z.string(), b: z.number() })
    const { error } = z.safeParse(z.union([one, other]), { a: 'a', b: true })
    expect(detailsOf(error?.issues ?? [], 'payload').map(({ path }) => path)).toEqual(['payload.b'])
  })
})

describe('details of thousands of faults', () => {
  const schema = z.array(z.string())
  const of = (count: number) =>
    detailsOf(
      z.safeParse(
        schema,
        Array.from({ length: count }, () => 1),
      ).error?.issues ?? [],
      'payload',
    )

  test('are the first twenty, and how many more there are', () => {
    expect(of(21).map(({ path }) => path)).toEqual(Array.from({ length: 21 }, (_, i) => `payload.${i}`))
    const many = of(5000)
    expect(many.slice(0, 20).map(({ path }) => path)).toEqual(
      Array.from({ length: 20 }, (_, i) => `payload.${i}`),
    )
    expect(many.slice(20)).toEqual([{ path: 'payload', message: 'And 4980 more of the kind' }])
    // and are not counted again where they are written
    const error = new ProtocolError('validation', { details: many })
    expect(JSON.parse(refused({}, error)).payload.error.details).toEqual(many)
  })
})

describe('the table of actions', () => {
  test('lists names once, each with a sentence that says what it does', () => {
    for (const actions of [agentActions, customerActions])
      expect(new Set(actions.map(({ name }) => name)).size).toBe(actions.length)
    for (const { name, summary } of [...agentActions, ...customerActions]) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/)
      expect(summary).toMatch(/^[A-Z].*\.$/)
    }
  })

  test('declares the need to push exactly where it names pushes', () => {
    for (const { name, needs, pushes: named } of agentActions)
      expect(needs.includes('push'), name).toBe(named.length > 0)
  })
})
