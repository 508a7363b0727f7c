import * as z from 'zod/mini'
import { opt, text, utf8Bytes } from './fields.ts'
import { limits } from './limits.ts'

export type PropertyValue = string | number | boolean
/** Properties as they stand on the wire and in the table: `{namespace: {name: {value}}}`. */
export type Properties = Record<string, Record<string, { value: PropertyValue }>>

/** Changes of properties: `null` removes one. */
export type PropertiesChange = Record<string, Record<string, { value: PropertyValue | null }>>

const valueError = `A property is a string of at most ${limits.propertyTextBytes} bytes, a boolean or an integer within 2^53`
export const PropertyValue = z.union([text(limits.propertyTextBytes), z.boolean(), z.int()], {
  error: valueError,
})
const NullableValue = z.nullable(PropertyValue)
const namespaceError = 'A namespace is 1-64 letters, digits, _ and -'
const Namespace = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, namespaceError))
const nameError = 'A name is 1-64 letters, digits, ., _ and -'
const Name = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, nameError))

// both forms of protocol §3 are taken: `{ns: {name: v}}` and `{ns: {name: {"value": v}}}`
const Entry = z.pipe(
  z.union([NullableValue, z.object({ value: NullableValue })], { error: valueError }),
  z.transform((entry) => (typeof entry === 'object' && entry !== null ? entry : { value: entry })),
)

/**
 * A record that refuses the key `__proto__`: zod leaves it out without a word, and what was asked would not
 * be done.
 */
export const withoutProto = <R extends z.core.$ZodType<unknown, Record<string, unknown>>>(
  record: R,
  message: string,
) =>
  z.pipe(
    // anything may come: the record itself says what is none
    z.transform((given: Record<string, unknown> | null | undefined, ctx) => {
      if (given !== null && given !== undefined && Object.hasOwn(given, '__proto__'))
        ctx.issues.push({ code: 'custom', path: ['__proto__'], message, input: given })
      return given
    }),
    record,
  )

const Names = z
  .record(Name, Entry)
  .check(
    z.refine(
      (names) => Object.keys(names).length <= limits.propertyNames,
      `At most ${limits.propertyNames} names`,
    ),
  )

/** A request's properties. `routing` is the server's namespace. */
export const PropertiesInput = withoutProto(
  z.record(Namespace, withoutProto(Names, nameError)).check(
    z.refine((spaces) => !Object.hasOwn(spaces, 'routing'), {
      error: 'The namespace routing is set by the server alone',
      path: ['routing'],
    }),
    z.refine(
      (spaces) => Object.keys(spaces).length <= limits.propertyNamespaces,
      `At most ${limits.propertyNamespaces} namespaces`,
    ),
    z.refine(
      (spaces) => utf8Bytes(JSON.stringify(spaces)) <= limits.propertiesBytes * 2,
      `At most ${limits.propertiesBytes} bytes`,
    ),
  ),
  namespaceError,
)

/** Properties of something that is made by this request: names given as `null` are left out. */
export const NewProperties = z
  .pipe(
    PropertiesInput,
    z.transform((change): Properties | undefined => {
      // built of entries: names from clients, such as `constructor`, must never reach what objects inherit
      const kept = Object.entries(change).flatMap(([space, names]) => {
        const values = Object.entries(names).flatMap(([name, { value }]) =>
          value === null ? [] : [[name, { value }] as const],
        )
        return values.length > 0 ? [[space, Object.fromEntries(values)] as const] : []
      })
      return kept.length > 0 ? Object.fromEntries(kept) : undefined
    }),
  )
  .check(
    z.refine(
      (kept) => kept === undefined || utf8Bytes(JSON.stringify(kept)) <= limits.propertiesBytes,
      `At most ${limits.propertiesBytes} bytes`,
    ),
  )

export const OptionalProperties = opt(NewProperties)

/** Properties in answers and pushes. */
export const PropertiesOutput = z.record(
  z.string(),
  z.record(z.string(), z.strictObject({ value: PropertyValue })),
)

/** What changed of properties, as it is pushed: the one place where `null` goes out. */
export const ChangedProperties = z.record(
  z.string(),
  z.record(z.string(), z.strictObject({ value: NullableValue })),
)
