import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import en from 'zod/v4/locales/en.js'
import type { ActionSpec } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { detailsOf, readFrame, refused } from '../../shared/protocol/envelope.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { expectProportional, expectWithin } from '../support/least-time.ts'

z.config(en())

const specs = [...agentActions, ...customerActions]
const specOf = (name: string): ActionSpec => agentActions.find((spec) => spec.name === name)!

/** All that is done with a frame before anything is looked up, and with a refusal of it. */
const read = (spec: ActionSpec | undefined, frame: string): string | undefined => {
  const { echo, faults, payload } = readFrame(frame, spec?.name)
  if (faults.length > 0) return refused(echo, new ProtocolError('validation', { details: faults }))
  const { success, error } = z.safeParse(spec!.request, payload)
  return success
    ? undefined
    : refused(echo, new ProtocolError('validation', { details: detailsOf(error.issues, 'payload') }))
}

const frameOf = (action: string, payload: string): string =>
  `{"request_id":"r-1","action":"${action}","payload":${payload}}`

/** `open`, as often as there is room a part, `close`: so many bytes in all. */
const filled = (length: number, open: string, part: string | ((n: number) => string), close: string) => {
  const room = length - Buffer.byteLength(open + close)
  if (typeof part === 'string') return open + part.repeat(Math.floor(room / Buffer.byteLength(part))) + close
  let made = ''
  for (let n = 0; ; n += 1) {
    const next = part(n)
    if (made.length + next.length > room) return open + made + close
    made += next
  }
}

/** A frame as apps send them: a form, and what nobody reads. */
const ordinary = (length: number): string => {
  const field = { type: 'select', name: 'size', label: 'Size', required: true, value: 3 }
  const fields = Array.from({ length: 10 }, () => ({ ...field, options: [{ label: 'Small', value: 's' }] }))
  const item = `,${JSON.stringify({ id: 12, name: 'A "thing", which is red', price: 12.5, tags: ['a', 'b'] })}`
  const event = JSON.stringify({ type: 'filled_form', fields })
  return frameOf('send_event', filled(length - 60, `{"chat_id":"c","event":${event},"cart":[{}`, item, ']}'))
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const sendEvent = specOf('send_event')
/**
 * What the reading of any frame is measured by: V8's own parsing of it, and an ordinary frame of its length.
 */
const besideOf = (frame: (length: number) => string) => (length: number) => {
  const [own, other] = [frame(length), ordinary(length)]
  return () => [parse(own), read(sendEvent, other)]
}

/** Text that is cut between its marks: an array of it, an object, or just itself. */
type Shape = (length: number) => string
const times =
  (open: string, part: string | ((n: number) => string), close = ''): Shape =>
  (length) =>
    filled(length, open, part, close)

/**
 * Frames with one of these made a function busy for most of a second, or would in a parser that is no better.
 */
const longNumbers: Record<string, Shape> = {
  digits: times('1', '7'),
  'zeros behind a digit': times('1', '0'),
  'zeros before a digit': times('0.', '0', '1'),
  'zeros between digits': times('0.1', '0', '1'),
  'zeros on both sides': (length) => times(`0.${'0'.repeat(length / 3)}1`, '0', '1')(length),
  'zeros and a huge exponent': times('1', '0', 'e400'),
  'zeros in an exponent': times('1e', '0', '1'),
  'zeros in a negative exponent': times('1e-', '0', '400'),
  'digits in an exponent': times('1E+', '9'),
  'a fraction of nines': times('0.', '9'),
  'a fraction of mixed digits': times('-9.', '90'),
}
const manyNumbers: Record<string, Shape> = {
  'numbers that no double holds': times('[', '1e22,', '1]'),
  'numbers of 17 digits': times('[', '12345678901234567,', '1]'),
  'numbers of 700 digits': times('[', `0.1${'0'.repeat(700)}1,`, '1]'),
  'small numbers beside one that no double holds': times('[1e400,', '1,', '1]'),
}

const values: Record<string, Shape> = {
  ...longNumbers,
  ...manyNumbers,
  'arrays in one another': (length) => '['.repeat(length / 2) + ']'.repeat(length / 2),
  'objects in one another': (length) => `${'{"a":'.repeat(length / 6)}1${'}'.repeat(length / 6)}`,
  'arrays up to the limit': times('[', `${'['.repeat(190)}1e400${']'.repeat(190)},`, '1]'),
  'arrays beyond the limit': times('[', `${'['.repeat(210)}1e400${']'.repeat(210)},`, '1]'),
  'arrays side by side': times('[', '[],', '1]'),
  'objects side by side': times('[1e400,', '{"a":{}},', '1]'),
  strings: times('[', '"",', '1]'),
  keys: times('{"k":1e400', (n) => `,"k${n}":1`, '}'),
  'keys that are numbers': times('{"k":1', (n) => `,"${n * 7919}":1`, '}'),
  'one key again and again': times('{', '"a":1e400,', '"b":1}'),
  'inherited keys': times('[1e400,', '{"__proto__":{"constructor":1e400}},', '1]'),
  'a long string': times('"', 'x', '"'),
  'quotes in a string': times('"', '\\"', '"'),
  'backslashes in a string': times('"', '\\\\', '"'),
  'escapes in a string': times('"', '\\u0041', '"'),
  'half surrogate pairs, escaped': times('"', '\\ud800', '"'),
  'half surrogate pairs': times('"', '\ud800', '"'),
  'surrogate pairs': times('"', '\u{1F600}', '"'),
  'combining marks': times('"', '\u0315\u0300', '"'),
  'digits in a string': times('"', '1e400', '"'),
  literals: times('[', 'true,', 'null]'),
  spaces: times('[1e400,', ' \t\n\r', '1]'),
}

const brokenTexts: Record<string, Shape> = {
  signs: times('', '-'),
  'signs and digits': times('[', '-1-'),
  points: times('1', '.'),
  exponents: times('1', 'e'),
  quotes: times('', '"'),
  'an open string': times('"', 'x'),
  'an open string of backslashes': times('"', '\\'),
  'open arrays': times('', '['),
  'open objects': times('', '{"a":'),
  'closed arrays': times('', ']'),
  'arrays closed by braces': (length) => '['.repeat(length / 2) + '}'.repeat(length / 2),
  'arrays that open and close beyond the limit': (length) => '['.repeat(201) + times('', '][')(length - 300),
  letters: times('', 'x'),
  'zero characters': times('', '\u0000'),
  'numbers without commas': times('[', '1e400 '),
}

interface Place {
  what: string
  spec: ActionSpec
  shape: Shape
}

/** A value that a schema takes, or nearly: enough for what stands beside it to be looked at. */
const plain = (schema: z.core.$ZodType): string | undefined => {
  const { def } = (schema as z.core.$ZodTypes)._zod
  switch (def.type) {
    case 'object': {
      const fields = Object.entries(def.shape).map(([name, field]) => [name, plain(field)] as const)
      const given = fields.filter(([, json]) => json !== undefined)
      return `{${given.map(([name, json]) => `"${name}":${json}`).join()}}`
    }
    case 'optional':
    case 'nullable':
      return undefined
    case 'pipe':
      return plain(def.in._zod.def.type === 'transform' ? def.out : def.in)
    case 'union':
      return plain(def.options[0]!)
    case 'array':
      return `[${plain(def.element) ?? ''}]`
    case 'record':
      return '{}'
    case 'enum':
      return JSON.stringify(Object.values(def.entries)[0])
    case 'literal':
      return JSON.stringify(def.values[0])
    case 'string':
      return '"a"'
    case 'number':
      return '1'
    case 'boolean':
      return 'true'
    case 'unknown':
      return '{}'
    default:
      throw new Error(`No value is known for ${def.type}`)
  }
}

const longTexts: Record<string, Shape> = {
  'a long text': times('"', 'x', '"'),
  'a long text of marks': times('"a', '\u0315\u0300', '"'),
  'a long text that ends in half a pair': times('"', '\u4e2d', '\\ud800"'),
  'a long address': times('"https://a/', '/..', '"'),
  'a long number as text': times('"-', '0', '!"'),
}
const asText = longTexts['a long text']!
const manyKeys = (value: string, name: string): Shape =>
  times('{"a":1', (n) => `,"${name}${n}":${value}`, '}')

/** Everywhere in the requests of the actions where there can be too much of something; each schema once. */
const placesOf = (actions: readonly ActionSpec[]): Place[] => {
  const places: Place[] = []
  const known = new Set<z.core.$ZodType>()
  const visit = (
    spec: ActionSpec,
    schema: z.core.$ZodType,
    path: string,
    open: string,
    close: string,
  ): void => {
    const { def } = (schema as z.core.$ZodTypes)._zod
    const isInside = ['optional', 'nullable', 'pipe'].includes(def.type)
    if (!isInside && known.has(schema)) return
    known.add(schema)
    const add = (shapes: Record<string, Shape>) => {
      for (const [what, shape] of Object.entries(shapes)) {
        const around = Buffer.byteLength(open + close)
        places.push({
          spec,
          what: `${what} as ${path}`,
          shape: (length) => open + shape(length - around) + close,
        })
      }
    }
    const into = (inner: z.core.$ZodType, name: string, before = '', after = '') =>
      visit(spec, inner, name === '' ? path : `${path}.${name}`, open + before, after + close)
    switch (def.type) {
      case 'object':
        add({ 'unknown keys': manyKeys('[]', 'k') })
        for (const [name, field] of Object.entries(def.shape)) {
          const beside = Object.entries(def.shape).flatMap(([other, its]) => {
            const json = other === name ? undefined : plain(its)
            return json === undefined ? [] : `"${other}":${json},`
          })
          into(field, name, `{${beside.join('')}"${name}":`, '}')
        }
        return
      case 'optional':
      case 'nullable':
        return into(def.innerType, '')
      case 'pipe':
        return into(def.in._zod.def.type === 'transform' ? def.out : def.in, '')
      case 'union':
        return def.options.forEach((option) => into(option, ''))
      case 'array':
        for (const entry of new Set([plain(def.element) ?? '1', '[]', '{}', 'null', '"b"']))
          add({ [`many of ${entry}`]: times('[', `${entry},`, `${entry}]`) })
        return into(def.element, '0', '[', ']')
      case 'record': {
        const value = plain(def.valueType) ?? '1'
        const longName = (length: number) => `{"${'x'.repeat(length / 2)}":`
        add({
          'many names': manyKeys(value, 'k'),
          'many names with a wrong value': manyKeys('[{}]', 'k'),
          'many names with null': manyKeys('null', 'k'),
          'many wrong names': manyKeys(value, '!'),
          'many names with a point': manyKeys('{"exists":true}', 'n.k'),
          'many names under a long one': (length) =>
            `${longName(length)}${manyKeys('[{}]', 'k')(length / 2 - 9)}}`,
        })
        return into(def.valueType, 'a', '{"a":', '}')
      }
      case 'string':
        return add(longTexts)
      case 'number':
        return add({
          'a long number': times('1', '0'),
          'a long fraction': times('0.1', '0', '1'),
          'a text': asText,
        })
      case 'unknown':
        return add({ ...manyNumbers, 'many keys': manyKeys('{}', 'k'), 'a text': asText })
      case 'enum':
      case 'literal':
      case 'boolean':
        return add({ 'a text': asText })
      default:
        throw new Error(`No excess is known of ${def.type}`)
    }
  }
  for (const spec of actions)
    visit(spec, spec.request, 'payload', `{"request_id":"r","action":"${spec.name}","payload":`, '}')
  return places
}

describe('a frame is read in time in proportion to its length', () => {
  const measure = (what: string, spec: ActionSpec | undefined, shape: Shape) => {
    const of = (length: number) => {
      const frame = shape(length)
      return () => read(spec, frame)
    }
    const beside = besideOf(shape)
    expectProportional(what, of, { beside, length: limits.contentBytes })
    expectWithin(20, what, of(limits.requestBytes), beside(limits.requestBytes))
  }

  test.each(Object.entries(brokenTexts))('that is no JSON: %s', (what, shape) => {
    const inPayload: Shape = (length) => `{"action":"send_event","payload":${shape(length - 40)}`
    measure(what, sendEvent, shape)
    measure(`${what} in a payload`, sendEvent, inPayload)
  })

  test.each(Object.entries(values))('that has, wherever anything may stand, %s', (what, shape) => {
    const content = '{"action":"send_event","payload":{"chat_id":"c","event":{"type":"custom","content":{"a":'
    for (const [place, spec, open, close] of [
      ['nowhere', sendEvent, '', ''],
      ['as id', undefined, '{"action":"none","id":', '}'],
      ['as request_id', specOf('ping'), '{"action":"ping","request_id":', '}'],
      ['as action', undefined, '{"action":', '}'],
      ['in a payload', specOf('ping'), '{"action":"ping","payload":{"x":', '}}'],
      ['in a content', sendEvent, content, '}}}}'],
    ] as const)
      measure(`${what} ${place}`, spec, (length) => open + shape(length - open.length - close.length) + close)
  })

  test('that asks too much of any field of any action', { tags: ['full'] }, () => {
    const places = placesOf(specs)
    for (const { what, spec, shape } of places) measure(`${what} of ${spec.name}`, spec, shape)
    // each field was looked at
    expect(new Set(places.map(({ spec }) => spec.name))).toEqual(new Set(specs.map(({ name }) => name)))
  })
})

test.each(Object.entries(longNumbers))(
  'a frame with %s is read in twice the time of an ordinary one of its length, at most',
  (what, shape) => {
    const length = limits.requestBytes
    const other = ordinary(length)
    for (const [action, open, close] of [
      ['ping', '{"action":"ping","payload":{"x":', '}}'],
      ['none', '{"action":"none","payload":{"x":', '}}'],
      [
        'send_event',
        '{"action":"send_event","payload":{"chat_id":"c","event":{"type":"custom","content":{"a":',
        '}}}}',
      ],
    ] as const) {
      const frame = open + shape(length - open.length - close.length) + close
      const spec = agentActions.find(({ name }) => name === action)
      expectWithin(
        2,
        `${what} in ${action}`,
        () => read(spec, frame),
        () => read(sendEvent, other),
      )
    }
  },
)
