import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fitsFilters } from '../../shared/archive/search/fits-filters.ts'
import type { PropertyFilter } from '../../shared/protocol/filters.ts'
import type { Properties, PropertyValue } from '../../shared/protocol/properties.ts'

const at = { namespace: 'a', name: 'x' }
const having = (value: PropertyValue): Properties => ({ a: { x: { value } } })
const fits = (properties: Properties, ...filters: PropertyFilter[]) => fitsFilters(properties, filters)

describe('properties fit filters', () => {
  test('where there are none, whatever they are', () => {
    expect(fits({})).toBe(true)
    expect(fits(having(1))).toBe(true)
  })

  test('of exists by whether the property is there, whatever its value', () => {
    for (const value of [0, '', false, 'x', true]) {
      expect(fits(having(value), { ...at, exists: true })).toBe(true)
      expect(fits(having(value), { ...at, exists: false })).toBe(false)
    }
    for (const properties of [{}, { a: {} }, { a: { y: { value: 1 } } }, { b: { x: { value: 1 } } }]) {
      expect(fits(properties, { ...at, exists: true })).toBe(false)
      expect(fits(properties, { ...at, exists: false })).toBe(true)
    }
  })

  test('of values by type and value: 1 is not "1", nor true', () => {
    const all: PropertyValue[] = [1, '1', true, 'true', 0, '', false]
    for (const value of all)
      for (const asked of all) {
        expect(fits(having(value), { ...at, in: [asked] })).toBe(value === asked)
        expect(fits(having(value), { ...at, notIn: [asked] })).toBe(value !== asked)
      }
    expect(fits(having(1), { ...at, in: ['1', 1] })).toBe(true)
    expect(fits(having(1), { ...at, in: [] })).toBe(false)
    expect(fits(having(1), { ...at, notIn: [] })).toBe(true)
  })

  test('of excluded values where the property is absent, of values not', () => {
    expect(fits({}, { ...at, notIn: [1] })).toBe(true)
    expect(fits({ a: { y: { value: 1 } } }, { ...at, notIn: [1] })).toBe(true)
    expect(fits({}, { ...at, in: [1] })).toBe(false)
  })

  test('only where every filter fits', () => {
    const properties: Properties = { a: { x: { value: 1 }, y: { value: 2 } } }
    const other = { namespace: 'a', name: 'y' }
    expect(fits(properties, { ...at, in: [1] }, { ...other, in: [2] })).toBe(true)
    expect(fits(properties, { ...at, in: [1] }, { ...other, in: [3] })).toBe(false)
    expect(fits(properties, { ...at, exists: false }, { ...other, in: [2] })).toBe(false)
  })

  test('by names of their own, never by those that objects inherit', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'value']) {
      const inherited = [
        { namespace: name, name: 'name' },
        { namespace: 'a', name },
      ]
      for (const one of inherited) {
        expect(fits({ a: {} }, { ...one, exists: true })).toBe(false)
        expect(fits({ a: {} }, { ...one, notIn: ['Object'] })).toBe(true)
        expect(fits({ a: {} }, { ...one, in: ['Object'] })).toBe(false)
      }
    }
    const own: Properties = { constructor: { toString: { value: 1 } } }
    expect(fits(own, { namespace: 'constructor', name: 'toString', in: [1] })).toBe(true)
  })

  test('as a plain list of names and values says', () => {
    const name = fc.constantFrom('a', 'b', 'constructor')
    const value = fc.constantFrom<PropertyValue>(0, 1, '1', '', true, 'true')
    const properties = fc.dictionary(name, fc.dictionary(name, fc.record({ value })))
    const values = fc.array(value, { maxLength: 3 })
    const named = { namespace: name, name }
    const filter: fc.Arbitrary<PropertyFilter> = fc.oneof(
      fc.record({ ...named, exists: fc.boolean() }),
      fc.record({ ...named, in: values }),
      fc.record({ ...named, notIn: values }),
    )
    fc.assert(
      fc.property(properties, fc.array(filter, { maxLength: 3 }), (given, filters) => {
        const list = Object.entries(given).flatMap(([space, names]) =>
          Object.entries(names).map(([one, entry]) => [`${space}/${one}`, entry.value] as const),
        )
        const expected = filters.every((one) => {
          const held = list.filter(([key]) => key === `${one.namespace}/${one.name}`).map((entry) => entry[1])
          if ('exists' in one) return held.length === (one.exists ? 1 : 0)
          if ('in' in one) return held.some((value) => one.in.includes(value))
          return held.every((value) => !one.notIn.includes(value))
        })
        expect(fitsFilters(given, filters)).toBe(expected)
      }),
      { numRuns: 1000 },
    )
  })
})
