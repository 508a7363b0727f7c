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

const isLossy = (value: number, source: string): boolean =>
  !Number.isFinite(value) ||
  (Number.isInteger(value) && !Number.isSafeInteger(value)) ||
  source
    .replace(/[eE].*$/, '')
    .replace(/\D/g, '')
    .replace(/^0+|0+$/g, '').length > 15

const keepLossy = (_key: string, value: unknown, context: { source?: string }): unknown =>
  typeof value === 'number' && context.source !== undefined && isLossy(value, context.source)
    ? JSON.rawJSON(context.source)
    : value

/**
 * JSON as it came: a number that a double cannot hold (beyond 2^53, over 15 digits, 1e400) is kept as it was
 * written, as a raw value that `JSON.stringify` writes out again. No schema takes it for a number, so it lives on
 * only where anything may stand: in `content` and in a request's id. Throws a `SyntaxError` where it is no JSON.
 */
export const parseJson = (text: string): unknown =>
  maybeLossy.test(text) ? JSON.parse(text, keepLossy) : JSON.parse(text)
