import * as z from 'zod/mini'
import { cutTo, filled, lenient, opt, text, utf8Bytes, WebUrl } from './fields.ts'
import { limits } from './limits.ts'
import { withoutProto } from './properties.ts'

// What customers say of themselves.

/**
 * What a customer's properties exceed as they stand, or would after a change; undefined: they fit (protocol
 * §8).
 */
export const customerPropertiesFault = (properties: Readonly<Record<string, string>>): string | undefined => {
  if (Object.keys(properties).length > limits.customerProperties)
    return `At most ${limits.customerProperties} properties`
  if (utf8Bytes(JSON.stringify(properties)) > limits.customerPropertiesBytes)
    return `At most ${limits.customerPropertiesBytes} bytes in all`
  return undefined
}

const Value = z.nullable(text(limits.customerPropertiesBytes))

const kept = (change: Readonly<Record<string, string | null>>): Record<string, string> =>
  Object.fromEntries(Object.entries(change).filter((entry): entry is [string, string] => entry[1] !== null))

/** Changes of a customer's properties: `null` removes one. */
const PropertiesChange = withoutProto(
  z.record(filled(limits.nameBytes), Value).check(
    z.check(({ value, issues }) => {
      const message = customerPropertiesFault(kept(value))
      if (message !== undefined) issues.push({ code: 'custom', message, input: value })
    }),
  ),
  'No property has this name',
)

const Page = z.object({
  url: lenient(WebUrl),
  title: lenient(cutTo(limits.titleBytes)),
  referrer: lenient(WebUrl),
})

/** What a browser says of itself and nobody has typed: nothing of it refuses a request (protocol §8). */
const Monitoring = z.object({ page: lenient(Page), timezone: lenient(cutTo(limits.nameBytes)) })

// a form that was left empty says nothing (protocol §8)
const Typed = z.pipe(
  text(limits.nameBytes),
  z.transform((value) => value || undefined),
)

const Mended = text(limits.nameBytes)

/**
 * What agents may change of a customer: what is absent stays as it is, and an empty name or e-mail is none.
 */
export const CardDetails = z.object({
  name: opt(Mended),
  email: opt(Mended),
  properties: opt(PropertiesChange),
})
export type CardDetails = z.output<typeof CardDetails>

/** A customer's details as its own `login` and `update_customer` take them. */
export const CustomerDetails = z.object({
  name: opt(Typed),
  email: opt(Typed),
  properties: opt(PropertiesChange),
  monitoring: lenient(Monitoring),
})
export type CustomerDetails = z.output<typeof CustomerDetails>
