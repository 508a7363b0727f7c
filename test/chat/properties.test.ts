import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkLimits, differences, merged } from '../../shared/chat/change-properties.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import type { Properties, PropertiesChange, PropertyValue } from '../../shared/protocol/properties.ts'

// few names, so that changes meet what is there; those that every object inherits are among them
const name = fc.constantFrom('a', 'b', 'a.b', 'constructor', 'toString', 'hasOwnProperty', 'valueOf')
const value: fc.Arbitrary<PropertyValue> = fc.constantFrom<PropertyValue>(0, 1, '1', '', true, false, 'é')
const spaces = <T>(entry: fc.Arbitrary<T>, minKeys: number) =>
  fc.dictionary(name, fc.dictionary(name, fc.record({ value: entry }), { minKeys, noNullPrototype: true }), {
    noNullPrototype: true,
  })
// as they are stored: no namespace is empty
const properties: fc.Arbitrary<Properties> = spaces(value, 1)
const change: fc.Arbitrary<PropertiesChange> = spaces(fc.option(value), 0)

/** Properties as a list of names with their values: the plainest form there is. */
const flat = (given: PropertiesChange): Map<string, PropertyValue | null> =>
  new Map(
    Object.entries(given).flatMap(([space, names]) =>
      Object.entries(names).map(([one, entry]) => [`${space}/${one}`, entry.value] as const),
    ),
  )
const naive = (before: Properties, changed: PropertiesChange) => {
  const all = new Map([...flat(before), ...flat(changed)])
  return new Map([...all].filter(([, one]) => one !== null))
}

describe('merged properties', () => {
  test('are those before, with each name of the change set, or taken away by null', () => {
    fc.assert(
      fc.property(properties, change, (before, changed) => {
        const after = merged(before, changed)
        expect(flat(after)).toEqual(naive(before, changed))
        // no namespace stays empty
        for (const names of Object.values(after)) expect(Object.keys(names)).not.toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  test('come out the same of the differences alone, and nothing differs after them', () => {
    fc.assert(
      fc.property(properties, change, (before, changed) => {
        const differing = differences(before, changed)
        expect(merged(before, differing)).toEqual(merged(before, changed))
        expect(differences(merged(before, changed), changed)).toEqual({})
        // each difference is one
        for (const [one, set] of flat(differing)) expect(flat(before).get(one) ?? null).not.toBe(set)
      }),
      { numRuns: 1000 },
    )
  })

  test('of changes of different names are the same in any order', () => {
    fc.assert(
      fc.property(properties, change, change, (before, one, other) => {
        const named = new Set(flat(one).keys())
        fc.pre([...flat(other).keys()].every((key) => !named.has(key)))
        expect(merged(merged(before, one), other)).toEqual(merged(merged(before, other), one))
      }),
    )
  })

  test('are values of their own: what is merged is left as it was', () => {
    const before: Properties = { a: { b: { value: 1 } } }
    merged(before, { a: { b: { value: 2 }, c: { value: 3 } }, d: { e: { value: 4 } } })
    expect(before).toEqual({ a: { b: { value: 1 } } })
    expect(merged(before, {})).toEqual(before)
  })
})

describe('differences', () => {
  test('go by type and value, and leave out removals of what is not there', () => {
    const before: Properties = { a: { n: { value: 1 }, s: { value: '1' }, t: { value: true } } }
    expect(differences(before, { a: { n: { value: 1 }, s: { value: '1' }, t: { value: true } } })).toEqual({})
    expect(differences(before, { a: { n: { value: '1' } } })).toEqual({ a: { n: { value: '1' } } })
    expect(differences(before, { a: { t: { value: 'true' } } })).toEqual({ a: { t: { value: 'true' } } })
    expect(differences(before, { a: { x: { value: null } }, b: { n: { value: null } }, c: {} })).toEqual({})
    expect(differences(before, { a: { n: { value: null }, s: { value: '1' } } })).toEqual({
      a: { n: { value: null } },
    })
  })

  test('take names that objects inherit for absent until they are set', () => {
    for (const one of ['constructor', 'toString', 'hasOwnProperty']) {
      const set = { [one]: { [one]: { value: 1 } } }
      expect(differences({}, set)).toEqual(set)
      expect(differences({}, { [one]: { [one]: { value: null } } })).toEqual({})
      expect(merged({ a: { b: { value: 1 } } }, set)).toEqual({ a: { b: { value: 1 } }, ...set })
    }
    expect(({} as any).value).toBeUndefined()
  })
})

describe('limits of merged properties', () => {
  const numbered = <T>(count: number, one: T) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, one]))
  const refusal = (given: Properties) => {
    try {
      checkLimits(given)
    } catch (error) {
      if (error instanceof ProtocolError) return [error.type, error.details]
      throw error
    }
    return undefined
  }
  const one = { value: 1 }

  test('are 20 namespaces and 100 names in each', () => {
    expect(refusal(numbered(20, { a: one }))).toBeUndefined()
    expect(refusal(numbered(21, { a: one }))).toEqual([
      'validation',
      [{ path: 'payload.properties', message: 'There would be 21 namespaces: at most 20' }],
    ])
    expect(refusal({ a: numbered(100, one), b: numbered(100, one) })).toBeUndefined()
    expect(refusal({ a: numbered(100, one), b: numbered(101, one) })).toEqual([
      'validation',
      [{ path: 'payload.properties.b', message: 'There would be 101 names: at most 100' }],
    ])
  })

  test('are 8 KiB in all, counted as UTF-8 of the form that goes out', () => {
    const frame = JSON.stringify({ a: { b: { value: '' }, c: { value: '' } } }).length
    const sized = (bytes: number): Properties => ({
      a: { b: { value: 'é'.repeat(2048) }, c: { value: 'x'.repeat(bytes - 4096 - frame) } },
    })
    expect(refusal(sized(8192))).toBeUndefined()
    expect(refusal(sized(8193))).toEqual([
      'validation',
      [{ path: 'payload.properties', message: 'There would be 8193 bytes after merging: at most 8192' }],
    ])
  })
})
