import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { putChat, readChat } from '../../shared/table/chat/chats.ts'
import type { Client, WireError } from '../support/client.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // delayed jobs stay out of these tests: what a login may have missed is tested with login
  world = await sharedWorld({ delayScale: 1000 })
})
afterEach(() => {
  vi.useRealTimers()
})

const denied = { type: 'authorization', code: 403, message: 'You cannot send event in this chat.' }
const invalid = (...paths: string[]) => ({
  type: 'validation',
  code: 400,
  message: 'Wrong format of request',
  details: paths.map((path) => ({ path, message: expect.any(String) })),
})

const message = (text: string, more: object = {}) => ({ type: 'message', text, ...more })

/** A chat that `starter` started; what it pushed is received. */
const startChat = async (starter: Client, payload?: object, ...others: Client[]) => {
  const { chat } = await starter.ok('start_chat', payload)
  for (const client of [starter, ...others]) await client.received()
  return chat
}

const send = (client: Client, chat: { id: string }, event: object) =>
  client.ok('send_event', { chat_id: chat.id, event })
const sendRefused = (client: Client, chat: { id: string }, event: object): Promise<WireError> =>
  client.refused('send_event', { chat_id: chat.id, event })

const lastThread = async (client: Client, chat: { id: string }) =>
  (await client.ok('get_chat_threads', { chat_id: chat.id })).chat.threads[0]

/** Makes an agent a supervisor of a chat. */
const supervise = async (chatId: string, agent: string) => {
  const chat = await readChat(world.table.read, chatId)
  const users = [
    ...chat!.users.filter(({ id }) => id !== agent),
    { id: agent, type: 'supervisor' as const, present: true },
  ]
  await world.table.write.write(putChat({ ...chat!, users, version: chat!.version + 1 }))
}

const twoAgents = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  return { license, ann: await license.login('ann'), ben: await license.login('ben') }
}
const oneAgent = async () => {
  const license = await world.license({ ann: {} })
  return { license, ann: await license.login('ann') }
}
let two: Awaited<ReturnType<typeof twoAgents>>
let one: Awaited<ReturnType<typeof oneAgent>>
beforeAll(async () => {
  two = await twoAgents()
  one = await oneAgent()
})

/** A chat that ann has started, and ben, who has access to it, in a license that tests share. */
const annAndBen = async (payload?: object, { license, ann, ben } = two) => ({
  ...{ license, ann, ben },
  chat: await startChat(ann, payload, ben),
})
const annAlone = async (payload?: object, { license, ann } = one) => ({
  ...{ license, ann },
  chat: await startChat(ann, payload),
})

describe('send_event', () => {
  test('adds a message to the active thread, and every agent with access gets it', async () => {
    const { ann, ben, chat } = await annAndBen()
    const before = Math.floor(Date.now() / 1000)
    const answer = await send(ann, chat, message('hello'))
    expect(answer).toEqual({
      thread_id: chat.thread.id,
      event: {
        id: `${chat.thread.id}_1`,
        order: 1,
        type: 'message',
        text: 'hello',
        author_id: 'ann',
        timestamp: expect.any(Number),
        recipients: 'all',
      },
    })
    expect(answer.event.timestamp).toBeGreaterThanOrEqual(before)
    expect(answer.event.timestamp).toBeLessThanOrEqual(Date.now() / 1000)
    const expected = { chat_id: chat.id, thread_id: chat.thread.id, event: answer.event }
    expect(await ben.next('incoming_event')).toEqual(expected)
    expect(await ann.next('incoming_event')).toEqual(expected)
    await ben.receivesNothing()
    await ann.receivesNothing()
  })

  test('reaches every connection of an agent, the sending one included', async () => {
    const { license, ann, chat } = await annAlone()
    const phone = await license.login('ann')
    const { event } = await send(ann, chat, message('hello'))
    expect((await phone.next('incoming_event')).event).toEqual(event)
    expect((await ann.next('incoming_event')).event).toEqual(event)
    await phone.receivesNothing()
  })

  test('orders count 1, 2, 3 and get_chat_threads gives back what was answered', async () => {
    const { ann, chat } = await annAlone()
    const events = []
    for (const text of ['one', 'two', 'three']) events.push((await send(ann, chat, message(text))).event)
    expect(events.map(({ order }) => order)).toEqual([1, 2, 3])
    expect((await lastThread(ann, chat)).events).toEqual(events)
  })

  test('gives back custom_id, recipients and properties, in answer, push and thread', async () => {
    const { ann, ben, chat } = await annAndBen()
    const { event } = await send(
      ann,
      chat,
      message('hello', {
        custom_id: '12345-bhdsa',
        recipients: 'agents',
        properties: {
          rating: { score: 1, 'by.whom': { value: 'ben' }, gone: null, 'gone-too': { value: null } },
          empty: { gone: null },
        },
      }),
    )
    expect(event).toMatchObject({ custom_id: '12345-bhdsa', recipients: 'agents' })
    expect(event.properties).toEqual({ rating: { score: { value: 1 }, 'by.whom': { value: 'ben' } } })
    expect((await ben.next('incoming_event')).event).toEqual(event)
    expect((await lastThread(ann, chat)).events).toEqual([event])
  })

  test('null on an optional field is absence', async () => {
    const { ann, chat } = await annAlone()
    const { event } = await send(
      ann,
      chat,
      message('hello', { custom_id: null, recipients: null, properties: null }),
    )
    expect(Object.keys(event).toSorted()).toEqual(
      ['author_id', 'id', 'order', 'recipients', 'text', 'timestamp', 'type'].toSorted(),
    )
    expect(event.recipients).toBe('all')
  })

  test('unknown fields are ignored at every level and never stored', async () => {
    const { ann, ben, chat } = await annAndBen()
    const { event } = await ann.ok('send_event', {
      chat_id: chat.id,
      routing_scope: 'x',
      version: 2,
      event: {
        ...{ id: 'forged', order: 99, author_id: 'ben', timestamp: 1, active: false, thread_id: 'x' },
        ...{ type: 'filled_form', text: 'not of this type', content: {} },
        fields: [
          {
            ...{ type: 'select', name: 'n', label: 'l', placeholder: 'x' },
            options: [{ label: 'o', group: 'x' }],
          },
        ],
        properties: { ns: { name: { value: 1, version: 3 } } },
      },
    })
    expect(event).toEqual({
      id: `${chat.thread.id}_1`,
      order: 1,
      type: 'filled_form',
      author_id: 'ann',
      timestamp: expect.any(Number),
      recipients: 'all',
      fields: [{ type: 'select', name: 'n', label: 'l', options: [{ label: 'o' }] }],
      properties: { ns: { name: { value: 1 } } },
    })
    expect(event.timestamp).toBeGreaterThan(1)
    expect((await ben.next('incoming_event')).event).toEqual(event)
    expect((await lastThread(ben, chat)).events).toEqual([event])
  })

  describe('an annotation', () => {
    test('has an annotation_type and, if it likes, a text', async () => {
      const { ann, chat } = await annAlone()
      const bare = await send(ann, chat, { type: 'annotation', annotation_type: 'rating' })
      expect(bare.event).toMatchObject({ type: 'annotation', annotation_type: 'rating', order: 1 })
      expect(bare.event).not.toHaveProperty('text')
      const full = await send(ann, chat, { type: 'annotation', annotation_type: 'rating', text: 'good' })
      expect(full.event).toMatchObject({ annotation_type: 'rating', text: 'good', order: 2 })
      expect((await lastThread(ann, chat)).events).toEqual([bare.event, full.event])
      expect(await sendRefused(ann, chat, { type: 'annotation', text: 'good' })).toEqual(
        invalid('payload.event.annotation_type'),
      )
    })

    test('goes to a closed thread, which stays closed, and starts none', async () => {
      const { ann, ben, chat } = await annAndBen()
      await send(ann, chat, message('hello'))
      await ann.ok('close_thread', { chat_id: chat.id })
      await ann.received()
      await ben.received()
      for (const order of [3, 4]) {
        const answer = await send(ann, chat, { type: 'annotation', annotation_type: 'note' })
        expect(answer).toMatchObject({ thread_id: chat.thread.id, event: { order } })
        for (const client of [ann, ben]) {
          expect(await client.next('incoming_event')).toEqual({ chat_id: chat.id, ...answer })
          await client.receivesNothing()
        }
      }
      const shown = (await ben.ok('get_chat_threads', { chat_id: chat.id })).chat
      expect(shown.threads_summary).toEqual([{ thread_id: chat.thread.id, order: 1 }])
      expect(shown.threads[0]).toMatchObject({ id: chat.thread.id, active: false })
      expect(shown.threads[0].events.map((event: any) => event.type)).toEqual([
        'message',
        'system_message',
        'annotation',
        'annotation',
      ])
      // nor does it prolong the thread: a message behind it starts the next one
      expect((await send(ann, chat, message('again'))).thread_id).toBe(`${chat.id}_2`)
    })
  })

  describe('a filled_form', () => {
    test('keeps its fields, with flags given as booleans or as their names', async () => {
      const { ann, ben, chat } = await annAndBen()
      const types = ['text', 'email', 'radio', 'checkbox', 'select', 'textarea', 'title', 'information']
      const fields = types.map((type, index) => ({
        ...{ type, name: `f${index}`, label: `Field ${index}` },
        required: [true, false, 'true', 'false', null][index % 5],
        value: ['text', 12.5, true, null][index % 4],
        ...(type === 'radio'
          ? {
              options: [
                { label: 'Yes', value: 'yes', checked: 'true' },
                { label: 'No', value: 0, checked: 'false' },
                { label: 'Maybe', value: false, checked: null },
                { label: 'Why' },
              ],
            }
          : {}),
      }))
      const { event } = await send(ann, chat, { type: 'filled_form', fields })
      expect(event.fields).toEqual([
        { type: 'text', name: 'f0', label: 'Field 0', required: true, value: 'text' },
        { type: 'email', name: 'f1', label: 'Field 1', required: false, value: 12.5 },
        {
          ...{ type: 'radio', name: 'f2', label: 'Field 2', required: true, value: true },
          options: [
            { label: 'Yes', value: 'yes', checked: true },
            { label: 'No', value: 0, checked: false },
            { label: 'Maybe', value: false },
            { label: 'Why' },
          ],
        },
        { type: 'checkbox', name: 'f3', label: 'Field 3', required: false },
        { type: 'select', name: 'f4', label: 'Field 4', value: 'text' },
        { type: 'textarea', name: 'f5', label: 'Field 5', required: true, value: 12.5 },
        { type: 'title', name: 'f6', label: 'Field 6', required: false, value: true },
        { type: 'information', name: 'f7', label: 'Field 7', required: true },
      ])
      expect((await ben.next('incoming_event')).event).toEqual(event)
      expect((await lastThread(ben, chat)).events).toEqual([event])
    })

    test('holds 50 fields and no more', async () => {
      const { ann, chat } = await annAlone()
      const fields = (count: number) =>
        Array.from({ length: count }, (_, i) => ({ type: 'text', name: `n${i}`, label: 'l' }))
      expect((await send(ann, chat, { type: 'filled_form', fields: fields(50) })).event.fields).toHaveLength(
        50,
      )
      expect(await sendRefused(ann, chat, { type: 'filled_form', fields: fields(51) })).toEqual({
        ...invalid(),
        details: [{ path: 'payload.event.fields', message: 'At most 50 fields' }],
      })
    })

    test('names and labels are of 256 bytes, and what is wrong is named by its path', async () => {
      const { ann, chat } = await annAlone()
      const form = (...fields: object[]) => ({ type: 'filled_form', fields })
      const field = (more: object) => ({ type: 'text', name: 'n', label: 'l', ...more })
      const long = 'é'.repeat(128)
      await send(ann, chat, form(field({ name: long, label: long })))
      const at = 'payload.event.fields'
      const cases: [object, ...string[]][] = [
        [form(field({ name: `${long}a`, label: `a${long}` })), `${at}.0.name`, `${at}.0.label`],
        [form(field({}), field({ type: 'password' })), `${at}.1.type`],
        [form({ type: 'text' }), `${at}.0.name`, `${at}.0.label`],
        [form(field({ required: 'yes' })), `${at}.0.required`],
        [form(field({ required: 1 })), `${at}.0.required`],
        [form(field({ value: {} })), `${at}.0.value`],
        [form(field({ value: ['a'] })), `${at}.0.value`],
        [
          form(field({ options: [{ label: 'a', checked: 'on' }, { value: 1 }] })),
          `${at}.0.options.0.checked`,
          `${at}.0.options.1.label`,
        ],
        [form(field({ options: {} })), `${at}.0.options`],
        [{ type: 'filled_form', fields: {} }, at],
        [{ type: 'filled_form' }, at],
      ]
      for (const [event, ...paths] of cases)
        expect(await sendRefused(ann, chat, event), JSON.stringify(event)).toEqual(invalid(...paths))
    })

    test('a value is a number that can be kept, or the form is refused', async () => {
      const { ann, chat } = await annAlone()
      const form = (value: string) =>
        `{"action":"send_event","payload":{"chat_id":"${chat.id}","event":{"type":"filled_form",` +
        `"fields":[{"type":"text","name":"n","label":"l","value":${value}}]}}}`
      for (const value of [
        '0',
        '-1.5',
        '9007199254740991',
        '123456.789012345',
        '1e-100',
        '-0.1',
        '0.30000000000000004',
        '3.141592653589793',
      ]) {
        ann.send(form(value))
        const { success, payload } = await ann.response()
        expect({ value, success }).toEqual({ value, success: true })
        expect((payload as any).event.fields[0].value).toBe(Number(value))
      }
      for (const value of [
        '1e-131',
        '-1e-200',
        '5e-324',
        '9007199254740993',
        '1e200',
        '1e400',
        '0.1234567890123456789',
      ]) {
        ann.send(form(value))
        const { payload } = await ann.response()
        expect({ value, ...(payload as any) }).toEqual({
          value,
          error: invalid('payload.event.fields.0.value'),
        })
      }
    })
  })

  describe('a custom event', () => {
    test('has its content given back exactly as it came', async () => {
      const { ann, ben, chat } = await annAndBen()
      const content =
        '{"big":12345678901234567890,"max":9007199254740993,"huge":1e400,"tiny":1e-400,"subnormal":1.2345e-320,' +
        '"long":3.141592653589793238462643,"money":1234567890.12345678,"negative":-98765432109876543210,' +
        '"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}},"toJSON":"text","toString":null,"sum":0.30000000000000004,' +
        '"ünï ☃":"😀 \\u0000 \\ud800 \\"quoted\\" <b>","":0,"deep":[[],{},[null,true,[false]]],"raw":{"rawJSON":"1"}}'
      ann.send(
        `{"request_id":"exactly","action":"send_event","payload":{"chat_id":"${chat.id}",` +
          `"event":{"type":"custom","content":${content}}}}`,
      )
      expect(await ann.response()).toMatchObject({ success: true, request_id: 'exactly' })
      await ann.next('incoming_event')
      await ben.next('incoming_event')
      await lastThread(ben, chat)
      const holding = (client: Client) => client.frames.filter((frame) => frame.includes('"type":"custom"'))
      expect(holding(ann)).toHaveLength(2)
      expect(holding(ben)).toHaveLength(2)
      for (const frame of [...holding(ann), ...holding(ben)]) expect(frame).toContain(`"content":${content}`)
      expect(({} as any).admin).toBeUndefined()
    })

    test('may be nested 64 levels deep, objects and arrays alike, and no deeper', async () => {
      const { ann, chat } = await annAlone()
      const nested = (levels: number) => {
        let value: unknown = []
        for (let level = 2; level < levels; level++) value = level % 2 === 0 ? { a: value } : [1, value]
        return { value }
      }
      const { event } = await send(ann, chat, { type: 'custom', content: nested(64) })
      expect(event.content).toEqual(nested(64))
      expect(await sendRefused(ann, chat, { type: 'custom', content: nested(65) })).toEqual({
        ...invalid(),
        details: [{ path: 'payload.event.content', message: 'At most 64 levels deep' }],
      })
      for (const [levels, path] of [
        [190, 'payload.event.content'],
        [10_000, ''],
      ] as const) {
        ann.send(
          `{"action":"send_event","payload":{"chat_id":"${chat.id}","event":{"type":"custom","content":{"n":1e400,"a":` +
            `${'['.repeat(levels)}${']'.repeat(levels)}}}}}`,
        )
        expect((await ann.response()).payload).toEqual({ error: invalid(path) })
      }
    })

    test('holds 16 KiB of JSON, in bytes', async () => {
      const { ann, chat } = await annAlone()
      const content = (bytes: number) => ({
        a: 'é'.repeat(8000) + 'a'.repeat(bytes - 16_000 - '{"a":""}'.length),
      })
      const { event } = await send(ann, chat, { type: 'custom', content: content(16_384) })
      expect(event.content).toEqual(content(16_384))
      expect(await sendRefused(ann, chat, { type: 'custom', content: content(16_385) })).toEqual({
        ...invalid(),
        details: [{ path: 'payload.event.content', message: 'Too long: at most 16384 bytes of JSON' }],
      })
    })

    test('must be an object', async () => {
      const { ann, chat } = await annAlone()
      for (const content of [[], 'text', 1, true, null, undefined])
        expect(await sendRefused(ann, chat, { type: 'custom', content })).toEqual(
          invalid('payload.event.content'),
        )
      ann.send(
        `{"action":"send_event","payload":{"chat_id":"${chat.id}","event":{"type":"custom","content":1e400}}}`,
      )
      expect((await ann.response()).payload).toEqual({ error: invalid('payload.event.content') })
      expect((await send(ann, chat, { type: 'custom', content: {} })).event.content).toEqual({})
    })
  })

  describe('limits and forms', () => {
    test('system messages and files are refused from clients', async () => {
      const { ann, ben, chat } = await annAndBen()
      for (const event of [
        { type: 'system_message', text: 'ben left the chat', system_message_type: 'agent_left' },
        { type: 'system_message', text: 'free', system_message_type: 'mine' },
        { type: 'file', url: 'https://example.com/a.png' },
        { type: 'Message', text: 'hello' },
        { type: null, text: 'hello' },
        { text: 'hello' },
      ])
        expect(await sendRefused(ann, chat, event)).toEqual(invalid('payload.event.type'))
      await ben.receivesNothing()
      expect((await lastThread(ann, chat)).events).toEqual([])
    })

    test('a text is limited to 16 KiB in bytes, not characters', async () => {
      const { ann, chat } = await annAlone()
      for (const text of ['a'.repeat(16_384), 'é'.repeat(8192), '😀'.repeat(4096)])
        expect((await send(ann, chat, message(text))).event.text).toBe(text)
      for (const text of ['a'.repeat(16_385), `${'é'.repeat(8192)}a`, `${'😀'.repeat(4096)}a`]) {
        const details = [{ path: 'payload.event.text', message: 'Too long: at most 16384 bytes of UTF-8' }]
        expect(await sendRefused(ann, chat, message(text))).toEqual({ ...invalid(), details })
        const note = { type: 'annotation', annotation_type: 'note', text }
        expect(await sendRefused(ann, chat, note)).toEqual({ ...invalid(), details })
      }
    })

    test('any other text is kept as it is', async () => {
      const { ann, chat } = await annAlone()
      for (const text of [
        '\u0000',
        ' ',
        '\u2028\u2029',
        '\ufeff',
        'עברית 中文 😀🏳️‍🌈',
        '<script>',
        '__proto__',
        '\\u0041',
      ])
        expect((await send(ann, chat, message(text, { custom_id: text }))).event).toMatchObject({
          text,
          custom_id: text,
        })
    })

    test('ids are limited to 128 bytes', async () => {
      const { ann, chat } = await annAlone()
      const id = 'é'.repeat(64)
      expect((await send(ann, chat, message('a', { custom_id: id }))).event.custom_id).toBe(id)
      expect(await sendRefused(ann, chat, message('a', { custom_id: `${id}a` }))).toEqual(
        invalid('payload.event.custom_id'),
      )
      expect(await sendRefused(ann, { id: `${id}a` }, message('a'))).toEqual(invalid('payload.chat_id'))
    })

    test('properties of an event keep to their limits', async () => {
      const { ann, chat } = await annAlone()
      const at = 'payload.event.properties'
      const names = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, i]))
      const spaces = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, { n: i }]))
      const refusals: [object, string][] = [
        [{ routing: { idle: true } }, `${at}.routing`],
        [{ routing: { idle: null } }, `${at}.routing`],
        [{ 'a.b': { name: 1 } }, `${at}.a.b`],
        [{ '-a': { name: 1 } }, `${at}.-a`],
        [{ ['a'.repeat(65)]: { name: 1 } }, `${at}.${'a'.repeat(65)}`],
        [{ ns: { 'a b': 1 } }, `${at}.ns.a b`],
        [{ ns: { name: 1.5 } }, `${at}.ns.name`],
        [{ ns: { name: [] } }, `${at}.ns.name`],
        [{ ns: { name: { value: {} } } }, `${at}.ns.name`],
        [{ ns: { name: {} } }, `${at}.ns.name`],
        [{ ns: { name: 2 ** 53 } }, `${at}.ns.name`],
        [{ ns: { name: 'é'.repeat(2049) } }, `${at}.ns.name`],
        [{ ns: 1 }, `${at}.ns`],
        [{ ns: names(101) }, `${at}.ns`],
        [spaces(21), at],
        [{ a: { b: 'x'.repeat(4096), c: 'x'.repeat(4096) } }, at],
      ]
      for (const [properties, path] of refusals)
        expect(await sendRefused(ann, chat, message('a', { properties })), path).toEqual(invalid(path))
      for (const properties of [
        spaces(20),
        { ns: names(100) },
        { ['a'.repeat(64)]: { [`b.c-d_${'e'.repeat(58)}`]: 2 ** 53 - 1 } },
        { ns: { name: 'é'.repeat(2048), empty: '', no: false } },
      ]) {
        const { event } = await send(ann, chat, message('a', { properties }))
        expect(event.properties).toEqual(
          Object.fromEntries(
            Object.entries(properties).map(([space, values]) => [
              space,
              Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }])),
            ]),
          ),
        )
      }
    })

    test('names that objects inherit are names like any other', async () => {
      const { ann, ben, chat } = await annAndBen()
      const properties = {
        constructor: { keys: 'x', prototype: 1, constructor: true },
        toString: { valueOf: 'y' },
        ns: { constructor: 'z', hasOwnProperty: 2 },
      }
      const { event } = await send(ann, chat, message('a', { properties }))
      expect(event.properties).toEqual({
        constructor: { keys: { value: 'x' }, prototype: { value: 1 }, constructor: { value: true } },
        toString: { valueOf: { value: 'y' } },
        ns: { constructor: { value: 'z' }, hasOwnProperty: { value: 2 } },
      })
      expect((await ben.next('incoming_event')).event).toEqual(event)
      expect((await lastThread(ben, chat)).events).toEqual([event])
      expect(typeof Object.keys).toBe('function')
    })
  })

  describe('who may', () => {
    test('what is wrong with the payload is told before whether the chat is there', async () => {
      const { ann } = await annAlone()
      expect(await sendRefused(ann, { id: 'nothing' }, { type: 'message' })).toEqual(
        invalid('payload.event.text'),
      )
    })

    test('an agent that was removed can send no more, to active and closed threads', async () => {
      const { ann, ben, chat } = await annAndBen()
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      await send(ben, chat, message('hello', { custom_id: 'mine' }))
      await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      for (const event of [message('again'), { type: 'annotation', annotation_type: 'note' }])
        expect(await sendRefused(ben, chat, event)).toEqual(denied)
      // not even what it sent before
      expect(await sendRefused(ben, chat, message('hello', { custom_id: 'mine' }))).toEqual(denied)
      await ann.ok('close_thread', { chat_id: chat.id })
      expect(await sendRefused(ben, chat, message('again'))).toEqual(denied)
      const texts = (await lastThread(ann, chat)).events.map((event: any) => event.text)
      expect(texts).toEqual(['ben joined the chat', 'hello', 'ben left the chat', 'ann archived the chat'])
    })

    test('a restricted token needs chats.conversation write', async () => {
      const { license, ann, chat } = await annAlone()
      const withScope = (scope: string) => license.login('ann', {}, { scope })
      for (const scope of ['chats.meta--chat_scopes:write chats--all:read', 'x:y', 'agents--my:write']) {
        const client = await withScope(scope)
        expect(await sendRefused(client, chat, message(scope)), scope).toEqual(denied)
      }
      for (const scope of [
        'chats.conversation--my:write',
        'chats.conversation--chat_scopes:write',
        'my-api/chats.conversation--my:write x:y',
        'openid profile',
      ]) {
        const client = await withScope(scope)
        expect((await send(client, chat, message(scope))).event.text).toBe(scope)
      }
      await ann.received()
    })
  })

  describe('who receives it', () => {
    test('agents with access by scopes, place and permission; nobody else', async () => {
      const license = await world.license(
        {
          ann: {},
          named: {},
          grouped: { groups: [2] },
          owner: { permission: 'owner' },
          admin: { permission: 'administrator' },
          joined: {},
          removed: {},
          outsider: { groups: [1] },
        },
        { groups: ['Sales', 'Support'] },
      )
      const stranger = await (await world.license({ ann: { permission: 'owner' } })).login('ann')
      const clients = new Map<string, Client>()
      for (const id of ['ann', 'named', 'grouped', 'owner', 'admin', 'joined', 'removed', 'outsider'])
        clients.set(id, await license.login(id))
      const ann = clients.get('ann')!
      const chat = await startChat(ann, { chat: { scopes: { groups: [2], agents: ['named'] } } })
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['joined', 'removed'] })
      await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['removed'] })
      for (const client of clients.values()) await client.received()

      const answer = await send(ann, chat, message('hello'))
      for (const id of ['ann', 'named', 'grouped', 'owner', 'admin', 'joined']) {
        expect(await clients.get(id)!.next('incoming_event'), id).toEqual({ chat_id: chat.id, ...answer })
        await clients.get(id)!.receivesNothing()
      }
      for (const client of [clients.get('removed')!, clients.get('outsider')!, stranger])
        await client.receivesNothing()
    })

    test('events for agents reach the same agents', async () => {
      const { ann, ben, chat } = await annAndBen()
      const { event } = await send(ann, chat, message('hush', { recipients: 'agents' }))
      expect(event.recipients).toBe('agents')
      expect((await ben.next('incoming_event')).event).toEqual(event)
    })

    test('a restricted token gets pushes only as far as its read scopes reach', async () => {
      const license = await world.license({ ann: {}, ben: {}, olga: { permission: 'owner' } })
      const ann = await license.login('ann')
      const chat = await startChat(ann)
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      const other = await startChat(ann)
      const token = (agent: string, scope: string) => license.login(agent, {}, { scope })
      const none = await token('ben', 'chats.conversation--my:write')
      const my = await token('ben', 'chats--my:read')
      const scoped = await token('ben', 'chats--chat_scopes:read')
      const notAdmin = await token('ben', 'chats--all:read')
      const olgaMy = await token('olga', 'chats--my:read')
      const olgaAll = await token('olga', 'chats--all:read')

      await send(ann, chat, message('both are in it'))
      await send(ann, other, message('ann alone'))
      const texts = async (client: Client) =>
        (await client.received()).map(({ payload }) => (payload as any).event.text)
      expect(await texts(none)).toEqual([])
      expect(await texts(my)).toEqual(['both are in it'])
      expect(await texts(scoped)).toEqual(['both are in it', 'ann alone'])
      expect(await texts(notAdmin)).toEqual([])
      expect(await texts(olgaMy)).toEqual([])
      expect(await texts(olgaAll)).toEqual(['both are in it', 'ann alone'])
    })
  })

  describe('the same custom_id again', () => {
    test('by the same author is answered as before, adds nothing and is pushed to no one', async () => {
      const { ann, ben, chat } = await annAndBen()
      const first = await send(ann, chat, message('hello', { custom_id: 'c1' }))
      await send(ann, chat, message('in between'))
      await ann.received()
      await ben.received()
      expect(await send(ann, chat, message('hello', { custom_id: 'c1' }))).toEqual(first)
      // what it says the second time is not looked at
      expect(await send(ann, chat, { type: 'custom', content: {}, custom_id: 'c1' })).toEqual(first)
      await ann.receivesNothing()
      await ben.receivesNothing()
      expect((await lastThread(ann, chat)).events).toHaveLength(2)
    })

    test("by the same author's other connection is a replay too", async () => {
      const { license, ann, chat } = await annAlone()
      const first = await send(ann, chat, message('hello', { custom_id: 'c1' }))
      expect(await send(await license.login('ann'), chat, message('hello', { custom_id: 'c1' }))).toEqual(
        first,
      )
    })

    test('by another author is a new event', async () => {
      const { ann, ben, chat } = await annAndBen()
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      await send(ann, chat, message('from ann', { custom_id: 'c1' }))
      const { event } = await send(ben, chat, message('from ben', { custom_id: 'c1' }))
      expect(event).toMatchObject({ order: 3, author_id: 'ben', text: 'from ben', custom_id: 'c1' })
    })

    test('without one, the same message is a new event', async () => {
      const { ann, chat } = await annAlone()
      await send(ann, chat, message('hello'))
      expect((await send(ann, chat, message('hello'))).event.order).toBe(2)
    })

    test('is known for what came as initial event', async () => {
      const { ann, chat } = await annAlone({ initial_events: [message('hello', { custom_id: 'c1' })] })
      const { event } = await send(ann, chat, message('hello', { custom_id: 'c1' }))
      expect(event).toEqual(chat.thread.events[0])
    })

    test('after the thread was closed is still a replay, and starts no thread', async () => {
      const { ann, ben, chat } = await annAndBen()
      const first = await send(ann, chat, message('hello', { custom_id: 'c1' }))
      await ann.ok('close_thread', { chat_id: chat.id })
      await ann.received()
      await ben.received()
      expect(await send(ann, chat, message('hello', { custom_id: 'c1' }))).toEqual(first)
      await ann.receivesNothing()
      await ben.receivesNothing()
      expect(await lastThread(ann, chat)).toMatchObject({ id: chat.thread.id, active: false })
    })

    test('once another thread has begun is a new event', async () => {
      const { ann, chat } = await annAlone()
      await send(ann, chat, message('hello', { custom_id: 'c1' }))
      await ann.ok('close_thread', { chat_id: chat.id })
      await send(ann, chat, message('next'))
      expect(await send(ann, chat, message('hello', { custom_id: 'c1' }))).toMatchObject({
        thread_id: `${chat.id}_2`,
        event: { order: 2 },
      })
    })

    test('is known within the last 25 entries', async () => {
      const others = Array.from({ length: 19 }, (_, i) => message(`${i + 2}`))
      const initial_events = [message('hello', { custom_id: 'c1' }), ...others]
      const { ann, chat } = await annAlone({ initial_events })
      for (let order = 21; order <= 25; order++) await send(ann, chat, message(`${order}`))
      expect(await send(ann, chat, message('hello', { custom_id: 'c1' }))).toEqual({
        thread_id: chat.thread.id,
        event: chat.thread.events[0],
      })
      await send(ann, chat, message('26'))
      expect((await send(ann, chat, message('hello', { custom_id: 'c1' }))).event.order).toBe(27)
    })

    test('of an entry older than 2 s is pushed again', async () => {
      vi.useFakeTimers({ toFake: ['Date'] })
      const { ann, ben, chat } = await annAndBen()
      await send(ann, chat, message('before'))
      const first = await send(ann, chat, message('hello', { custom_id: 'c1' }))
      await ann.received()
      await ben.received()
      vi.setSystemTime(Date.now() + 2000)
      expect(await send(ann, chat, message('hello', { custom_id: 'c1' }))).toEqual(first)
      await ben.receivesNothing()
      vi.setSystemTime(Date.now() + 1)
      expect(await send(ann, chat, message('hello', { custom_id: 'c1' }))).toEqual(first)
      for (const client of [ann, ben])
        expect(await client.received()).toEqual([
          { action: 'incoming_event', payload: { chat_id: chat.id, ...first } },
        ])
    })

    test('of the event that started a thread brings the thread, as it is now, and the event again', async () => {
      vi.useFakeTimers({ toFake: ['Date'] })
      const { ann, ben, chat } = await annAndBen()
      await ann.ok('close_thread', { chat_id: chat.id })
      const first = await send(ann, chat, message('again', { custom_id: 'c1' }))
      const second = await send(ann, chat, message('and again'))
      await ann.received()
      await ben.received()
      vi.setSystemTime(Date.now() + 2500)
      expect(await send(ann, chat, message('again', { custom_id: 'c1' }))).toEqual(first)
      const { chat: shown } = await ben.next('incoming_chat_thread')
      expect(shown).toMatchObject({ id: chat.id, thread: { id: `${chat.id}_2`, active: true } })
      expect(shown.thread.events).toEqual([first.event, second.event])
      expect(shown.thread).not.toHaveProperty('has_more')
      expect(await ben.next('incoming_event')).toEqual({ chat_id: chat.id, ...first })
      await ben.receivesNothing()
    })
  })

  describe('to a chat without an active thread', () => {
    test('starts the next thread, which everyone with access gets with the event in it', async () => {
      const { license, ann, ben, chat } = await annAndBen({
        chat: { properties: { source: { type: 'web' } }, thread: { properties: { only: { first: true } } } },
      })
      await license.addAgent('cleo')
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben', 'cleo'] })
      await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['cleo'] })
      await ann.ok('close_thread', { chat_id: chat.id })
      await ann.received()
      await ben.received()

      const answer = await send(ben, chat, message('again', { custom_id: 'c9' }))
      expect(answer).toMatchObject({
        thread_id: `${chat.id}_2`,
        event: { id: `${chat.id}_2_1`, order: 1, author_id: 'ben', text: 'again' },
      })
      const pushed = await ben.next('incoming_chat_thread')
      expect(pushed).toEqual({
        chat: {
          id: chat.id,
          users: [
            expect.objectContaining({ id: 'ann', type: 'agent', present: true }),
            expect.objectContaining({ id: 'ben', type: 'agent', present: true }),
            expect.objectContaining({ id: 'cleo', type: 'agent', present: false }),
          ],
          properties: { source: { type: { value: 'web' } } },
          thread: {
            id: `${chat.id}_2`,
            timestamp: answer.event.timestamp,
            active: true,
            user_ids: expect.any(Array),
            order: 2,
            events: [answer.event],
          },
        },
      })
      expect(pushed.chat.thread.user_ids.toSorted()).toEqual(['ann', 'ben'])
      expect(await ann.next('incoming_chat_thread')).toEqual(pushed)
      // the thread carries its event: it is not pushed by itself as well
      await ann.receivesNothing()
      await ben.receivesNothing()

      expect((await send(ann, chat, message('on'))).thread_id).toBe(`${chat.id}_2`)
      expect((await ann.next('incoming_event')).event.order).toBe(2)
      const { chat: shown } = await ann.ok('get_chat_threads', { chat_id: chat.id })
      expect(shown.threads_summary.map(({ order }: any) => order)).toEqual([1, 2])
    })

    test('does not tell agents without access', async () => {
      const { ann, ben, chat } = await annAndBen({ chat: { scopes: { agents: ['ann'] } } })
      await ann.ok('close_thread', { chat_id: chat.id })
      await ann.received()
      await send(ann, chat, message('again'))
      expect((await ann.next('incoming_chat_thread')).chat.scopes).toEqual({ agents: ['ann'] })
      await ben.receivesNothing()
    })

    test('brings the chat back among the active ones of a login', async () => {
      const { license, ann, chat } = await annAlone({}, await oneAgent())
      await ann.ok('close_thread', { chat_id: chat.id })
      const summaries = async () => {
        const client = await world.open()
        return (await client.ok('login', { token: await license.token('ann') })).chats_summary
      }
      expect(await summaries()).toEqual([])
      await send(ann, chat, { type: 'annotation', annotation_type: 'note' })
      expect(await summaries()).toEqual([])
      await send(ann, chat, message('again'))
      expect(await summaries()).toMatchObject([
        { id: chat.id, last_thread_summary: { order: 2, active: true } },
      ])
    })
  })

  describe('a supervisor', () => {
    const supervised = async (license: License) => {
      const [ann, sue] = [await license.login('ann'), await license.login('sue')]
      const chat = await startChat(ann, undefined, sue)
      await supervise(chat.id, 'sue')
      return { ann, sue, chat }
    }

    test('speaks to agents only, and may not ask for more', async () => {
      const { ann, sue, chat } = await supervised(await world.license({ ann: {}, sue: {} }))
      for (const recipients of [undefined, null, 'agents']) {
        const { event } = await send(sue, chat, message('psst', { recipients }))
        expect(event).toMatchObject({ recipients: 'agents', author_id: 'sue' })
        expect((await ann.next('incoming_event')).event).toEqual(event)
      }
      for (const event of [message('to all'), { type: 'annotation', annotation_type: 'a' }])
        expect(await sendRefused(sue, chat, { ...event, recipients: 'all' })).toEqual(denied)
      await ann.receivesNothing()
      expect((await lastThread(ann, chat)).events).toHaveLength(3)
    })

    test('annotates a closed thread and starts the next for agents only', async () => {
      const { ann, sue, chat } = await supervised(await world.license({ ann: {}, sue: {} }))
      await ann.ok('close_thread', { chat_id: chat.id })
      await ann.received()
      const note = await send(sue, chat, { type: 'annotation', annotation_type: 'note' })
      expect(note.event.recipients).toBe('agents')
      expect(await sendRefused(sue, chat, message('again', { recipients: 'all' }))).toEqual(denied)
      const started = await send(sue, chat, message('again'))
      expect(started).toMatchObject({ thread_id: `${chat.id}_2`, event: { recipients: 'agents' } })
      await ann.next('incoming_event')
      const { chat: shown } = await ann.next('incoming_chat_thread')
      expect(shown.thread.events).toEqual([started.event])
      expect(shown.thread.user_ids.toSorted()).toEqual(['ann', 'sue'])
    })
  })

  describe('time', () => {
    test("an event's timestamp is never below its predecessor's, though a clock goes back", async () => {
      vi.useFakeTimers({ toFake: ['Date'] })
      const { ann, chat } = await annAlone()
      const start = Date.now()
      const times: number[] = []
      for (const offsetS of [10, -30, 5, 11]) {
        vi.setSystemTime(start + offsetS * 1000)
        times.push((await send(ann, chat, message('tick'))).event.timestamp)
      }
      const startS = Math.floor(start / 1000)
      expect(times).toEqual([startS + 10, startS + 10, startS + 10, startS + 11])
      // nor across a closing and the next thread
      vi.setSystemTime(start - 60_000)
      await ann.ok('close_thread', { chat_id: chat.id })
      const note = await send(ann, chat, { type: 'annotation', annotation_type: 'note' })
      expect(note.event.timestamp).toBe(startS + 11)
      const again = await send(ann, chat, message('again'))
      expect(again.event.timestamp).toBe(startS + 11)
      expect(await lastThread(ann, chat)).toMatchObject({ id: `${chat.id}_2`, timestamp: startS + 11 })
    })
  })
})
