import { ProtocolError } from '../protocol/errors.ts'

const mostFrames = 12
const mostErrors = 5

/**
 * What went wrong, for the log: the error's name, its code or what it says, and where. Parsers, schemas and the SDK's
 * marshalling quote in their messages what they were given, which may be what people wrote; so only those messages are
 * shown that this code or AWS has worded, and of these nothing that is quoted.
 */
export const causeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return typeof error
  const said = messageOf(error)
  const frames = framesOf(error).slice(0, mostFrames)
  const inner = error instanceof AggregateError ? error.errors.slice(0, mostErrors) : []
  const causes = [...inner, ...(error.cause === undefined ? [] : [error.cause])].map(
    (cause) => `because of ${causeOf(cause)}`,
  )
  return [`${error.name}${said === undefined ? '' : `: ${said}`}`, ...frames, ...causes].join('\n')
}

/** An error of the same name that says no more than the log may hold. */
export const cleaned = (error: unknown): Error => {
  const told = causeOf(error)
  const clean = new Error(told.split('\n')[0])
  clean.name = error instanceof Error ? error.name : 'Error'
  clean.stack = told
  return clean
}

const messageOf = (error: Error): string | undefined => {
  if (error instanceof ProtocolError) return error.type
  // AWS's errors: that of a validation repeats the value
  if ('$fault' in error) return error.name === 'ValidationException' ? undefined : unquoted(error.message)
  // a system's, as ECONNRESET
  if ('code' in error && typeof error.code === 'string') return error.code
  // what libraries throw as a plain `Error` has the value behind a colon
  return error.constructor === Error || error instanceof AggregateError
    ? unquoted(error.message).split(': ', 1)[0]
    : undefined
}

const unquoted = (message: string): string => message.replaceAll(/(["'`])[^]*?\1/g, '…')

/** The lines of the stack behind the message, which may have lines that look like them. */
const framesOf = ({ stack = '', message }: Error): string[] => {
  const from = stack.indexOf(message)
  return (from === -1 ? [] : stack.slice(from + message.length).split('\n'))
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
}
