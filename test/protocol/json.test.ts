import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonBytes } from '../../shared/protocol/budget.ts'
import { JsonText, parseJson, rawInContentOnly, readJson, stringifyJson } from '../../shared/protocol/json.ts'
import { limits } from '../../shared/protocol/limits.ts'

/** What is written out again of what was read. */
const again = (text: string): string => JSON.stringify(parseJson(text))

describe('JSON as it came', () => {
  test.each([
    ...[
      '9007199254740992',
      '9007199254740993',
      '-9007199254740993',
      '12345678901234567890',
      '1e400',
      '-1e400',
    ],
    ...[
      '1e-400',
      '4.9e-325',
      '2.5e-324',
      '1E+400',
      '1e22',
      '0.12345678901234567890',
      '3.14159265358979323846',
    ],
    `1${'0'.repeat(1000)}`,
  ])('%s, which no double holds, is given back as it was written', (text) => {
    expect(again(text)).toBe(text)
    expect(again(`{"a":[${text},{"b":${text}}]}`)).toBe(`{"a":[${text},{"b":${text}}]}`)
    expect(typeof parseJson(text)).not.toBe('number')
  })

  test.each([
    ...['0', '1', '-1', '1.5', '9007199254740991', '-9007199254740991', '0.1', '1e3', '1E-7', '123456.789'],
    ...['0.30000000000000004', '0.1234567890123456', '100000000000000000e-10'],
  ])('%s is a number like any other', (text) => {
    expect(parseJson(text)).toBe(Number(text))
  })

  test('any JSON that JavaScript writes is read as JavaScript reads it, or given back to the letter', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, spaced) => {
        const text = JSON.stringify(value, undefined, spaced ? 1 : 0)
        expect(again(text)).toBe(JSON.stringify(JSON.parse(text)))
      }),
      { numRuns: 1000 },
    )
  })

  test('any number in JSON keeps its value', () => {
    const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`))
    const written = fc
      .tuple(fc.boolean(), digits(30), fc.option(digits(30)), fc.option(fc.integer({ min: -500, max: 500 })))
      .map(
        ([minus, whole, fraction, exponent]) =>
          `${minus ? '-' : ''}${whole.replace(/^0+(?=\d)/, '')}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`,
      )
    // as a whole number and how far its point is to the left: what two spellings of one number have in common
    const valueOf = (text: string) => {
      const [, minus = '', whole = '', fraction = '', exponent = '0'] =
        /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
      const all = (whole + fraction).replace(/^0+/, '')
      const kept = all.replace(/0+$/, '')
      const scale = kept === '' ? 0 : Number(exponent) - fraction.length + (all.length - kept.length)
      return `${kept === '' ? '' : minus}${kept}e${scale}`
    }
    fc.assert(
      fc.property(written, (text) => {
        expect(valueOf(again(text))).toBe(valueOf(text))
      }),
      { numRuns: 5000 },
    )
  })

  test('what looks like a number inside of a string stays text', () => {
    const text = '{"a":"1e400","b":"\\"9007199254740993","9007199254740993":"1e400"}'
    expect(parseJson(text)).toEqual({ a: '1e400', b: '"9007199254740993', '9007199254740993': '1e400' })
  })

  test('keys that objects inherit are keys like any other', () => {
    const text = '{"__proto__":{"a":1e400},"constructor":1,"toString":[1e400]}'
    expect(again(text)).toBe(text)
    expect(Object.keys(parseJson(text) as object)).toEqual(['__proto__', 'constructor', 'toString'])
    expect(Reflect.get({}, 'a')).toBeUndefined()
  })

  test.each([
    '',
    ' ',
    '{',
    '{"a":1e}',
    "{'a':1}",
    '{"a":1e400,}',
    'NaN',
    '01',
    '\u0000',
    '[1e400',
    '1e400 1',
  ])('%j is no JSON', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError)
  })

  test('any text is JSON for it that is JSON for JavaScript, and no other', () => {
    const json = fc.oneof(
      fc.json(),
      fc.constantFrom('[1e400,{"a":-0.10}]', '{"a":"\\"[","b":12345678901234567890}'),
    )
    const odd = fc.constantFrom(
      '',
      '"',
      '\\',
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '-',
      '1',
      '.',
      'e',
      '+',
      '0',
      ' ',
      'NaN',
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.tuple(json, fc.nat(), fc.nat(3), odd).map(([whole, at, length, other]) => {
        const from = at % (whole.length + 1)
        return whole.slice(0, from) + other + whole.slice(from + length)
      }),
    )
    fc.assert(
      fc.property(text, (given) => {
        // JavaScript writes -0 as 0
        const parse = (it: string): unknown => JSON.parse(it, (_, value) => (value === 0 ? 0 : value))
        expect(readBy((it) => parse(again(it)), given)).toEqual(readBy(parse, given))
      }),
      { numRuns: 5000 },
    )
  })
})

/** What a reader makes of a text; the name of what it throws. */
const readBy = (reader: (text: string) => unknown, text: string): unknown => {
  try {
    return { value: reader(text) }
  } catch (error) {
    return (error as Error).name
  }
}

/** JSON as it is written: parts in one another, and what stands before and behind each. */
interface Nested {
  levels: number
  before: string
  kind: '[' | '{'
  behind: string
}

const written = (parts: readonly Nested[], inner: string): string =>
  parts.reduceRight(
    (within, { levels, before, kind, behind }) =>
      kind === '['
        ? `${`[${before},`.repeat(levels)}${within}${`,${behind}]`.repeat(levels)}`
        : `${`{"b":${before},"a":`.repeat(levels)}${within}${`,"c":${behind}}`.repeat(levels)}`,
    inner,
  )

describe('JSON that is nested deeper than 200 levels', () => {
  // what a scan could take for something else
  const beside = fc.constantFrom(
    ...[
      '1',
      '1e400',
      '"]"',
      '"[[[["',
      '"}{\\""',
      '"\\\\"',
      '"\\\\\\"]"',
      '[]',
      '{"[":"]"}',
      '[[1e400]]',
      'null',
    ],
  )
  const nested = fc.array(
    fc.record({
      levels: fc.integer({ min: 0, max: 90 }),
      before: beside,
      kind: fc.constantFrom('[' as const, '{' as const),
      behind: beside,
    }),
    { minLength: 1, maxLength: 6 },
  )

  /** The same without what is too deep, by recursion. */
  const shallow = (value: unknown, depth = 1): unknown => {
    if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return value
    if (depth > limits.frameDepth) return []
    return Array.isArray(value)
      ? value.map((inner) => shallow(inner, depth + 1))
      : Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shallow(inner, depth + 1)]))
  }
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null && !JSON.isRawJSON(value)
      ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
      : 0

  test('is known as such, and read but for what lies deeper', () => {
    fc.assert(
      fc.property(nested, beside, (parts, inner) => {
        const text = written(parts, inner)
        const all: unknown = JSON.parse(text, (_, value, { source }: { source?: string } = {}) =>
          source === '1e400' ? JSON.rawJSON(source) : value,
        )
        const { value, isTooDeep } = readJson(text)
        expect(isTooDeep).toBe(depthOf(all) > limits.frameDepth)
        expect(JSON.stringify(value)).toBe(JSON.stringify(shallow(all)))
        if (isTooDeep) expect(() => parseJson(text)).toThrow(SyntaxError)
        else expect(again(text)).toBe(JSON.stringify(all))
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['[', ']'],
    ['{"a":', '}'],
  ])('begins at 201: %s', (open, close) => {
    const deep = (levels: number) =>
      open.repeat(levels) + (open === '[' ? '' : '1e400') + close.repeat(levels)
    expect(again(deep(200))).toBe(deep(200))
    expect(() => parseJson(deep(201))).toThrow(SyntaxError)
    expect(readJson(deep(16_000)).isTooDeep).toBe(true)
  })

  test.each([
    '['.repeat(32_000),
    '{"a":'.repeat(6000),
    `${'['.repeat(300)}${'}'.repeat(300)}`,
    `${'['.repeat(300)}${']'.repeat(299)}`,
    `${'['.repeat(300)}${']'.repeat(301)}`,
    `${'['.repeat(300)}"${']'.repeat(300)}`,
    `${']'.repeat(300)}${'['.repeat(300)}`,
  ])('and no JSON is no JSON: %#', (text) => {
    expect(() => readJson(text)).toThrow(SyntaxError)
  })
})

describe('a text that is JSON already', () => {
  /** What looks like the mark that stands for such a text, or like a part of it. */
  const forged = fc.array(
    fc.constantFrom('"', '\\', '/', '\\/', '"\\/"', '\\"', ',', '\u0000', 'a', '\ud800'),
    {
      maxLength: 8,
    },
  )
  const text = forged.map((parts) => parts.join(''))
  const { value: anyJson } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(text, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    ),
  }))

  /** The same value, with texts in the place of some of its parts. */
  const withTexts = (value: unknown, isText: (value: unknown) => boolean): unknown => {
    if (isText(value)) return new JsonText(JSON.stringify(value))
    if (Array.isArray(value)) return value.map((inner) => withTexts(inner, isText))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withTexts(inner, isText)]))
  }

  /**
   * Whether JSON writes a key of it with an escape: V8 of Node.js 24 may take such a key for one that it has
   * read before, where both are as long and begin with the same characters in writing.
   */
  const hasEscapedKey = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).some(([key, inner]) => JSON.stringify(key) !== `"${key}"` || hasEscapedKey(inner))

  test('is written as it is, whatever stands beside it', () => {
    fc.assert(
      fc.property(anyJson, fc.array(fc.boolean(), { minLength: 1 }), (value, chosen) => {
        let turn = 0
        const made = withTexts(value, () => chosen[turn++ % chosen.length]!)
        const expected = JSON.stringify(value)
        expect(stringifyJson(made)).toBe(expected)
        expect(jsonBytes(made)).toBe(Buffer.byteLength(expected))
        // a writer that does not know of such texts writes the same
        if (!hasEscapedKey(value)) expect(JSON.stringify(made)).toBe(expected)
      }),
      { numRuns: 3000 },
    )
  })

  test('is not read', () => {
    // no JSON, so that reading it would throw
    const unread = new JsonText('{"as it": came ')
    expect(stringifyJson({ a: [unread, 1], b: unread })).toBe('{"a":[{"as it": came ,1],"b":{"as it": came }')
    expect(() => JSON.stringify(unread)).toThrow(SyntaxError)
    expect(jsonBytes(unread)).toBe(unread.text.length)
  })

  test('is put in also behind numbers that no double holds, and after a value that could not be written', () => {
    const circle: unknown[] = [new JsonText('1')]
    circle.push(circle)
    expect(() => stringifyJson(circle)).toThrow(TypeError)
    const value = { id: JSON.rawJSON('1e400'), content: new JsonText('[1e400]'), gone: undefined }
    expect(stringifyJson(value)).toBe('{"id":1e400,"content":[1e400]}')
    expect(JSON.stringify(value)).toBe('{"id":1e400,"content":[1e400]}')
  })
})

describe('a number that no double holds', () => {
  test('is left as it was written in a content only, and is no number anywhere else', () => {
    const text = '{"a":1e400,"content":{"b":1e400},"c":{"content":[1e400]},"d":[1e400,{"e":1e400}],"f":1}'
    const value = rawInContentOnly(parseJson(text))
    expect(JSON.stringify(value)).toBe(
      '{"a":null,"content":{"b":1e400},"c":{"content":[1e400]},"d":[null,{"e":null}],"f":1}',
    )
    expect(value).toMatchObject({ a: Number.NaN, d: [Number.NaN, { e: Number.NaN }] })
    expect(rawInContentOnly(parseJson('1e400'))).toBeNaN()
  })
})
