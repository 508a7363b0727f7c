import * as z from 'zod/mini'
import { atMost, Flag, opt, Tag, unique } from './fields.ts'
import { limits } from './limits.ts'
import { PropertyValue, withoutProto } from './properties.ts'

/**
 * A condition on one property. `in` compares type and value; `notIn` also holds where the property is
 * absent.
 */
export type PropertyFilter = { namespace: string; name: string } & (
  { exists: boolean } | { in: readonly PropertyValue[] } | { notIn: readonly PropertyValue[] }
)

const Values = z
  .array(PropertyValue)
  .check(atMost(limits.filterValues, `At most ${limits.filterValues} values`))
const Filter = z.object({
  exists: z.optional(z.nullable(Flag)),
  values: z.optional(z.nullable(Values)),
  exclude_values: z.optional(z.nullable(Values)),
})

const unnamed = 'A property is named as {"namespace": {"name": …}} or as "namespace.name"'
const oneType = 'Name one filter type for a property: exists, values or exclude_values'

interface Asked {
  path: string[]
  namespace: string
  name: string
  filter: unknown
}

/** Filters come nested, `{ns: {name: filter}}`, or dotted, `{"ns.name": filter}`; namespaces have no dots. */
const split = (given: Record<string, unknown>): Asked[] =>
  Object.entries(given).flatMap(([key, value]): Asked[] => {
    const dot = key.indexOf('.')
    if (dot >= 0)
      return [{ path: [key], namespace: key.slice(0, dot), name: key.slice(dot + 1), filter: value }]
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return [{ path: [key], namespace: key, name: '', filter: value }]
    return Object.entries(value).map(([name, filter]) => ({
      path: [key, name],
      namespace: key,
      name,
      filter,
    }))
  })

/** The number of values that filters ask for. */
const valuesOf = (filters: readonly (PropertyFilter | TagFilter)[]): number =>
  filters.reduce(
    (sum, filter) => sum + ('in' in filter ? filter.in : 'notIn' in filter ? filter.notIn : []).length,
    0,
  )

/** Filters by properties, as a list: one of each property. */
export const PropertyFilters = z.pipe(
  withoutProto(z.record(z.string(), z.unknown()), unnamed),
  z.transform((given, ctx): PropertyFilter[] => {
    const filters: PropertyFilter[] = []
    const named = new Set<string>()
    const refuse = (path: string[], message: string) =>
      void ctx.issues.push({ code: 'custom', path, message, input: given })
    const all = split(given)
    if (all.length > limits.propertyFilters) {
      refuse([], `At most ${limits.propertyFilters} properties can be filtered by`)
      return filters
    }
    for (const { path, namespace, name, filter: asked } of all) {
      if (namespace === '' || name === '') {
        refuse(path, unnamed)
        continue
      }
      const parsed = z.safeParse(Filter, asked)
      if (!parsed.success) {
        for (const issue of parsed.error.issues) refuse([...path, ...issue.path.map(String)], issue.message)
        continue
      }
      const { exists, values, exclude_values } = parsed.data
      const kinds: PropertyFilter[] = [
        ...(typeof exists === 'boolean' ? [{ namespace, name, exists }] : []),
        ...(values ? [{ namespace, name, in: values }] : []),
        ...(exclude_values ? [{ namespace, name, notIn: exclude_values }] : []),
      ]
      const [filter] = kinds
      // a namespace has no dot
      const property = `${namespace}.${name}`
      if (filter === undefined || kinds.length > 1 || named.has(property)) refuse(path, oneType)
      else {
        named.add(property)
        filters.push(filter)
      }
    }
    if (valuesOf(filters) > limits.filterValuesInAll)
      refuse([], `At most ${limits.filterValuesInAll} values can be asked for in all`)
    return filters
  }),
)

/** A condition on a thread's tags: whether it has any, one of these, or none of these. */
export type TagFilter = { exists: boolean } | { in: readonly string[] } | { notIn: readonly string[] }

const SomeTags = opt(unique(Tag, limits.filterValues))

/** Filters by tags, as a list of conditions that all have to hold. */
export const TagFilters = z.pipe(
  z.object({ exists: opt(Flag), values: SomeTags, exclude_values: SomeTags }),
  z.transform(({ exists, values, exclude_values }): TagFilter[] => [
    ...(exists === undefined ? [] : [{ exists }]),
    ...(values === undefined ? [] : [{ in: values }]),
    ...(exclude_values === undefined ? [] : [{ notIn: exclude_values }]),
  ]),
)

interface Values {
  properties?: readonly PropertyFilter[] | undefined
  tags?: readonly TagFilter[] | undefined
  customer_ids?: readonly string[] | undefined
}

/** A search as a whole is bounded: for each value a list is read, whatever it is a value of. */
export const atMostValues = z.refine<Values>(
  ({ properties = [], tags = [], customer_ids = [] }) =>
    valuesOf(properties) + valuesOf(tags) + customer_ids.length <= limits.filterValuesInAll,
  {
    error: `At most ${limits.filterValuesInAll} values of properties, tags and customers can be asked for in all`,
    // filters with a fault are left as they came
    when: ({ issues }) => issues.length === 0,
  },
)
