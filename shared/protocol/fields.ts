import * as z from 'zod/mini'
import { $ZodCheckMaxLength, $ZodCheckMinLength } from 'zod/v4/core'
import { limits } from './limits.ts'

// What the fields of requests are made of. Messages say what to mend, since they reach people as `details`.

export const utf8Bytes = (text: string): number => Buffer.byteLength(text, 'utf8')

// zod itself asks this of anything with a `length`: also of a client's object, whose `length` may be what no
// comparison takes, such as `{"valueOf": 0, "toString": 0}`
const when = ({ value }: z.core.ParsePayload): boolean => typeof value === 'string' || Array.isArray(value)

/** At most so many characters or entries; further checks are left out then. */
export const atMost = (maximum: number, message: string) =>
  new $ZodCheckMaxLength({ check: 'max_length', maximum, when, abort: true, error: () => message })

export const atLeast = (minimum: number, message: string) =>
  new $ZodCheckMinLength({ check: 'min_length', minimum, when, abort: true, error: () => message })

const isWellFormed = () =>
  z.refine<string>((value) => value.isWellFormed(), 'Not well-formed Unicode: half a surrogate pair')

/** Text as long as a request may be. */
export const wellFormed = z.string().check(isWellFormed())

/** Text of at most `maxBytes` bytes of UTF-8. Half a surrogate pair has no UTF-8 and is refused. */
export const text = (maxBytes: number) =>
  z.string().check(
    atMost(maxBytes, `Too long: at most ${maxBytes} bytes of UTF-8`),
    z.refine((value) => utf8Bytes(value) <= maxBytes, `Too long: at most ${maxBytes} bytes of UTF-8`),
    isWellFormed(),
  )

const encoder = new TextEncoder()

/** As much of a text as `maxBytes` bytes of UTF-8 take, without half a character. */
export const cutText = (value: string, maxBytes: number): string => {
  const whole = value.replace(/\p{Surrogate}/gu, '')
  return whole.slice(0, encoder.encodeInto(whole, new Uint8Array(maxBytes)).read)
}

/** Text that nobody typed: what is too long is cut, and what is left empty is absent. */
export const cutTo = (maxBytes: number) =>
  z
    .pipe(
      z.string(),
      z.transform((value) => cutText(value, maxBytes) || undefined),
    )
    .register(z.globalRegistry, { description: `Cut after ${maxBytes} bytes.` })

/** A field of which nothing is refused: what does not fit its schema is absent (protocol §8). */
export const lenient = <S extends z.core.$ZodType>(schema: S) =>
  opt(
    // z.catch would add 8 KB to a bundle
    z.pipe(
      z.transform((value: unknown) => (z.safeParse(schema, value).success ? value : null)),
      z.nullable(schema),
    ),
  )

export const filled = (maxBytes: number) => text(maxBytes).check(atLeast(1, 'Must not be empty'))

export const Id = filled(limits.idBytes)
/** What agents call a thread; letter case counts. */
export const Tag = filled(limits.tagBytes)
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

const groupIdError = 'A group id is an integer'
const GroupIdInput = z.union([z.int(), z.string().check(z.regex(/^-?\d{1,15}$/, groupIdError))], {
  error: groupIdError,
})
export const GroupId = z.pipe(GroupIdInput, z.transform(Number))

/** A day of the calendar, as `YYYY-MM-DD`; its first moment (UTC) in ms. */
export const Day = z.pipe(
  z.iso.date('A date is a day that there is, as YYYY-MM-DD'),
  z.transform((day) => Date.parse(day)),
)

/** A list without repeats, in the order given. */
export const unique = <S extends z.core.$ZodType>(item: S, max: number) =>
  z.pipe(
    z.array(item).check(atMost(max, `At most ${max} entries`)),
    z.transform((items) => [...new Set(items)]),
  )

export const Groups = opt(unique(GroupId, limits.ids))
export const Scopes = z.object({ groups: Groups, agents: opt(unique(Id, limits.ids)) })
/** Scopes as customers name them: they know of no agents. */
export const GroupScopes = z.object({ groups: Groups })

/** The address of a web page, cut where it is too long, as those of adverts are. */
export const WebUrl = z
  .pipe(
    cutTo(limits.urlBytes),
    z.string().check(
      z.regex(/^https?:\/\//i),
      z.refine((url) => URL.canParse(url)),
    ),
  )
  .register(z.globalRegistry, {
    description: `Of a web page, http or https; cut after ${limits.urlBytes} bytes, and any other is left out.`,
  })
