import type { Family } from '../protocol/action.ts'
import type { Key } from './keys.ts'
import type { Attributes, Op } from './ops.ts'

// Writes and their conditions as data. No expression is spelled elsewhere; every name in one is a
// placeholder, so that no word is reserved.

/** Gives the placeholders of one write: of a name, or a path of names (`session.name`), and of a value. */
interface Placeholders {
  name: (path: string) => string
  value: (value: unknown) => string
}

/** A part of an expression, spelled with the placeholders of the write that it stands in. */
type Expression = (of: Placeholders) => string

/** What must hold of an item. */
export type Condition = Expression

/** The item is there; with a path, that attribute of it. */
export const exists =
  (path: string = 'pk'): Condition =>
  (of) =>
    `attribute_exists(${of.name(path)})`

/** There is no such item; with a path, no such attribute of it. */
export const absent =
  (path: string = 'pk'): Condition =>
  (of) =>
    `attribute_not_exists(${of.name(path)})`

type Comparison = '=' | '<>' | '<' | '<=' | '>'

/** An attribute that is there compares so with a value. */
export const compare =
  (path: string, by: Comparison, to: unknown): Condition =>
  (of) =>
    `${of.name(path)} ${by} ${of.value(to)}`

/** A list or a set that is there has no such member. */
export const lacks =
  (path: string, member: unknown): Condition =>
  (of) =>
    `NOT contains(${of.name(path)}, ${of.value(member)})`

/** All of these hold; undefined is no condition. */
export const and =
  (...all: (Condition | undefined)[]): Condition =>
  (of) =>
    all.flatMap((one) => one?.(of) ?? []).join(' AND ')

export const or =
  (first: Condition, ...others: [Condition, ...Condition[]]): Condition =>
  (of) =>
    `(${[first, ...others].map((one) => one(of)).join(' OR ')})`

/** Each attribute is as given; undefined: it is not there. */
export const is = (attributes: Attributes): Condition =>
  and(
    ...Object.entries(attributes).map(([path, value]) =>
      value === undefined ? absent(path) : compare(path, '=', value),
    ),
  )

/** An item's version is as it was read; 0: it has none yet. */
export const atVersion = (version: number, path = 'version'): Condition =>
  is({ [path]: version === 0 ? undefined : version })

/** The item has no such attribute, or one that compares so. */
export const absentOr = (path: string, by: Comparison, to: unknown): Condition =>
  or(absent(path), compare(path, by, to))

/** A mark is false, or not there. */
export const isOff = (path: string): Condition => absentOr(path, '=', false)

/** A value for `set`: what an attribute was before the write, or another value where it was not there. */
export const ifNotExists =
  (path: string, otherwise: unknown): Expression =>
  (of) =>
    `if_not_exists(${of.name(path)}, ${of.value(otherwise)})`

const isExpression = (value: unknown): value is Expression => typeof value === 'function'

interface Change {
  /** By path. Undefined: the attribute goes. */
  set?: Attributes
  /** Numbers that are added, 0 where there was none, and members of sets. */
  add?: Record<string, number | ReadonlySet<string>>
  remove?: readonly string[]
  when?: Condition
}

/** Changes an item, or makes it where no condition says that it is there. */
export const update = <F extends Family>(key: Key<F>, { when, ...change }: Change): Op<F> => ({
  Update: {
    Key: key,
    ...spelled((of) => ({ UpdateExpression: changing(change, of), ...conditional(when, of) })),
  },
})

/** Puts an item in place of any that was there. */
export const put = <F extends Family>(key: Key<F>, item: object = {}, when?: Condition): Op<F> => ({
  Put: { Item: { ...key, ...item }, ...spelled((of) => conditional(when, of)) },
})

export const remove = <F extends Family>(key: Key<F>, when?: Condition): Op<F> => ({
  Delete: { Key: key, ...spelled((of) => conditional(when, of)) },
})

/** Writes nothing: the transaction that it is in holds only where this does. */
export const check = <F extends Family>(key: Key<F>, when: Condition): Op<F> => ({
  ConditionCheck: { Key: key, ...spelled((of) => ({ ConditionExpression: when(of) })) },
})

const conditional = (when: Condition | undefined, of: Placeholders): { ConditionExpression?: string } =>
  when === undefined ? {} : { ConditionExpression: when(of) }

const changing = ({ set = {}, add = {}, remove: others = [] }: Change, of: Placeholders): string => {
  const [sets, gone]: [string[], string[]] = [[], [...others]]
  for (const [path, value] of Object.entries(set))
    if (value === undefined) gone.push(path)
    else sets.push(`${of.name(path)} = ${isExpression(value) ? value(of) : of.value(value)}`)
  const adds = Object.entries(add).map(([path, by]) => `${of.name(path)} ${of.value(by)}`)
  const clause = (word: string, parts: string[]) => (parts.length > 0 ? [`${word} ${parts.join(', ')}`] : [])
  return [...clause('SET', sets), ...clause('REMOVE', gone.map(of.name)), ...clause('ADD', adds)].join(' ')
}

/** Expressions, with what their placeholders stand for. */
const spelled = <E extends object>(spell: (of: Placeholders) => E) => {
  const names: Record<string, string> = {}
  const values: unknown[] = []
  const name = (path: string): string =>
    path
      .split('.')
      .map((part) => {
        names[`#${part}`] = part
        return `#${part}`
      })
      .join('.')
  // equal ones have one
  const value = (one: unknown): string => {
    const known = values.indexOf(one)
    return `:${known < 0 ? values.push(one) - 1 : known}`
  }
  const expressions = spell({ name, value })
  return {
    ...expressions,
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
    ...(values.length > 0 && {
      ExpressionAttributeValues: Object.fromEntries(values.map((one, i) => [`:${i}`, one])),
    }),
  }
}
