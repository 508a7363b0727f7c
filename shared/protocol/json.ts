import { limits } from './limits.ts'

declare global {
  // the TypeScript library does not know JSON source text access yet; Node 22 and later have it
  interface JSON {
    rawJSON(text: string): object
    isRawJSON(value: unknown): boolean
  }
}

// below it a double has fewer digits, down to none
const smallestNormal = 2 ** -1022
/** So many digits any double holds. */
const exactDigits = 15

const [quote, backslash, minus, plus, point] = [0x22, 0x5c, 0x2d, 0x2b, 0x2e]
const [zero, nine, capitalE, smallE] = [0x30, 0x39, 0x45, 0x65]
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d]

const isDigit = (code: number): boolean => code >= zero && code <= nine
const isExponent = (code: number): boolean => code === smallE || code === capitalE

/** How many digits a number has as it is written, from its first that is not 0 to its last that is not 0. */
const significantDigits = (source: string): number => {
  let seen = 0
  let significant = 0
  for (let at = 0; at < source.length; at += 1) {
    const code = source.charCodeAt(at)
    if (isExponent(code)) break
    if (!isDigit(code) || (seen === 0 && code === zero)) continue
    seen += 1
    if (code !== zero) significant = seen
  }
  return significant
}

const isLossy = (source: string): boolean => {
  const value = Number(source)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return true
  if (String(value) === source) return false
  const digits = significantDigits(source)
  return !Number.isFinite(value) || digits > exactDigits || (digits > 0 && Math.abs(value) < smallestNormal)
}

/** Where a string ends that begins at `from`: at its other quote, or beyond the text. */
const endOfString = (text: string, from: number): number => {
  let at = from + 1
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) return at
    if (code === backslash) at += 1
  }
  return at
}

/** The place behind what may be a number that begins at `from`, and whether a double may not hold it. */
const numberAt = (text: string, from: number): { to: number; mayBeLossy: boolean } => {
  let hasExponent = false
  let to = from + 1
  for (; to < text.length; to += 1) {
    const code = text.charCodeAt(to)
    if (isExponent(code)) hasExponent = true
    else if (!isDigit(code) && code !== point && code !== minus && code !== plus) break
  }
  return { to, mayBeLossy: hasExponent || to - from > exactDigits }
}

/** A part of a text, up to `to`. */
interface Part {
  from: number
  to: number
  is: 'lossy' | 'deep'
}

/**
 * The parts of a text, were it JSON, that lie deeper than `limits.frameDepth`, and the numbers outside of
 * them that no double holds; in order. One pass without recursion.
 */
const oddParts = (text: string): Part[] => {
  const parts: Part[] = []
  let depth = 0
  let deepFrom = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at)
    else if (code === openBracket || code === openBrace) {
      depth += 1
      if (depth === limits.frameDepth + 1) deepFrom = at
    } else if (code === closeBracket || code === closeBrace) {
      if (depth === limits.frameDepth + 1) parts.push({ from: deepFrom, to: at + 1, is: 'deep' })
      depth -= 1
    } else if (code === minus || isDigit(code)) {
      const { to, mayBeLossy } = numberAt(text, at)
      if (mayBeLossy && depth <= limits.frameDepth && isLossy(text.slice(at, to)))
        parts.push({ from: at, to, is: 'lossy' })
      at = to - 1
    }
  }
  if (depth > limits.frameDepth) parts.push({ from: deepFrom, to: text.length, is: 'deep' })
  return parts
}

/**
 * The text with other text in place of its deep parts and, where `quotesLossy`, quotes around its lossy
 * numbers.
 */
const rewritten = (text: string, parts: readonly Part[], quotesLossy: boolean): string => {
  let made = ''
  let from = 0
  for (const part of parts) {
    if (part.is === 'deep') made += `${text.slice(from, part.from)}[]`
    else if (quotesLossy) made += `${text.slice(from, part.from)}"${text.slice(part.from, part.to)}"`
    else continue
    from = part.to
  }
  return made + text.slice(from)
}

/**
 * Puts raw values where `quoted`, the same JSON but for quotes around the numbers that no double holds, has a
 * string and `plain` has a number: a string of the JSON's own is one in both. Changes and returns `quoted`.
 */
const withRaw = (plain: unknown, quoted: unknown): unknown => {
  if (typeof plain === 'number' && typeof quoted === 'string') return JSON.rawJSON(quoted)
  const open: [unknown, unknown][] = [[plain, quoted]]
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [numbers, strings] = pair
    if (typeof numbers !== 'object' || numbers === null || typeof strings !== 'object' || strings === null)
      continue
    for (const key of Object.keys(strings)) {
      const inner: unknown = Reflect.get(strings, key)
      if (typeof inner === 'object') open.push([Reflect.get(numbers, key), inner])
      else if (typeof inner === 'string' && typeof Reflect.get(numbers, key) === 'number')
        Reflect.set(strings, key, JSON.rawJSON(inner))
    }
  }
  return quoted
}

/** A JSON text as it was read. */
export interface JsonRead {
  value: unknown
  /** Parts lay deeper than `limits.frameDepth`: an empty array is in the place of each. */
  isTooDeep: boolean
  /** Raw values are in it. */
  hasRaw: boolean
}

/**
 * JSON as it came: a number that a double cannot hold (an integer beyond 2^53, more digits than it has,
 * 1e400, 1e-400) is kept as it was written, as a raw value that `JSON.stringify` writes out again. No schema
 * takes it for a number, so it may live on only where anything may stand: in `content` and in a request's id.
 * Throws a `SyntaxError` where it is no JSON. Takes time in proportion to the text's length, whatever it is.
 */
export const readJson = (text: string): JsonRead => {
  const parts = oddParts(text)
  const isTooDeep = parts.some(({ is }) => is === 'deep')
  const value: unknown = JSON.parse(rewritten(text, parts, false))
  if (!parts.some(({ is }) => is === 'lossy')) return { value, isTooDeep, hasRaw: false }
  const quoted: unknown = JSON.parse(rewritten(text, parts, true))
  return { value: withRaw(value, quoted), isTooDeep, hasRaw: true }
}

/**
 * The value of a JSON text as `readJson` reads it. Throws a `SyntaxError` for one that is too deep as well.
 */
export const parseJson = (text: string): unknown => {
  const { value, isTooDeep } = readJson(text)
  if (isTooDeep) throw new SyntaxError(`JSON of more than ${limits.frameDepth} levels`)
  return value
}

/**
 * Makes NaN, which no schema takes, of every raw number that is not inside of a `content`: schemas would take
 * it for an object, with fields that are all absent. Changes the value that it is given.
 */
export const rawInContentOnly = (value: unknown): unknown => {
  if (JSON.isRawJSON(value)) return Number.NaN
  const open: unknown[] = [value]
  while (open.length > 0) {
    const one = open.pop()
    if (typeof one !== 'object' || one === null) continue
    for (const [key, inner] of Object.entries(one)) {
      if (JSON.isRawJSON(inner)) Reflect.set(one, key, Number.NaN)
      else if (key !== 'content') open.push(inner)
    }
  }
  return value
}

/**
 * Stands in JSON where a `JsonText` is. `JSON.stringify` writes no `/` behind a backslash, and behind a quote
 * no backslash but one that begins an escape: no text of anybody's comes out of it with these four characters
 * in a row.
 */
const placeholder = '"\\/"'

/** The texts that the `stringifyJson` under way has come upon, in their order. */
let found: string[] | undefined

/** A value as the JSON text that it is: `stringifyJson` writes it as it stands, without reading it. */
export class JsonText {
  readonly text: string

  /** `text` must be JSON: nothing looks at it again. */
  constructor(text: string) {
    this.text = text
  }

  /** The value itself for any other writer of JSON. */
  toJSON(): unknown {
    if (found === undefined) return parseJson(this.text)
    found.push(this.text)
    return JSON.rawJSON(placeholder)
  }
}

/**
 * `JSON.stringify` for what is answered, pushed or measured: values that are JSON text already are put in
 * unread.
 */
export const stringifyJson = (value: unknown): string => {
  const texts: string[] = []
  found = texts
  try {
    const written = JSON.stringify(value)
    if (texts.length === 0) return written
    const [first = '', ...rest] = written.split(placeholder)
    return first + rest.map((piece, index) => `${texts[index] ?? ''}${piece}`).join('')
  } finally {
    found = undefined
  }
}
