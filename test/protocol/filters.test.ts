import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { getArchives } from '../../shared/protocol/agent/get_archives.ts'
import { detailsOf } from '../../shared/protocol/envelope.ts'
import { PropertyFilters } from '../../shared/protocol/filters.ts'

const read = (input: unknown) => z.parse(PropertyFilters, input)
/** Where in the input something is wrong, and why. */
const faults = (input: unknown) => {
  const { success, error } = z.safeParse(PropertyFilters, input)
  return success ? [] : detailsOf(error.issues, 'properties')
}
const oneType = 'Name one filter type for a property: exists, values or exclude_values'
const naming = 'A property is named as {"namespace": {"name": …}} or as "namespace.name"'
const valueSentence = 'A property is a string of at most 4096 bytes, a boolean or an integer within 2^53'
const anything = expect.any(String)

describe('property filters', () => {
  test('are nested or dotted, mixed as one likes', () => {
    expect(
      read({
        rating: { score: { values: [1, '1', true] }, comment: { exists: true } },
        'source.channel': { exclude_values: ['mail'] },
      }),
    ).toEqual([
      { namespace: 'rating', name: 'score', in: [1, '1', true] },
      { namespace: 'rating', name: 'comment', exists: true },
      { namespace: 'source', name: 'channel', notIn: ['mail'] },
    ])
    expect(read({})).toEqual([])
    expect(read({ rating: {} })).toEqual([])
  })

  test('dotted ones are split at the first dot: names may have more, namespaces none', () => {
    const filter = { exists: true }
    expect(read({ 'a.b.c': filter, 'a.b': { exists: false } })).toEqual([
      { namespace: 'a', name: 'b.c', exists: true },
      { namespace: 'a', name: 'b', exists: false },
    ])
    expect(read({ a: { 'b.c': filter } })).toEqual([{ namespace: 'a', name: 'b.c', exists: true }])
    expect(read({ 'a..b': filter })).toEqual([{ namespace: 'a', name: '.b', exists: true }])
  })

  test('take exists as a flag, and null for what is absent', () => {
    for (const [given, exists] of [
      [true, true],
      ['true', true],
      [false, false],
      ['false', false],
    ])
      expect(read({ 'a.b': { exists: given } })).toEqual([{ namespace: 'a', name: 'b', exists }])
    expect(read({ 'a.b': { exists: null, values: [1], exclude_values: null } })).toEqual([
      { namespace: 'a', name: 'b', in: [1] },
    ])
    expect(read({ 'a.b': { values: [], more: 1 } })).toEqual([{ namespace: 'a', name: 'b', in: [] }])
  })

  test('are of one type for each property', () => {
    for (const filter of [
      {},
      { exists: null },
      { other: [1] },
      { values: [1], exclude_values: [2] },
      { exists: true, values: [1] },
      { exists: false, exclude_values: [] },
      { exists: true, values: [1], exclude_values: [2] },
    ]) {
      expect(faults({ 'a.b': filter })).toEqual([{ path: 'properties.a.b', message: oneType }])
      expect(faults({ a: { b: filter } })).toEqual([{ path: 'properties.a.b', message: oneType }])
    }
  })

  test('name a property once, nested or dotted', () => {
    const filter = { exists: true }
    expect(faults({ a: { b: filter }, 'a.b': filter })).toEqual([
      { path: 'properties.a.b', message: oneType },
    ])
    expect(faults({ 'a.b.c': filter, a: { 'b.c': filter } })).toEqual([
      { path: 'properties.a.b.c', message: oneType },
    ])
    expect(faults({ 'a.b': filter, a: { c: filter }, 'b.b': filter })).toEqual([])
  })

  test('have at most 100 values, each one that a property may have', () => {
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
    for (const kind of ['values', 'exclude_values']) {
      expect(faults({ 'a.b': { [kind]: numbers(100) } })).toEqual([])
      expect(faults({ 'a.b': { [kind]: numbers(101) } })).toEqual([
        { path: `properties.a.b.${kind}`, message: 'At most 100 values' },
      ])
      for (const value of [1.5, null, {}, [1], 'x'.repeat(4097)])
        expect(faults({ a: { b: { [kind]: ['ok', value] } } })).toEqual([
          { path: `properties.a.b.${kind}.1`, message: valueSentence },
        ])
      // zod's own sentences for integers
      for (const value of [2 ** 53, NaN])
        expect(faults({ 'a.b': { [kind]: [value] } })).toEqual([
          { path: `properties.a.b.${kind}.0`, message: anything },
        ])
      for (const values of ['x', 1, true, {}])
        expect(faults({ 'a.b': { [kind]: values } })).toEqual([
          { path: `properties.a.b.${kind}`, message: anything },
        ])
    }
  })

  test('ask for 100 properties at most', () => {
    const asked = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`a.n${i}`, { exists: true }]))
    expect(faults(asked(100))).toEqual([])
    expect(faults(asked(101))).toEqual([
      { path: 'properties', message: 'At most 100 properties can be filtered by' },
    ])
    // nested ones count by their names
    const names = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`n${i}`, { exists: true }]))
    expect(faults({ a: names })).toHaveLength(1)
  })

  test('say what is wrong with what names no property', () => {
    for (const [input, path] of [
      [{ '': { exists: true } }, 'properties..exists'],
      [{ '.b': { exists: true } }, 'properties..b'],
      [{ 'a.': { exists: true } }, 'properties.a.'],
      [{ a: { '': { exists: true } } }, 'properties.a.'],
      [{ a: null }, 'properties.a'],
      [{ a: 1 }, 'properties.a'],
      [{ a: [{ exists: true }] }, 'properties.a'],
      [JSON.parse('{"__proto__":{"a":{"exists":true}}}'), 'properties.__proto__'],
    ] as const)
      expect(faults(input)).toEqual([{ path, message: naming }])
    for (const filter of [null, 1, 'true', true, [true]])
      expect(faults({ 'a.b': filter })).toEqual([{ path: 'properties.a.b', message: anything }])
    for (const filter of ['yes', 1, 0, []])
      expect(faults({ 'a.b': { exists: filter } })).toEqual([
        { path: 'properties.a.b.exists', message: 'Must be true or false' },
      ])
    for (const input of [[], 'a.b', 1, true])
      expect(faults(input)).toEqual([{ path: 'properties', message: anything }])
  })

  test('say of several what is wrong with each', () => {
    expect(faults({ 'a.b': {}, 'a.c': { values: [1.5] }, 'a.d': { exists: true }, '.e': {} })).toEqual([
      { path: 'properties.a.b', message: oneType },
      { path: 'properties.a.c.values.0', message: valueSentence },
      { path: 'properties..e', message: naming },
    ])
  })

  test('take names that every object inherits, and reach nothing of theirs', () => {
    expect(
      read({ constructor: { toString: { exists: false } }, 'toString.constructor': { values: [1] } }),
    ).toEqual([
      { namespace: 'constructor', name: 'toString', exists: false },
      { namespace: 'toString', name: 'constructor', in: [1] },
    ])
    const filters = read(JSON.parse('{"a":{"__proto__":{"exists":true}},"__proto__.b":{"exists":true}}'))
    expect(filters).toHaveLength(2)
    expect(({} as any).exists).toBeUndefined()
  })

  test('ask for at most 300 values in all, of whichever type', () => {
    const values = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
    const three = { 'a.b': { values: values(0, 100) }, 'a.c': { exclude_values: values(0, 100) } }
    expect(read({ ...three, 'a.d': { values: values(0, 100) } })).toHaveLength(3)
    const { success, error } = z.safeParse(PropertyFilters, {
      ...three,
      'a.d': { values: values(0, 100) },
      'a.e': { values: [1] },
    })
    expect(success).toBe(false)
    expect(detailsOf(error!.issues, 'properties')).toEqual([
      { path: 'properties', message: 'At most 300 values can be asked for in all' },
    ])
  })

  test('of a search ask for at most 300 values with its tags and customers', () => {
    const named = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`)
    const filters = {
      properties: { 'a.b': { values: named(100) }, 'a.c': { exclude_values: named(49) } },
      tags: { values: named(50), exclude_values: named(50) },
    }
    const asked = (customers: number) =>
      z.safeParse(getArchives.request, { filters: { ...filters, customer_ids: named(customers) } })
    expect(asked(51).success).toBe(true)
    const { error } = asked(52)
    const message = 'At most 300 values of properties, tags and customers can be asked for in all'
    expect(detailsOf(error!.issues, 'payload')).toEqual([{ path: 'payload.filters', message }])
  })

  test('of anything at all are filters of one type each, or faults that say where', () => {
    const filter = fc.oneof(
      fc.record({ exists: fc.boolean() }),
      fc.record({ values: fc.array(fc.jsonValue(), { maxLength: 3 }) }),
      fc.jsonValue(),
    )
    const input = fc.oneof(
      fc.dictionary(fc.string(), fc.oneof(filter, fc.dictionary(fc.string(), filter))),
      fc.jsonValue(),
    )
    fc.assert(
      fc.property(input, (given) => {
        const { success, data, error } = z.safeParse(PropertyFilters, given)
        if (!success)
          return detailsOf(error.issues, 'properties').every(({ path }) => path.startsWith('properties'))
        return data.every(
          (one) => [one.namespace, one.name].every((part) => part !== '') && Object.keys(one).length === 3,
        )
      }),
      { numRuns: 500 },
    )
  })
})
