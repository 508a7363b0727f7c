import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { detailsOf } from '../../shared/protocol/envelope.ts'
import { NewProperties, OptionalProperties, PropertiesInput } from '../../shared/protocol/properties.ts'

const read = (input: unknown) => z.parse(NewProperties, input)
/** Where in the input something is wrong, and why. */
const faults = (input: unknown) => {
  const { success, error } = z.safeParse(NewProperties, input)
  return success ? [] : detailsOf(error.issues, 'properties')
}
const paths = (input: unknown) => faults(input).map(({ path }) => path)
const numbered = <T>(count: number, value: T, name = 'n') =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, value]))
const valueSentence = 'A property is a string of at most 4096 bytes, a boolean or an integer within 2^53'

describe('properties of a request', () => {
  test('come as {ns: {name: v}} or {ns: {name: {"value": v}}}, mixed as one likes', () => {
    const expected = { a: { s: { value: 'x' }, n: { value: 0 } }, b: { 'c.d_e-f': { value: false } } }
    expect(read({ a: { s: 'x', n: 0 }, b: { 'c.d_e-f': false } })).toEqual(expected)
    expect(read(expected)).toEqual(expected)
    expect(read({ a: { s: 'x', n: { value: 0 } }, b: { 'c.d_e-f': { value: false } } })).toEqual(expected)
  })

  test('null is left out in either form, and what is empty then is absent', () => {
    expect(read({ a: { gone: null, kept: 1 }, b: { gone: { value: null } }, c: {} })).toEqual({
      a: { kept: { value: 1 } },
    })
    expect(read({ a: { gone: null } })).toBeUndefined()
    expect(read({})).toBeUndefined()
    expect(z.parse(OptionalProperties, null)).toBeUndefined()
    expect(z.parse(OptionalProperties, undefined)).toBeUndefined()
  })

  test('as a change they keep null, which removes a name', () => {
    expect(z.parse(PropertiesInput, { a: { gone: null, too: { value: null }, kept: 1 } })).toEqual({
      a: { gone: { value: null }, too: { value: null }, kept: { value: 1 } },
    })
  })

  test('unknown fields beside a value are dropped', () => {
    expect(read({ a: { b: { value: 1, version: 3, updated: null } } })).toEqual({ a: { b: { value: 1 } } })
  })

  test('values are strings, booleans and integers within 2^53', () => {
    for (const value of [
      '',
      'é',
      '\u0000',
      true,
      false,
      0,
      -1,
      Number.MAX_SAFE_INTEGER,
      -Number.MAX_SAFE_INTEGER,
    ])
      expect(read({ a: { b: value } })).toEqual({ a: { b: { value } } })
    for (const value of [1.5, NaN, [], ['x'], {}, { value: {} }, { value: [1] }, { v: 1 }])
      expect(faults({ a: { b: value } }), String(value)).toEqual([
        { path: 'properties.a.b', message: valueSentence },
      ])
    for (const value of [2 ** 53, -(2 ** 53), 1e300])
      expect(paths({ a: { b: value } }), String(value)).toEqual(['properties.a.b'])
  })

  test('strings are of 4 KiB in bytes, and well-formed', () => {
    for (const value of ['x'.repeat(4096), 'é'.repeat(2048)])
      expect(read({ a: { b: value } })).toEqual({ a: { b: { value } } })
    for (const value of [
      'x'.repeat(4097),
      `${'é'.repeat(2048)}x`,
      'half \ud800',
      { value: 'x'.repeat(4097) },
    ])
      expect(paths({ a: { b: value } })).toEqual(['properties.a.b'])
  })

  test('namespaces have no dots, names may', () => {
    for (const ok of ['a', 'A9', '0', 'a_-', 'a'.repeat(64)]) expect(paths({ [ok]: { [ok]: 1 } })).toEqual([])
    expect(paths({ a: { 'b.c': 1 } })).toEqual([])
    for (const bad of ['', 'a.b', '-a', '_a', '.a', 'a b', 'é', 'a#', 'a'.repeat(65), 'a\n'])
      expect(faults({ [bad]: { n: 1 } }), bad).toEqual([
        { path: `properties.${bad}`, message: 'A namespace is 1-64 letters, digits, _ and -' },
      ])
    for (const bad of ['', '-a', '_a', '.a', 'a b', 'é', 'a#', 'a'.repeat(65), 'a\n'])
      expect(faults({ ns: { [bad]: 1 } }), bad).toEqual([
        { path: `properties.ns.${bad}`, message: 'A name is 1-64 letters, digits, ., _ and -' },
      ])
  })

  test("the namespace routing is the server's, whatever it holds", () => {
    for (const inner of [{ idle: true }, { idle: null }, {}])
      expect(faults({ routing: inner, a: { b: 1 } })).toEqual([
        { path: 'properties.routing', message: 'The namespace routing is set by the server alone' },
      ])
    expect(paths({ Routing: { idle: true }, a: { routing: 1 } })).toEqual([])
  })

  test('20 namespaces of 100 names each, and no more', () => {
    expect(paths(numbered(20, { b: 1 }))).toEqual([])
    expect(faults(numbered(21, { b: 1 }))).toEqual([{ path: 'properties', message: 'At most 20 namespaces' }])
    expect(paths({ a: numbered(100, 1), b: numbered(100, 1) })).toEqual([])
    expect(faults({ a: numbered(101, 1) })).toEqual([{ path: 'properties.a', message: 'At most 100 names' }])
  })

  test('8 KiB in all, of the form that goes out', () => {
    const frame = JSON.stringify({ a: { b: { value: '' }, c: { value: '' } } }).length
    const sized = (bytes: number) => ({ a: { b: 'é'.repeat(2048), c: 'x'.repeat(bytes - 4096 - frame) } })
    expect(paths(sized(8192))).toEqual([])
    expect(faults(sized(8193))).toEqual([{ path: 'properties', message: 'At most 8192 bytes' }])
  })

  test('anything else is no properties', () => {
    for (const input of [[], 'text', 1, true, NaN]) expect(paths(input)).toEqual(['properties'])
    for (const inner of [[], 'text', 1, null]) expect(paths({ a: inner })).toEqual(['properties.a'])
    expect(paths(null)).toEqual(['properties'])
  })

  test('names that objects inherit are names like any other, and reach nothing of theirs', () => {
    const functions = Object.getOwnPropertyNames(Object)
    const input = {
      constructor: { keys: 'x', polluted: 1 },
      toString: { call: 2 },
      hasOwnProperty: { a: true },
    }
    expect(read(input)).toEqual({
      constructor: { keys: { value: 'x' }, polluted: { value: 1 } },
      toString: { call: { value: 2 } },
      hasOwnProperty: { a: { value: true } },
    })
    expect(Object.getOwnPropertyNames(Object)).toEqual(functions)
    expect(typeof Object.keys).toBe('function')
    for (const text of ['{"__proto__":{"polluted":1}}', '{"a":{"__proto__":{"value":1},"b":1}}'])
      expect(() => read(JSON.parse(text)), text).toThrow(/1-64 letters/)
    expect(({} as any).polluted).toBeUndefined()
    expect(({} as any).value).toBeUndefined()
  })
})
