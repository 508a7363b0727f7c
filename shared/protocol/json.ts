declare global {
  // the TypeScript library does not know JSON source text access yet; Node 22 and later have it
  interface JSON {
    rawJSON(text: string): object
    isRawJSON(value: unknown): boolean
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown
  }
}

// over 15 digits, with or without a point among them, or an exponent
const maybeLossy = /[\d.]{16}|\d[eE]/

// below it a double has fewer digits, down to none
const smallestNormal = 2 ** -1022

const isLossy = (value: number, source: string): boolean => {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return true
  if (String(value) === source) return false
  const digits = source
    .replace(/[eE].*$/, '')
    .replace(/\D/g, '')
    .replace(/^0+|0+$/g, '').length
  return !Number.isFinite(value) || digits > 15 || (digits > 0 && Math.abs(value) < smallestNormal)
}

const keepLossy = (_key: string, value: unknown, context: { source?: string }): unknown =>
  typeof value === 'number' && context.source !== undefined && isLossy(value, context.source)
    ? JSON.rawJSON(context.source)
    : value

/**
 * JSON as it came: a number that a double cannot hold (an integer beyond 2^53, more digits than it has, 1e400, 1e-400)
 * is kept as it was written, as a raw value that `JSON.stringify` writes out again. No schema takes it for a number, so
 * it may live on only where anything may stand: in `content` and in a request's id. Throws a `SyntaxError` where it is no
 * JSON.
 */
export const parseJson = (text: string): unknown => {
  if (!maybeLossy.test(text)) return JSON.parse(text)
  try {
    return JSON.parse(text, keepLossy)
  } catch (error) {
    // a reviver recurses: thousands of levels overflow the stack, and no field that is kept may go so deep
    if (error instanceof RangeError) return JSON.parse(text)
    throw error
  }
}

/**
 * Makes NaN, which no schema takes, of every raw number that is not inside of a `content`: schemas would take it for an
 * object, with fields that are all absent. Changes the value that it is given.
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
