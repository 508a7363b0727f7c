import { randomInt } from 'node:crypto'
import * as z from 'zod/mini'
import { filled } from '../../../shared/protocol/fields.ts'
import { limits } from '../../../shared/protocol/limits.ts'
import { permissions, RoutingStatus } from '../../../shared/protocol/objects.ts'
import { type LicenseItem, Priority } from '../../../shared/table/accounts.ts'

// What the options of the commands are made of: each sentence says what would be right.

const matching = (pattern: RegExp, sentence: string) => z.string().check(z.regex(pattern, sentence))

export const LicenseId = matching(/^[A-Za-z0-9-]{1,64}$/, 'A license id is 1 to 64 letters, digits and -')
export const AgentId = matching(
  /^[A-Za-z0-9._@+-]{1,64}$/,
  'An agent id is 1 to 64 letters, digits and the characters . _ @ + -',
)
export const GroupId = z.pipe(
  matching(/^\d{1,15}$/, 'A group id is a whole number of up to 15 digits'),
  z.transform(Number),
)

/** More could not be checked in the one transaction that writes an agent. */
const maxGroups = 50
export const GroupIds = z
  .array(GroupId)
  .check(z.maxLength(maxGroups, `An agent is in at most ${maxGroups} groups`))

export const Name = filled(limits.nameBytes).check(z.regex(/\S/u, 'Must not be blank'))
export const Email = filled(limits.nameBytes).check(
  z.regex(/^[^\s@]+@[^\s@]+$/u, 'An email address looks like name@example.com'),
)
export const Avatar = filled(limits.urlBytes).check(
  z.refine((url) => /^https?:\/\//iu.test(url) && URL.canParse(url), 'An avatar is an http or https URL'),
)
export const AgentPermission = z.enum(permissions, `A permission is one of ${permissions.join(', ')}`)
export const DefaultStatus = z.enum(
  RoutingStatus.options,
  `A status is one of ${RoutingStatus.options.join(', ')}`,
)
export const BotPriority = z.enum(Priority.options, `A priority is one of ${Priority.options.join(', ')}`)
export const Scope = filled(4096)

const maxOrigins = 100
const originSentence = 'An origin is http or https, a host and perhaps a port: https://www.example.com:8443'
/** An origin as browsers and hybrid apps send it: in lower case, without the port that is its scheme's. */
const Origin = z.pipe(
  filled(limits.urlBytes).check(z.refine((text) => originOf(text) !== undefined, originSentence)),
  z.transform((text) => originOf(text) ?? ''),
)
export const Origins = z.pipe(
  z.array(Origin).check(z.maxLength(maxOrigins, `A license has at most ${maxOrigins} origins`)),
  z.transform((origins) => [...new Set(origins)]),
)

// a star would be taken for a name
const bare = /^(?:https?|capacitor|ionic):\/\/[^/?#@*\s\\]+\/?$/iu
const originOf = (text: string): string | undefined => {
  if (!bare.test(text) || !URL.canParse(text)) return undefined
  const { origin, protocol, host } = new URL(text)
  // of the schemes of hybrid apps URL knows no origin
  return origin === 'null' ? `${protocol}//${host.toLowerCase()}` : origin
}

const routingModes = ['automatic', 'manual'] as const satisfies readonly LicenseItem['routing'][]
export const RoutingMode = z.enum(routingModes, `Routing is ${routingModes.join(' or ')}`)

/** A boolean. */
export const OnOff = z.pipe(
  z.enum(['on', 'off'], 'It is on or off'),
  z.transform((text) => text === 'on'),
)

const whole = (from: number, to: number, sentence: string) =>
  z.pipe(
    matching(/^\d{1,9}$/, sentence),
    z.transform(Number).check(z.refine((n) => n >= from && n <= to, sentence)),
  )
export const Minutes = whole(1, 1440, 'Minutes are a whole number from 1 to 1440')
export const MaxChats = whole(0, 1000, 'A limit of chats is a whole number from 0 to 1000')

export const CustomerId = filled(limits.idBytes)

/** The longest identity with which, all of it escaped, the key stays below the table's 2,048 bytes. */
const identityBytes = 255
export const Subject = filled(identityBytes)
export const Issuer = filled(identityBytes)

export const UserPoolId = matching(
  /^[a-z0-9-]+_[A-Za-z0-9]+$/,
  'A user pool id looks like us-east-1_AbCdEf123',
)

const seconds = matching(/^\d{1,11}$/, 'Unix seconds')
/** Unix seconds. */
export const Expiry = z.pipe(
  z.union(
    [seconds, z.iso.date(), z.iso.datetime({ offset: true })],
    'Give a date (2027-01-31), a time with its zone (2027-01-31T12:00:00Z) or unix seconds',
  ),
  z.transform((text) => (/^\d+$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000))),
)

const unitS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }
/** In seconds. */
export const Duration = z.pipe(
  matching(/^[1-9]\d{0,5}[smhd]$/, 'A time span is a number with its unit: 90s, 30m, 24h, 7d'),
  z.transform((text) => Number(text.slice(0, -1)) * (unitS[text.slice(-1)] ?? 1)),
)

const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789'
/** An id for a person who does not choose one, without the characters that people take for each other. */
export const randomId = (): string =>
  Array.from({ length: 12 }, () => alphabet[randomInt(alphabet.length)]).join('')
