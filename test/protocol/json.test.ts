import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson, rawInContentOnly } from '../../shared/protocol/json.ts'

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

  test.each([
    ['[', '1e400', ']'],
    ['{"a":', '9007199254740993', '}'],
    ['[', '', ']'],
  ])('as deep as a frame can go: %j', (open, inner, close) => {
    const levels = Math.floor((32 * 1024 - inner.length) / (open.length + close.length))
    expect(() => parseJson(open.repeat(levels) + inner + close.repeat(levels))).not.toThrow()
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
