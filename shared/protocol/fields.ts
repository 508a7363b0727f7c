import * as z from 'zod/mini'
import { limits } from './limits.ts'

// What the fields of requests are made of. Messages say what to mend, since they reach people as `details`.

export const utf8Bytes = (text: string): number => Buffer.byteLength(text, 'utf8')

/** Text of at most `maxBytes` bytes of UTF-8. Half a surrogate pair has no UTF-8 and is refused. */
export const text = (maxBytes: number) =>
  z.string().check(
    z.maxLength(maxBytes, { error: `Too long: at most ${maxBytes} bytes of UTF-8`, abort: true }),
    z.refine((value) => utf8Bytes(value) <= maxBytes, `Too long: at most ${maxBytes} bytes of UTF-8`),
    z.refine((value) => value.isWellFormed(), 'Not well-formed Unicode: half a surrogate pair'),
  )

export const filled = (maxBytes: number) => text(maxBytes).check(z.minLength(1, 'Must not be empty'))

export const Id = filled(limits.idBytes)
export const Timestamp = z.int().check(z.nonnegative())

/** An optional field of a request: `null` is absence (protocol §1). */
export const opt = <S extends z.core.$ZodType>(schema: S) =>
  z.pipe(
    z.optional(z.nullable(schema)),
    z.transform((value) => value ?? undefined),
  )

/** A flag of a form: clients send booleans or their names. */
export const Flag = z.pipe(
  z.union([z.boolean(), z.enum(['true', 'false'])], { error: 'Must be true or false' }),
  z.transform((value) => value === true || value === 'true'),
)

const GroupIdInput = z.union([z.int(), z.string().check(z.regex(/^-?\d{1,15}$/))], {
  error: 'A group id is an integer',
})
export const GroupId = z.pipe(GroupIdInput, z.transform(Number))

/** A list without repeats, in the order given. */
export const unique = <S extends z.core.$ZodType>(item: S, max: number) =>
  z.pipe(
    z.array(item).check(z.maxLength(max, `At most ${max} entries`)),
    z.transform((items) => [...new Set(items)]),
  )

export const Scopes = z.object({
  groups: opt(unique(GroupId, limits.ids)),
  agents: opt(unique(Id, limits.ids)),
})
