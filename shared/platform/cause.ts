import { InternalError, ProtocolError } from '../protocol/errors.ts'

const mostFrames = 12
const mostErrors = 5
const mostCauses = 5

/**
 * What went wrong, for the log: the error's name, its code or what it says, and where. Parsers, schemas and
 * the SDK's marshalling quote in their messages what they were given, which may be what people wrote; so only
 * those messages are shown that this code (`InternalError`) or AWS has worded, and of the latter nothing from
 * the first quotation on.
 */
export const causeOf = (error: unknown, depth = 0): string => {
  if (!(error instanceof Error)) return typeof error
  const said = messageOf(error)
  const frames = framesOf(error).slice(0, mostFrames)
  const inner = error instanceof AggregateError ? error.errors.slice(0, mostErrors) : []
  // an error can be its own cause
  const causes = depth === mostCauses ? [] : [...inner, ...(error.cause === undefined ? [] : [error.cause])]
  const told = causes.map((cause) => `because of ${causeOf(cause, depth + 1)}`)
  return [`${error.name}${said === undefined ? '' : `: ${said}`}`, ...frames, ...told].join('\n')
}

/** An error of the same name that says no more than the log may hold. */
export const cleaned = (error: unknown): Error => {
  const told = causeOf(error)
  const clean = new Error(told.split('\n')[0])
  clean.name = error instanceof Error ? error.name : 'Error'
  clean.stack = told
  return clean
}

// a system's, as ECONNRESET, or a library's, as ERR_JWKS_TIMEOUT
const codePattern = /^[A-Z][A-Z0-9_]{0,63}$/

const messageOf = (error: Error): string | undefined => {
  if (error instanceof ProtocolError) return error.type
  if (error instanceof InternalError) return error.message
  // AWS's errors: that of a validation repeats the value
  if ('$fault' in error) return error.name === 'ValidationException' ? undefined : unquoted(error.message)
  return 'code' in error && typeof error.code === 'string' && codePattern.test(error.code)
    ? error.code
    : undefined
}

const unquoted = (message: string): string => message.replace(/["'`][^]*$/, '…')

/** The lines of the stack behind the message, which may have lines that look like them. */
const framesOf = ({ stack = '', message }: Error): string[] => {
  const from = stack.indexOf(message)
  return (from === -1 ? [] : stack.slice(from + message.length).split('\n'))
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
}
