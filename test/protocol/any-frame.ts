import * as fc from 'fast-check'
import type * as z from 'zod/mini'
import type { ActionSpec } from '../../shared/protocol/action.ts'

/** Stands in a generated text for the id under which the frame is sent. */
export const idMark = '@the-id@'
/** The largest frame that the gateway takes. */
const frameBytes = 32 * 1024

/** Ids that are good for something here, by the field that they stand in. */
export interface RealIds {
  chats: readonly string[]
  threads: readonly string[]
  agents: readonly string[]
  customers: readonly string[]
}

/** JSON text that stands for itself inside a generated value: what `JSON.stringify` would not write. */
class Verbatim {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toJSON(): string {
    return `@raw:${Buffer.from(this.text).toString('base64url')}@`
  }
}
const verbatim = (...texts: string[]) => fc.constantFrom(...texts).map((text) => new Verbatim(text))

const oddNumbers = verbatim(
  ...['1e400', '-1e400', '1e-400', '1e-200', '1e-129', '1e125', '1e130', '-0', '0.1e1', '1.0', '-1'],
  ...['9007199254740991', '9007199254740993', '-9007199254740993', '123456789012345678901234567890'],
  ...['0.30000000000000004', '0.123456789012345678901234567890', '99999999', '999999999', '2147483648'],
  ...[`1${'0'.repeat(400)}`, `0.1${'0'.repeat(15_000)}1`, `1e-${'0'.repeat(400)}9`],
)
const oddKeys = fc.constantFrom(
  ...['__proto__', 'constructor', 'prototype', 'toString', 'toJSON', 'then', 'hasOwnProperty', 'rawJSON', ''],
  ...['valueOf', 'length', '0', '-1', '#', '%23', 'a.b', 'routing', 'value', '\u0000', '\ud800', '$ref'],
)
const longTexts = fc.oneof(
  fc.constantFrom(129, 257, 1025, 4097, 16_384, 16_385, 30_000).map((length) => 'x'.repeat(length)),
  fc.constantFrom(43, 86, 5462, 10_000).map((length) => '\u4e2d'.repeat(length)),
)
const oddTexts = fc.oneof(
  { weight: 5, arbitrary: oddKeys },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      '\u0000',
      'a\u0000b',
      '\ud800',
      'x\udfff',
      '\u{1F600}',
      '\u202e',
      'LOG#',
      'null',
    ),
  },
  { weight: 5, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  // a few are enough: every one that is taken is read again with the tail of its chat
  { weight: 1, arbitrary: longTexts },
)
const nested = fc
  .tuple(
    fc.constantFrom(10, 63, 64, 65, 190, 196, 199, 200, 201, 500, 3000, 9000),
    fc.constantFrom(['[', '1', ']'], ['[', '1e400', ']'], ['{"a":', '{}', '}'], ['{"a":', '1e-400', '}']),
  )
  .map(([depth, [open = '', inner = '', close = '']]) => {
    const levels = Math.min(depth, Math.floor(30_000 / (open.length + close.length)))
    return new Verbatim(open.repeat(levels) + inner + close.repeat(levels))
  })
const dictionary: fc.Arbitrary<unknown> = fc
  .array(fc.tuple(oddKeys, fc.oneof(fc.jsonValue({ maxDepth: 2 }), oddNumbers)), { maxLength: 4 })
  .map((entries) => Object.fromEntries(entries))

/** What no field expects. */
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, '', [], {}, [[]], [null], 'agents', 'all'),
  oddTexts,
  oddNumbers,
  dictionary,
  fc.jsonValue({ maxDepth: 3 }),
  longTexts,
  nested,
  fc.array(fc.constantFrom('a', 1, null), { minLength: 90, maxLength: 200 }),
)

const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }) },
  { weight: 1, arbitrary: oddTexts },
)

/** Values that fit a schema's shape, though not always its limits. */
const fitting = (schema: z.core.$ZodType, ids: RealIds): fc.Arbitrary<unknown> => {
  const { def } = (schema as z.core.$ZodTypes)._zod
  const within = (inner: z.core.$ZodType) => fitting(inner, ids)
  switch (def.type) {
    case 'object': {
      const fields = Object.entries(def.shape).map(
        ([name, field]) => [name, named(name, ids) ?? within(field)] as const,
      )
      const required = Object.entries(def.shape)
        .filter(([, field]) => field._zod.optin !== 'optional')
        .map(([name]) => name)
      return fc.record(Object.fromEntries(fields), { requiredKeys: required })
    }
    case 'optional':
      return within(def.innerType)
    case 'nullable':
      return fc.oneof(
        { weight: 9, arbitrary: within(def.innerType) },
        { weight: 1, arbitrary: fc.constant(null) },
      )
    case 'pipe':
      // what is looked at before its shape is
      return within(def.in._zod.def.type === 'transform' ? def.out : def.in)
    case 'union':
      return fc.oneof(...def.options.map(within))
    case 'array':
      return fc.array(within(def.element), { maxLength: 3 })
    case 'record':
      return fc
        .array(
          fc.tuple(fc.oneof(oddKeys, fc.constantFrom('source', 'a', 'b-c', 'n1')), within(def.valueType)),
          {
            maxLength: 3,
          },
        )
        .map((entries) => Object.fromEntries(entries))
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries))
    case 'literal':
      return fc.constantFrom(...def.values)
    case 'string':
      return text
    case 'number':
      return fc.oneof(fc.integer({ min: -1, max: 200 }), fc.double(), oddNumbers)
    case 'boolean':
      return fc.boolean()
    case 'unknown':
      return fc.oneof(dictionary, nested, fc.jsonValue({ maxDepth: 3 }), text)
    default:
      throw new Error(`No values are known for ${def.type}`)
  }
}

/** Ids that lead somewhere, most of the time. */
const named = (
  field: string,
  { chats, threads, agents, customers }: RealIds,
): fc.Arbitrary<unknown> | undefined => {
  const or = (arbitrary: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 12, arbitrary }, { weight: 1, arbitrary: hostile })
  switch (field) {
    case 'chat_id':
      return or(fc.constantFrom(...chats))
    case 'thread_id':
      return or(fc.constantFrom(...threads))
    case 'event_id':
      return or(fc.constantFrom(...threads).map((thread) => `${thread}_1`))
    case 'customer_id':
      return or(fc.constantFrom(...customers))
    // each needs exactly one thread, and not the other
    case 'before_order':
    case 'after_order':
      return or(fc.constantFrom(null, null, null, 3))
    case 'thread_ids':
      return or(fc.array(fc.constantFrom(...threads), { maxLength: 3 }))
    case 'agent_ids':
      return or(fc.array(fc.constantFrom(...agents), { minLength: 1, maxLength: 4 }))
    case 'users':
      return or(
        fc.array(fc.record({ id: fc.constantFrom(...customers), type: fc.constant('customer') }), {
          maxLength: 1,
        }),
      )
    case 'url':
    case 'referrer':
      return or(fc.constantFrom('https://shop.example.com/cart?a=b#c', 'http://127.0.0.1', ''))
    case 'custom_id':
      return or(fc.constantFrom('one', 'two', 'three'))
    case 'token':
      return fc.oneof(hostile, jwt)
    default:
      return undefined
  }
}

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token that no one signed. */
const jwt = fc
  .tuple(
    fc.oneof(
      dictionary,
      fc.record({ alg: fc.constantFrom('none', 'RS256', 'ES256', 'HS256'), kid: oddTexts }),
    ),
    fc.oneof(dictionary, fc.record({ sub: oddTexts, exp: fc.integer() })),
    fc.base64String({ maxLength: 20 }),
  )
  .map(([header, claims, signature]) => `${base64(header)}.${base64(claims)}.${signature}`)

/** Somewhere in a value, something else: another value, a field less, a field more. */
const mutated = (value: unknown, path: readonly number[], other: unknown): unknown => {
  const [step, ...rest] = path
  if (step === undefined || typeof value !== 'object' || value === null || value instanceof Verbatim)
    return other
  const entries = Object.entries(value)
  const at = step % (entries.length + 1)
  const changed =
    at === entries.length
      ? [...entries, [String(step), other] as const]
      : step % 7 === 0
        ? entries.toSpliced(at, 1)
        : entries.map(([key, inner], i) => [key, i === at ? mutated(inner, rest, other) : inner] as const)
  return Array.isArray(value) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed)
}

const asked = (ids: RealIds, actions: readonly ActionSpec[]): fc.Arbitrary<unknown> => {
  // a thread of another chat, now and then
  const about = (chat: string): RealIds => ({
    agents: ids.agents,
    customers: ids.customers,
    chats: [chat],
    threads: [...ids.threads.filter((id) => id.startsWith(`${chat}_`)), ids.threads[0] ?? chat],
  })
  const payload = fc.oneof(
    ...ids.chats.map(about).flatMap((some) =>
      actions.map(({ name, request }) => ({
        // most of what can go wrong is in the events
        weight: name === 'send_event' ? 6 : name === 'start_chat' ? 1 : 2,
        arbitrary: fc.tuple(fc.constant(name), fitting(request, some)),
      })),
    ),
  )
  const path = fc.array(fc.nat(50), { minLength: 1, maxLength: 5 })
  return fc
    .tuple(payload, fc.option(fc.tuple(path, hostile), { freq: 1 }))
    .map(([[action, right], change]) => ({
      request_id: idMark,
      action,
      payload: change === null ? right : mutated(right, ...change),
    }))
}

const json = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/"@raw:([\w-]*)@"/g, (_, raw: string) =>
    Buffer.from(raw, 'base64url').toString(),
  )

/** Cut at so many bytes of UTF-8, between characters. */
const cut = (frame: string, bytes: number): string =>
  Buffer.byteLength(frame) <= bytes
    ? frame
    : Buffer.from(frame)
        .subarray(0, bytes)
        .toString()
        .replace(/\ufffd$/, '')

/**
 * Any text frame that the gateway lets in, from what fits a contract of `actions` to what is no JSON at all.
 */
export const anyFrame = (ids: RealIds, actions: readonly ActionSpec[]): fc.Arbitrary<string> => {
  const names = actions.map(({ name }) => name)
  const anyAction = fc.oneof(
    // the last two are known to one endpoint each
    fc.constantFrom(
      ...[...names, '$connect', '$disconnect', '$default', 'Ping', 'ping '],
      ...['send_broadcast', 'send_sneak_peek'],
    ),
    hostile,
  )
  const request = asked(ids, actions).map(json)
  const envelope = fc
    .record(
      {
        id: hostile,
        request_id: fc.oneof(fc.constant(idMark), hostile),
        action: anyAction,
        payload: hostile,
      },
      { requiredKeys: [] },
    )
    .map(json)
  const twice = fc
    .tuple(fc.constantFrom(...names), fc.constantFrom(...names), hostile)
    .map(
      ([one, other, payload]) =>
        `{"action":"${one}","request_id":"${idMark}","payload":${json(payload)},"action":"${other}"}`,
    )
  const broken = fc.oneof(
    fc.tuple(request, fc.nat(200)).map(([whole, at]) => whole.slice(0, at)),
    fc
      .tuple(request, fc.nat(200), fc.constantFrom('\u0000', '"', '}', '{', ',', '\\', '\ufeff', '//', 'NaN'))
      .map(([whole, at, odd]) => whole.slice(0, at) + odd + whole.slice(at)),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '',
      ' ',
      '\u0000',
      '{}',
      '[]',
      'null',
      '{"action":ping}',
      "{'action':'ping'}",
      'undefined',
    ),
    fc.constantFrom('[', '{"a":', '"', '-', '\u0000', '{"action":"ping",').map((odd) => odd.repeat(6000)),
  )
  const filled = fc.constantFrom(...names).map((action) => {
    const empty = json({ request_id: idMark, action, payload: { text: '' } })
    // to the last byte, whatever the id is that comes in the mark's place: it is no longer than the mark
    return empty.replace('"text":""', `"text":"${'x'.repeat(frameBytes - empty.length)}"`)
  })
  return fc
    .oneof(
      { weight: 7, arbitrary: request },
      { weight: 4, arbitrary: envelope },
      { weight: 5, arbitrary: broken },
      { weight: 1, arbitrary: twice },
      { weight: 2, arbitrary: hostile.map(json) },
      { weight: 1, arbitrary: filled },
    )
    .map((frame) => cut(frame, frameBytes))
}
