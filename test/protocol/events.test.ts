import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { detailsOf } from '../../shared/protocol/envelope.ts'
import {
  contentOf,
  ContentText,
  NewEvent,
  NewInitialEvent,
  systemMessageTypes,
} from '../../shared/protocol/events.ts'
import { parseJson } from '../../shared/protocol/json.ts'

const faults = (schema: z.core.$ZodType, input: unknown) => {
  const { success, error } = z.safeParse(schema, input)
  return success ? [] : detailsOf(error.issues, 'event')
}
const paths = (input: unknown) => faults(NewEvent, input).map(({ path }) => path)
const field = (more: object = {}) => ({ type: 'text', name: 'n', label: 'l', ...more })
const form = (...fields: object[]) => ({ type: 'filled_form', fields })

describe('an event from a client', () => {
  test('has one of four types', () => {
    for (const event of [
      { type: 'message', text: 'a' },
      { type: 'annotation', annotation_type: 'a' },
      { type: 'filled_form', fields: [] },
      { type: 'custom', content: {} },
    ])
      expect(paths(event)).toEqual([])
    for (const type of [
      'system_message',
      'file',
      'Message',
      '',
      'constructor',
      '__proto__',
      null,
      undefined,
      1,
      {},
    ])
      expect(faults(NewEvent, { type, text: 'a', system_message_type: 'mine' }), String(type)).toEqual([
        {
          path: 'event.type',
          message:
            'Must be one of message, annotation, filled_form, custom; system_message and file are made by the server',
        },
      ])
    for (const event of [null, undefined, 'text', 1, [], [{ type: 'message', text: 'a' }]])
      expect(paths(event)).toEqual(['event'])
  })

  test('keeps the fields of its type and nothing else', () => {
    const everything = {
      ...{ text: 't', annotation_type: 'a', fields: [field({ x: 1 })], content: {}, custom_id: 'c' },
      ...{
        recipients: 'agents',
        properties: { a: { b: 1 } },
        id: 'x',
        order: 1,
        author_id: 'x',
        timestamp: 1,
      },
    }
    const common = { custom_id: 'c', recipients: 'agents', properties: { a: { b: { value: 1 } } } }
    const kept = (type: string) =>
      JSON.parse(JSON.stringify(z.parse(NewInitialEvent, { ...everything, type })))
    expect(kept('message')).toEqual({ ...common, type: 'message', text: 't' })
    expect(kept('annotation')).toEqual({ ...common, type: 'annotation', annotation_type: 'a', text: 't' })
    expect(kept('filled_form')).toEqual({ ...common, type: 'filled_form', fields: [field()] })
    expect(kept('custom')).toEqual({ ...common, type: 'custom', content: '{}' })
    expect(kept('system_message')).toEqual({
      ...common,
      type: 'system_message',
      text: 't',
      system_message_type: 'custom',
    })
  })

  test('null is absence on what is optional, and a fault on what is not', () => {
    const none = { custom_id: null, recipients: null, properties: null }
    expect(paths({ ...none, type: 'message', text: 'a' })).toEqual([])
    expect(paths({ ...none, type: 'annotation', annotation_type: 'a', text: null })).toEqual([])
    expect(paths(form(field({ required: null, value: null, options: null })))).toEqual([])
    expect(paths(form(field({ options: [{ label: 'l', value: null, checked: null }] })))).toEqual([])
    expect(paths({ type: 'message', text: null })).toEqual(['event.text'])
    expect(paths({ type: 'annotation', annotation_type: null })).toEqual(['event.annotation_type'])
    expect(paths({ type: 'filled_form', fields: null })).toEqual(['event.fields'])
    expect(paths({ type: 'custom', content: null })).toEqual(['event.content'])
    expect(paths(form(field({ name: null, label: null, type: null })))).toEqual([
      'event.fields.0.type',
      'event.fields.0.name',
      'event.fields.0.label',
    ])
  })

  test('text is limited in bytes of UTF-8', () => {
    for (const text of ['a'.repeat(16_384), 'é'.repeat(8192), '€'.repeat(5461), '😀'.repeat(4096)])
      expect(paths({ type: 'message', text })).toEqual([])
    for (const text of [
      'a'.repeat(16_385),
      `é${'a'.repeat(16_383)}`,
      '€'.repeat(5462),
      `${'😀'.repeat(4096)}a`,
    ])
      expect(faults(NewEvent, { type: 'message', text })).toEqual([
        { path: 'event.text', message: 'Too long: at most 16384 bytes of UTF-8' },
      ])
  })

  test('half a surrogate pair is no text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 0xd800, max: 0xdfff }), (around, half) => {
        const lone = `a${String.fromCharCode(half)}a`
        expect(paths({ type: 'message', text: lone })).toEqual(['event.text'])
        if (around !== '') expect(paths({ type: 'message', text: around })).toEqual([])
      }),
    )
  })

  test('flags come as booleans or as their names', () => {
    const required = (flag: unknown) =>
      (z.parse(NewEvent, form(field({ required: flag }))) as any).fields[0].required
    expect([true, 'true', false, 'false', null, undefined].map(required)).toEqual([
      true,
      true,
      false,
      false,
      undefined,
      undefined,
    ])
    for (const flag of ['True', '1', 1, 0, '', 'yes', [], {}])
      expect(
        faults(NewEvent, form(field({ required: flag, options: [{ label: 'l', checked: flag }] }))),
      ).toEqual([
        { path: 'event.fields.0.required', message: 'Must be true or false' },
        { path: 'event.fields.0.options.0.checked', message: 'Must be true or false' },
      ])
  })

  test('forms keep to their limits', () => {
    const many = (count: number) => Array.from({ length: count }, () => field())
    expect(paths(form(...many(50)))).toEqual([])
    expect(faults(NewEvent, form(...many(51)))).toEqual([
      { path: 'event.fields', message: 'At most 50 fields' },
    ])
    const options = (count: number) => Array.from({ length: count }, () => ({ label: 'l' }))
    expect(paths(form(field({ options: options(100) })))).toEqual([])
    expect(paths(form(field({ options: options(101) })))).toEqual(['event.fields.0.options'])
    const long = 'é'.repeat(129)
    expect(paths(form(field({ name: long, label: long, options: [{ label: long }] })))).toEqual([
      'event.fields.0.name',
      'event.fields.0.label',
      'event.fields.0.options.0.label',
    ])
    expect(paths(form(field({ value: 'x'.repeat(16_384) })))).toEqual([])
    expect(paths(form(field({ value: 'x'.repeat(16_385) })))).toEqual(['event.fields.0.value'])
  })

  test('a value is of a size that the table keeps', () => {
    for (const value of [0, -0, 1e-130, -1e-130, 0.1 + 0.2, Number.MAX_SAFE_INTEGER])
      expect(paths(form(field({ value })))).toEqual([])
    for (const value of [
      1e-131,
      -1e-131,
      Number.MIN_VALUE,
      JSON.rawJSON('1e400'),
      JSON.rawJSON('9007199254740993'),
    ])
      expect(paths(form(field({ value })))).toEqual(['event.fields.0.value'])
  })
})

describe('an initial event', () => {
  const system = (system_message_type?: unknown) => ({
    type: 'system_message',
    text: 'a',
    system_message_type,
  })

  test("may be a system message of any type but the server's own", () => {
    for (const type of systemMessageTypes)
      expect(faults(NewInitialEvent, system(type))).toEqual([
        {
          path: 'event.system_message_type',
          message: 'This type is reserved for the server: use another, or none',
        },
      ])
    for (const type of ['x', 'custom', 'AGENT_JOINED', ' agent_joined', 'routing.idle2'])
      expect(z.parse(NewInitialEvent, system(type))).toMatchObject({ system_message_type: type })
    for (const type of [undefined, null])
      expect(z.parse(NewInitialEvent, system(type))).toMatchObject({ system_message_type: 'custom' })
  })

  test('a file is refused', () => {
    expect(faults(NewInitialEvent, { type: 'file' })).toEqual([
      {
        path: 'event.type',
        message: 'Must be one of message, annotation, filled_form, custom, system_message',
      },
    ])
  })
})

describe('content', () => {
  const kept = (json: string) => z.parse(ContentText, parseJson(json))

  test('is kept as JSON text, and comes back as it was', () => {
    for (const json of [
      '{}',
      '{"a":12345678901234567890,"b":-9007199254740993,"c":1e400,"d":-1e400,"e":1e-400}',
      '{"a":0.12345678901234567891,"b":1234567890.12345678,"c":123456789012345.6,"d":99999999.99999999}',
      '{"a":9007199254740991,"b":0.30000000000000004,"c":3.141592653589793,"d":5e-324,"e":2.2250738585072011e-308}',
      '{"__proto__":{"a":1},"constructor":{"prototype":{"b":2}},"toJSON":"x","valueOf":null}',
      '{"half":"\\ud800","both":"😀","escaped":"\\u0000\\n\\"\\\\"}',
      '{"":{"":[]},"list":[[],{},null,true,"",0]}',
      '{"rawJSON":"1"}',
    ]) {
      expect(kept(json)).toBe(json)
      expect(JSON.stringify(contentOf(kept(json)))).toBe(json)
    }
  })

  test('any number comes back as the number it was', () => {
    const digits = (max: number) =>
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: max }).map((all) => all.join(''))
    const whole = digits(25).map((text) => text.replace(/^0+(?=\d)/, ''))
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        whole,
        fc.option(digits(25)),
        fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 420 }))),
      )
      .map(([sign, int, fraction, exponent]) =>
        [sign, int, fraction === null ? '' : `.${fraction}`, exponent === null ? '' : exponent.join('')].join(
          '',
        ),
      )
    fc.assert(
      fc.property(number, (text) => {
        const back = kept(`{"n":${text}}`).slice('{"n":'.length, -1)
        expect(decimal(back)).toBe(decimal(text))
      }),
      { numRuns: 2000 },
    )
  })

  test('any JSON object of up to 64 levels comes back equal', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const json = JSON.stringify(value)
        fc.pre(Buffer.byteLength(json) <= 16_384)
        expect(kept(json)).toBe(JSON.stringify(JSON.parse(json)))
      }),
    )
  })

  test('is an object and nothing else', () => {
    for (const json of ['[]', '"text"', '1', 'true', 'null', '1e400', '[{}]'])
      expect(faults(ContentText, parseJson(json)), json).toEqual([
        { path: 'event', message: 'Must be a JSON object' },
      ])
    expect(faults(ContentText, undefined)).toHaveLength(1)
  })

  test('is at most 64 levels deep, however wide', () => {
    const deep = (levels: number, open: string, close: string) =>
      parseJson(
        `{"n":1e400,"a":${open.repeat(levels - 1)}${close === ']' ? '' : '1'}${close.repeat(levels - 1)}}`,
      )
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      expect(faults(ContentText, deep(64, open, close))).toEqual([])
      expect(faults(ContentText, deep(65, open, close))).toEqual([
        { path: 'event', message: 'At most 64 levels deep' },
      ])
    }
    expect(faults(ContentText, JSON.parse(`{"a":${'['.repeat(12_000)}${']'.repeat(12_000)}}`))).toHaveLength(
      1,
    )
    expect(faults(ContentText, { a: Array.from({ length: 5000 }, () => []) })).toEqual([])
  })

  test('is of 16 KiB of JSON, in bytes', () => {
    const sized = (bytes: number) => ({ a: 'é'.repeat(4000) + 'a'.repeat(bytes - 8000 - '{"a":""}'.length) })
    expect(faults(ContentText, sized(16_384))).toEqual([])
    expect(faults(ContentText, sized(16_385))).toEqual([
      { path: 'event', message: 'Too long: at most 16384 bytes of JSON' },
    ])
  })
})

/**
 * A decimal number in one form, of any size: its sign, its digits without zeros around them, and its power of
 * ten.
 */
const decimal = (text: string): string => {
  const [, sign = '', int = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]\+?(-?\d+))?$/.exec(text)!
  const digits = `${int}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
