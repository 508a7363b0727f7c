import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import {
  atLeast,
  atMost,
  filled,
  Flag,
  Id,
  opt,
  Scopes,
  text,
  Timestamp,
  unique,
  utf8Bytes,
} from '../../shared/protocol/fields.ts'

const accepts = (schema: z.core.$ZodType, value: unknown): boolean => z.safeParse(schema, value).success
const messages = (schema: z.core.$ZodType, value: unknown): string[] =>
  z.safeParse(schema, value).error?.issues.map(({ message }) => message) ?? []

describe('text', () => {
  test.each([
    ['x'.repeat(10), true],
    ['x'.repeat(11), false],
    ['é'.repeat(5), true],
    ['é'.repeat(6), false],
    ['中'.repeat(3), true],
    ['中'.repeat(4), false],
    ['\u{1F600}'.repeat(2), true],
    ['\u{1F600}'.repeat(3), false],
    ['', true],
    ['\u0000', true],
  ])('is measured in bytes of UTF-8: %j', (value, fits) => {
    expect(accepts(text(10), value)).toBe(fits)
  })

  test('says once what is wrong with it, and what to mend', () => {
    expect(messages(text(10), 'x'.repeat(11))).toEqual(['Too long: at most 10 bytes of UTF-8'])
    expect(messages(text(10), '中'.repeat(4))).toEqual(['Too long: at most 10 bytes of UTF-8'])
    expect(messages(filled(10), '')).toEqual(['Must not be empty'])
    expect(messages(text(10), 'a\ud800')).toEqual(['Not well-formed Unicode: half a surrogate pair'])
    expect(messages(text(10), 1)).toHaveLength(1)
  })

  test('of any kind is taken exactly where it has a form in UTF-8 that fits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (value) => {
        expect(accepts(text(20), value)).toBe(value.isWellFormed() && utf8Bytes(value) <= 20)
      }),
    )
  })

  test.each(['\ud800', 'a\udc00b', '\udc00\ud800'])('with half a surrogate pair is refused: %j', (value) => {
    expect(accepts(text(100), value)).toBe(false)
    expect(accepts(Id, value)).toBe(false)
  })
})

describe('what a client sends in the place of a text or a list', () => {
  const uncomparable = { length: { valueOf: 0, toString: 0 } }
  const objects = [uncomparable, { length: Object.create(null) }, { length: 1 }, { length: 1e9 }, {}, null, 1]

  test('is refused whatever its length says, with one complaint', () => {
    for (const value of objects)
      for (const schema of [text(10), filled(10), Id, unique(Id, 3), unique(Id, 3).check(atLeast(1, 'One'))])
        expect(messages(schema, value), JSON.stringify(value)).toHaveLength(1)
  })

  test('is measured where it is a text or a list', () => {
    expect(messages(z.string().check(atMost(2, 'Two')), 'abc')).toEqual(['Two'])
    expect(messages(z.array(z.unknown()).check(atMost(2, 'Two')), [1, 2, 3])).toEqual(['Two'])
    expect(messages(z.array(z.unknown()).check(atLeast(1, 'One')), [])).toEqual(['One'])
    expect(messages(z.array(z.unknown()).check(atLeast(1, 'One'), atMost(2, 'Two')), [1, 2])).toEqual([])
  })
})

describe('ids', () => {
  test.each(['a', 'x'.repeat(128), 'a#b%c', '\u0000', ' ', '__proto__'])('%j is one', (value) => {
    expect(accepts(Id, value)).toBe(true)
  })
  test.each(['', 'x'.repeat(129), 'é'.repeat(65), 1, null, undefined, ['a'], { id: 'a' }])(
    '%j is none',
    (value) => {
      expect(accepts(Id, value)).toBe(false)
    },
  )
})

describe('an optional field', () => {
  const schema = z.object({ field: opt(z.string()) })

  test('may be absent or null, which is the same', () => {
    expect(z.parse(schema, {}).field).toBeUndefined()
    expect(z.parse(schema, { field: null }).field).toBeUndefined()
    expect(z.parse(schema, { field: 'a' }).field).toBe('a')
  })
  test('is refused where it has another type', () => {
    for (const field of [1, false, {}, []]) expect(accepts(schema, { field })).toBe(false)
  })
})

describe('a flag', () => {
  test.each([
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
  ])('%j is %j', (given, flag) => {
    expect(z.parse(Flag, given)).toBe(flag)
  })
  test.each(['TRUE', 'yes', '', 1, 0, null, undefined, {}])('%j is none', (value) => {
    expect(accepts(Flag, value)).toBe(false)
  })
})

describe('a group id', () => {
  const group = (id: unknown) => ({ groups: [id] })
  test.each([
    [1, 1],
    [0, 0],
    [-3, -3],
    ['12', 12],
    ['007', 7],
    ['-3', -3],
  ])('%j is %j', (given, id) => {
    expect(z.parse(Scopes, group(given)).groups).toEqual([id])
  })
  test.each([
    1.5,
    '1.5',
    '',
    ' 1',
    '1 ',
    '1e3',
    '0x1',
    '+1',
    '1'.repeat(16),
    2 ** 53,
    Number.NaN,
    null,
    true,
  ])('%j is none', (value) => {
    expect(accepts(Scopes, group(value))).toBe(false)
  })
})

describe('a list of ids', () => {
  test('loses repeats, not its order', () => {
    expect(z.parse(unique(Id, 5), ['b', 'a', 'b', 'c', 'a'])).toEqual(['b', 'a', 'c'])
    expect(z.parse(Scopes, { groups: [2, '1', '2', 1], agents: ['x', 'x'] })).toEqual({
      groups: [2, 1],
      agents: ['x'],
    })
  })
  test('is counted as it was sent', () => {
    expect(accepts(unique(Id, 2), ['a', 'a'])).toBe(true)
    expect(accepts(unique(Id, 2), ['a', 'a', 'a'])).toBe(false)
  })
})

describe('scopes', () => {
  test('may be empty, or null in part, and ignore what they do not know', () => {
    expect(z.parse(Scopes, {})).toEqual({})
    expect(z.parse(Scopes, { groups: null, agents: null, teams: [1] })).toEqual({})
  })
  test('take at most 100 of each', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => i)
    expect(accepts(Scopes, { groups: many(100), agents: many(100).map(String) })).toBe(true)
    expect(accepts(Scopes, { groups: many(101) })).toBe(false)
    expect(accepts(Scopes, { agents: many(101).map(String) })).toBe(false)
  })
})

describe('a timestamp', () => {
  test.each([0, 1_700_000_000, Number.MAX_SAFE_INTEGER])('%j is one', (value) => {
    expect(accepts(Timestamp, value)).toBe(true)
  })
  test.each([-1, 0.5, 2 ** 53, '1', null])('%j is none', (value) => {
    expect(accepts(Timestamp, value)).toBe(false)
  })
})
